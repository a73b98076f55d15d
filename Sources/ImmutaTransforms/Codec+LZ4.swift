#if LZ4
  import CImmutaLZ4
  public import Immuta

  extension Codec {
    /// Compresses with LZ4, in its frame format, which the `lz4` tool reads: less than DEFLATE does, and several times
    /// as fast. With the package trait `LZ4`.
    ///
    /// For records of a few kilobytes and more. Smaller ones it mostly enlarges: a frame takes 15 bytes of each, and
    /// LZ4 finds little in a few hundred bytes.
    ///
    /// - Parameter level: 0, the fastest, to 12, the smallest. Traps outside.
    public static func lz4(level: Int = 0) -> Codec {
      precondition((0...12).contains(level), "an LZ4 level is 0 to 12, not \(level)")
      return Codec(writing: LZ4Compress(level: Int32(level)), reading: LZ4Decompress())
    }
  }

  private let codecName = "lz4"

  private struct LZ4Compress: Transformer {
    let name = codecName
    let level: Int32

    func makeState() throws -> sending any TransformerState { try State(level) }

    private final class State: TransformerState {
      private let context: OpaquePointer
      private let preferences: LZ4F_preferences_t
      private var hasBegun = false
      /// Input compressed by one call: its output has to fit the memory it is given.
      private static let pieceSize = 64 << 10

      init(_ level: Int32) throws {
        context = try make { LZ4F_createCompressionContext(&$0, UInt32(LZ4F_VERSION)) }
        var preferences = LZ4F_preferences_t()
        preferences.compressionLevel = level
        self.preferences = preferences
      }

      deinit {
        LZ4F_freeCompressionContext(context)
      }

      func begin(_ record: RecordContext) {
        hasBegun = false
      }

      private func beginFrame(_ output: TransformOutput) throws {
        if hasBegun { return }
        hasBegun = true
        try output.append(room: Int(LZ4F_HEADER_SIZE_MAX)) { memory in
          try withUnsafePointer(to: preferences) {
            try checked(LZ4F_compressBegin(context, memory.baseAddress, memory.count, $0))
          }
        }
      }

      func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
        try beginFrame(output)
        return try input.withUnsafeBytes { bytes in
          var taken = 0
          while taken < bytes.count, !output.isFull {
            let piece = UnsafeRawBufferPointer(rebasing: bytes[taken...].prefix(Self.pieceSize))
            try appendBound(piece.count, to: output) { memory in
              LZ4F_compressUpdate(context, memory.baseAddress, memory.count, piece.baseAddress, piece.count, nil)
            }
            taken += piece.count
          }
          return taken
        }
      }

      func finish(into output: TransformOutput) throws -> Bool {
        try beginFrame(output)
        try appendBound(0, to: output) { LZ4F_compressEnd(context, $0.baseAddress, $0.count, nil) }
        return true
      }

      private func appendBound(
        _ size: Int, to output: TransformOutput, _ body: (UnsafeMutableRawBufferPointer) -> Int
      ) throws {
        let bound = withUnsafePointer(to: preferences) { LZ4F_compressBound(size, $0) }
        try output.append(room: bound) { try checked(body($0)) }
      }
    }
  }

  private struct LZ4Decompress: Transformer {
    let name = codecName

    func makeState() throws -> sending any TransformerState { try State() }

    private final class State: TransformerState {
      private let context: OpaquePointer
      /// The frame's first bytes, as many as show its kind.
      private var magic: [UInt8] = []
      private var hasEnded = false

      init() throws {
        context = try make { LZ4F_createDecompressionContext(&$0, UInt32(LZ4F_VERSION)) }
      }

      deinit {
        LZ4F_freeDecompressionContext(context)
      }

      func begin(_ record: RecordContext) {
        LZ4F_resetDecompressionContext(context)
        magic.removeAll(keepingCapacity: true)
        hasEnded = false
      }

      func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
        try input.withUnsafeBytes { bytes in
          var taken = 0
          while !output.isFull, !hasEnded {
            let before = taken
            var made = 0
            var room = 0
            try output.append { memory in
              var more = bytes.count - taken
              (made, room) = (memory.count, memory.count)
              let hint = try checked(
                LZ4F_decompress(context, memory.baseAddress, &made, bytes.baseAddress.map { $0 + taken }, &more, nil))
              taken += more
              hasEnded = hint == 0
              return made
            }
            if made < room, taken == bytes.count || taken == before { break }
          }
          try noteMagic(bytes[..<taken])
          if taken < bytes.count, !output.isFull {
            throw TransformError(
              hasEnded ? "\(bytes.count - taken) bytes follow the end of the LZ4 frame" : "it is not an LZ4 frame")
          }
          return taken
        }
      }

      private func noteMagic(_ taken: Slice<UnsafeRawBufferPointer>) throws {
        let missing = SkippableFrame.magicSize - magic.count
        if missing == 0 || taken.isEmpty { return }
        magic += taken.prefix(missing)
        try SkippableFrame.refuse(magic)
      }

      func finish(into output: TransformOutput) throws -> Bool {
        if !hasEnded { throw TransformError("the LZ4 frame is cut off") }
        return true
      }
    }
  }

  private func make(_ body: (inout OpaquePointer?) -> Int) throws -> OpaquePointer {
    var context: OpaquePointer?
    _ = try checked(body(&context))
    guard let context else { throw TransformError("LZ4 has no memory for a context") }
    return context
  }

  private func checked(_ result: Int) throws(TransformError) -> Int {
    guard LZ4F_isError(result) == 0 else {
      throw TransformError("LZ4: \(String(cString: LZ4F_getErrorName(result)))")
    }
    return result
  }
#endif
