#if Zstd
  import CImmutaZstd
  public import Immuta

  extension Codec {
    /// Compresses with Zstandard: smaller than DEFLATE, and faster. With the package trait `Zstd`.
    ///
    /// Each record is a frame of its own, which the `zstd` tool reads. Small records compress well only with a
    /// dictionary: see ``ZstdDictionary``. One can be added to a log that was begun without: each frame says which
    /// dictionary it needs.
    ///
    /// - Parameters:
    ///   - level: 1, the fastest, to 19, the smallest. Traps outside.
    ///   - dictionary: what new records are compressed with; none by default.
    ///   - older: dictionaries that earlier records were compressed with.
    public static func zstd(
      level: Int = 3, dictionary: ZstdDictionary? = nil, older: [ZstdDictionary] = []
    ) -> Codec {
      precondition((1...19).contains(level), "a Zstandard level is 1 to 19, not \(level)")
      let writing = ZstdCompress(level: Int32(level), dictionary: dictionary?.prepared(level: Int32(level)))
      return Codec(writing: writing, reading: ZstdDecompress(dictionaries: (dictionary.map { [$0] } ?? []) + older))
    }
  }

  private let codecName = "zstd"

  private struct ZstdCompress: Transformer {
    let name = codecName
    let level: Int32
    let dictionary: Result<PreparedDictionary, TransformError>?

    func makeState() throws -> sending any TransformerState { try State(level, dictionary?.get()) }

    private final class State: TransformerState {
      private let context: OpaquePointer
      /// The context points into it.
      private let dictionary: PreparedDictionary?

      init(_ level: Int32, _ dictionary: PreparedDictionary?) throws {
        guard let context = ZSTD_createCCtx() else { throw noMemory }
        self.context = context
        self.dictionary = dictionary
        _ = try checked(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level))
        if let dictionary { _ = try checked(ZSTD_CCtx_refCDict(context, dictionary.pointer)) }
      }

      deinit {
        ZSTD_freeCCtx(context)
      }

      func begin(_ record: RecordContext) throws {
        _ = try checked(ZSTD_CCtx_reset(context, ZSTD_reset_session_only))
        // A size that is known makes for smaller tables, and so for quicker work on small records.
        if let size = record.size { _ = try checked(ZSTD_CCtx_setPledgedSrcSize(context, UInt64(size))) }
      }

      func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
        try input.withUnsafeBytes { bytes in
          var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
          while !output.isFull {
            let isRoomUsedUp = try step(&source, ZSTD_e_continue, output).isRoomUsedUp
            if source.pos == source.size, !isRoomUsedUp { break }
          }
          return source.pos
        }
      }

      func finish(into output: TransformOutput) throws -> Bool {
        var source = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
        while !output.isFull {
          if try step(&source, ZSTD_e_end, output).left == 0 { return true }
        }
        return false
      }

      private func step(
        _ source: inout ZSTD_inBuffer, _ directive: ZSTD_EndDirective, _ output: TransformOutput
      ) throws -> (left: Int, isRoomUsedUp: Bool) {
        try output.appendZstd { try checked(ZSTD_compressStream2(context, &$0, &source, directive)) }
      }
    }
  }

  private struct ZstdDecompress: Transformer {
    let name = codecName
    let dictionaries: [ZstdDictionary]

    func makeState() throws -> sending any TransformerState { try State(dictionaries) }

    private final class State: TransformerState {
      private let context: OpaquePointer
      private let dictionaries: [ZstdDictionary]
      /// The frame's first bytes, until they show which dictionary it needs.
      private var head: [UInt8] = []
      private var isHeadTaken = false
      private var hasEnded = false

      /// Memory that a frame may ask for: what level 19 needs. Damaged bytes may ask for anything.
      private static let largestWindow: Int32 = 23
      /// Bytes of the longest frame header.
      private static let headSize = 18

      init(_ dictionaries: [ZstdDictionary]) throws {
        guard let context = ZSTD_createDCtx() else { throw noMemory }
        self.context = context
        self.dictionaries = dictionaries
        _ = try checked(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.largestWindow))
      }

      deinit {
        ZSTD_freeDCtx(context)
      }

      func begin(_ record: RecordContext) throws {
        _ = try checked(ZSTD_DCtx_reset(context, ZSTD_reset_session_only))
        head.removeAll(keepingCapacity: true)
        isHeadTaken = false
        hasEnded = false
      }

      func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
        try input.withUnsafeBytes { bytes in
          var taken = 0
          if !isHeadTaken {
            taken = min(Self.headSize - head.count, bytes.count)
            head.append(contentsOf: bytes[..<taken])
            if head.count < Self.headSize { return taken }
            try takeHead(output)
          }
          let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
          return taken + (try decompress(rest, output))
        }
      }

      func finish(into output: TransformOutput) throws -> Bool {
        if !isHeadTaken { try takeHead(output) }
        if !hasEnded {
          // Output that found no room yet.
          _ = try decompress(UnsafeRawBufferPointer(start: nil, count: 0), output)
          if output.isFull { return false }
        }
        if !hasEnded { throw TransformError("the Zstandard frame is cut off") }
        return true
      }

      /// Finds the dictionary, and decompresses the bytes so far: at most a few bytes short of a small frame.
      private func takeHead(_ output: TransformOutput) throws {
        isHeadTaken = true
        try SkippableFrame.refuse(head)
        let id = head.withUnsafeBytes { ZSTD_getDictID_fromFrame($0.baseAddress, $0.count) }
        let dictionary = dictionaries.first { $0.id == id }
        guard id == 0 || dictionary != nil else {
          let ids = dictionaries.map { String($0.id) }.joined(separator: ", ")
          throw TransformError(
            "it is compressed with dictionary \(id), which is not among those given (\(ids.isEmpty ? "none" : ids))")
        }
        _ = try checked(ZSTD_DCtx_refDDict(context, dictionary?.decompression.pointer))
        try head.withUnsafeBytes { head in
          var taken = 0
          // What a few bytes come to fits no bound; the output is looked at again in each step.
          while taken < head.count {
            let more = try decompress(UnsafeRawBufferPointer(rebasing: head[taken...]), output, evenIfFull: true)
            taken += more
          }
        }
      }

      private func decompress(
        _ bytes: UnsafeRawBufferPointer, _ output: TransformOutput, evenIfFull: Bool = false
      ) throws -> Int {
        var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var isFirst = evenIfFull
        while isFirst || !output.isFull, !hasEnded {
          isFirst = false
          let step = try output.appendZstd { try checked(ZSTD_decompressStream(context, &$0, &source)) }
          hasEnded = step.left == 0
          if source.pos == source.size, !step.isRoomUsedUp { break }
        }
        if hasEnded, source.pos < source.size {
          throw TransformError("\(source.size - source.pos) bytes follow the end of the Zstandard frame")
        }
        return source.pos
      }
    }
  }

  extension TransformOutput {
    /// One step of a stream: what it returns, and whether all of the memory was needed.
    fileprivate func appendZstd(
      _ step: (inout ZSTD_outBuffer) throws -> Int
    ) throws -> (left: Int, isRoomUsedUp: Bool) {
      var result = (left: 0, isRoomUsedUp: false)
      try append { memory in
        var target = ZSTD_outBuffer(dst: memory.baseAddress, size: memory.count, pos: 0)
        let left = try step(&target)
        result = (left, target.pos == target.size)
        return target.pos
      }
      return result
    }
  }

  private var noMemory: TransformError { TransformError("Zstandard has no memory for a context") }

  private func checked(_ result: Int) throws(TransformError) -> Int {
    guard ZSTD_isError(result) == 0 else {
      throw TransformError("Zstandard: \(String(cString: ZSTD_getErrorName(result)))")
    }
    return result
  }
#endif
