#if Zstd
  import CZstd
  public import Immuta

  /// What records of one kind have in common, so that each needs to hold only what is its own: for small records, which
  /// compress badly one by one. With the package trait `Zstd`.
  ///
  /// ```swift
  /// let dictionary = try ZstdDictionary(trainedOn: log)
  /// configuration.codec = .zstd(dictionary: dictionary)
  /// ```
  ///
  /// Keep ``bytes`` as carefully as the log: records that were compressed with a dictionary cannot be read without it.
  public struct ZstdDictionary: Sendable {
    /// The dictionary, as the `zstd` tool reads and writes it.
    public let bytes: [UInt8]
    /// The number by which frames ask for it.
    public let id: UInt32
    let decompression: PreparedDictionary

    /// A dictionary that was trained before.
    ///
    /// - Throws: `TransformError` when the bytes are none.
    public init(_ bytes: [UInt8]) throws(TransformError) {
      id = bytes.withUnsafeBytes { ZDICT_getDictID($0.baseAddress, $0.count) }
      guard id != 0 else { throw TransformError("these bytes are not a Zstandard dictionary") }
      self.bytes = bytes
      decompression = try PreparedDictionary(decompressing: bytes)
    }

    /// Trains a dictionary on samples of the records it is for. A few thousand make a good one.
    ///
    /// - Parameters:
    ///   - samples: payloads, of which at most ``largestSample`` bytes each are looked at.
    ///   - size: bytes of the dictionary at most; around a hundredth of the samples' bytes is enough.
    /// - Throws: `TransformError` when there are too few samples, or too few bytes of them.
    public init(
      trainedOn samples: some Sequence<some Collection<UInt8>>, size: Int = 64 << 10
    ) throws(TransformError) {
      var all: [UInt8] = []
      var sizes: [Int] = []
      for sample in samples {
        let before = all.count
        all.append(contentsOf: sample.prefix(Self.largestSample))
        if all.count > before { sizes.append(all.count - before) }
      }
      guard !sizes.isEmpty else { throw TransformError("there are no samples to train a dictionary on") }
      var bytes = [UInt8](repeating: 0, count: max(size, 256))
      let made = bytes.withUnsafeMutableBytes { target in
        ZDICT_trainFromBuffer(target.baseAddress, target.count, all, sizes, UInt32(sizes.count))
      }
      guard ZDICT_isError(made) == 0 else {
        let reason = String(cString: ZDICT_getErrorName(made))
        throw TransformError(
          "no dictionary can be trained on \(sizes.count) samples of \(all.count) bytes (\(reason)): give more of them")
      }
      try self.init(Array(bytes[..<made]))
    }

    /// Trains a dictionary on a log's own records: on up to `count` of them, taken evenly from all of it.
    ///
    /// - Throws: as the training on samples; `ImmutaError` when a record cannot be read.
    public init(trainedOn log: Log, records count: Int = 10_000, size: Int = 64 << 10) throws {
      let total = log.count
      let wanted = min(total, max(count, 0))
      var samples: [[UInt8]] = []
      var sampled = 0
      for number in 0..<wanted where sampled < Self.mostSampled {
        // The product is far from overflowing: a log of 2⁴⁸ records has outgrown every disk.
        let sequence = number * total / wanted
        for record in try log.records(in: sequence..<sequence + 1) {
          // The first chunk only: a large record is not decoded whole for a few bytes of it.
          for chunk in record.payload.chunks(ofSize: Self.largestSample).prefix(1) {
            samples.append(Array(chunk))
            sampled += chunk.count
          }
        }
      }
      try self.init(trainedOn: samples, size: size)
    }

    /// Bytes of a sample that are looked at.
    public static var largestSample: Int { 128 << 10 }
    private static var mostSampled: Int { 64 << 20 }

    func prepared(level: Int32) -> PreparedDictionary {
      PreparedDictionary(compressing: bytes, level: level)
    }
  }

  /// A dictionary made ready for one direction, freed with its last reference.
  ///
  /// `@unchecked Sendable`: Zstandard only reads it once it is made, from any number of threads at once.
  final class PreparedDictionary: @unchecked Sendable {
    let pointer: OpaquePointer
    private let free: (OpaquePointer) -> Void

    init(compressing bytes: [UInt8], level: Int32) {
      guard let pointer = ZSTD_createCDict(bytes, bytes.count, level) else {
        preconditionFailure("a dictionary that decompresses compresses")
      }
      self.pointer = pointer
      free = { ZSTD_freeCDict($0) }
    }

    init(decompressing bytes: [UInt8]) throws(TransformError) {
      guard let pointer = ZSTD_createDDict(bytes, bytes.count) else {
        throw TransformError("these bytes are a damaged Zstandard dictionary")
      }
      self.pointer = pointer
      free = { ZSTD_freeDDict($0) }
    }

    deinit {
      free(pointer)
    }
  }
#endif
