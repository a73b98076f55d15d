#if Zstd
  import CImmutaZstd
  public import Immuta

  /// What records of one kind have in common, so that each record stores only the rest. For small records, which
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
    /// - Throws: `TransformError` when the bytes are no dictionary.
    public init(_ bytes: [UInt8]) throws(TransformError) {
      id = bytes.withUnsafeBytes { ZDICT_getDictID($0.baseAddress, $0.count) }
      guard id != 0 else { throw TransformError("these bytes are not a Zstandard dictionary") }
      self.bytes = bytes
      decompression = try PreparedDictionary(decompressing: bytes)
    }

    /// Trains a dictionary on samples of the records it is for. A few thousand make a good one.
    ///
    /// - Parameters:
    ///   - samples: payloads; at most ``largestSample`` bytes of each are looked at.
    ///   - size: bytes of the dictionary at most, no fewer than 256; around a hundredth of the samples' bytes is
    ///     enough.
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
      // Zstandard learns from three quarters of them, and divides by zero where these are hardly a word.
      guard sizes.prefix(sizes.count / 4 * 3).reduce(0, +) >= Self.fewestBytes else {
        throw TransformError(
          "no dictionary can be trained on \(sizes.count) samples of \(all.count) bytes: give more of them")
      }
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

    /// Trains a dictionary on a log's own records: on up to `count` of them, taken evenly from all of it. Of large
    /// records only a part is used, so that all together fit into 64 MiB.
    ///
    /// - Throws: as the training on samples; `ImmutaError` when a record cannot be read.
    public init(trainedOn log: Log, records count: Int = 10_000, size: Int = 64 << 10) throws {
      try self.init(trainedOn: Self.samples(of: log, records: count, atMost: 64 << 20), size: size)
    }

    /// The beginnings of up to `count` records, taken evenly from all of a log, of `most` bytes together; of each
    /// record at least one byte.
    package static func samples(of log: Log, records count: Int, atMost most: Int) throws -> [[UInt8]] {
      let total = log.count
      let wanted = min(total, max(count, 0))
      var samples: [[UInt8]] = []
      for number in 0..<wanted {
        // In full width: a log that is all looked at may have more records than the root of what fits a number.
        let sequence = wanted.dividingFullWidth(number.multipliedFullWidth(by: total)).quotient
        for record in try log.records(in: sequence..<sequence + 1) {
          // The first chunk only: a large record was gone through once to deliver it, but need not be held whole.
          var chunks = record.payload.chunks(ofSize: min(largestSample, max(most / wanted, 1))).makeIterator()
          if let chunk = try chunks.nextOrThrow() { samples.append(Array(chunk)) }
        }
      }
      return samples
    }

    private static var fewestBytes: Int { 64 }

    /// How many bytes of a sample are looked at, at most.
    public static var largestSample: Int { 128 << 10 }

    func prepared(level: Int32) -> Result<PreparedDictionary, TransformError> {
      Result { () throws(TransformError) in try PreparedDictionary(compressing: bytes, level: level) }
    }
  }

  /// A dictionary made ready for one direction, freed with its last reference.
  ///
  /// `@unchecked Sendable`: Zstandard only reads it once it is made, from any number of threads at once.
  final class PreparedDictionary: @unchecked Sendable {
    let pointer: OpaquePointer
    private let free: (OpaquePointer) -> Void

    /// Zstandard looks at some of a dictionary's tables only here, so that one it decompresses with may be refused.
    init(compressing bytes: [UInt8], level: Int32) throws(TransformError) {
      guard let pointer = ZSTD_createCDict(bytes, bytes.count, level) else {
        throw TransformError(
          "Zstandard cannot compress with this dictionary: it is damaged, or there is no memory for it")
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
