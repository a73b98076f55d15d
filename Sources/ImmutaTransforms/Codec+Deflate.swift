import CImmutaDeflate
public import Immuta

extension Codec {
  /// Compresses with raw DEFLATE (RFC 1951), as Go's `compress/flate` does: each record is a stream of its own, which
  /// any DEFLATE decoder reads. Levels can be changed at any time; every level's records are read alike.
  ///
  /// A record of a few dozen bytes hardly gets smaller: what repeats from record to record is not seen. For such
  /// records a Zstandard dictionary does better.
  ///
  /// - Parameter level: 1, the fastest, to 9, the smallest; 0 stores without compressing. Traps outside.
  public static func deflate(level: Int = 6) -> Codec {
    precondition((0...9).contains(level), "a DEFLATE level is 0 to 9, not \(level)")
    return Codec(writing: Deflate(level: level), reading: Inflate())
  }
}

private let codecName = "deflate"

private struct Deflate: Transformer {
  let name = codecName
  let level: Int

  func makeState() throws -> sending any TransformerState {
    guard let stream = deflate_make_compressor(Int32(level)) else { throw DeflateStream.noMemory }
    return State(stream)
  }

  private final class State: DeflateStream, TransformerState {
    func begin(_ record: RecordContext) {
      deflate_reset(stream)
    }

    func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
      try input.withUnsafeBytes { bytes in
        var taken = 0
        while !output.isFull {
          let room = output.append(from: bytes, &taken) { deflate_run(stream, $0, $1, $2, $3, false) }
          try check(room.result)
          // Room left over says that there is nothing more to make of this input.
          if taken == bytes.count, !room.isUsedUp { break }
        }
        return taken
      }
    }

    func finish(into output: TransformOutput) throws -> Bool {
      var taken = 0
      let empty = UnsafeRawBufferPointer(start: nil, count: 0)
      while !output.isFull {
        let room = output.append(from: empty, &taken) { deflate_run(stream, $0, $1, $2, $3, true) }
        try check(room.result)
        if room.result == DEFLATE_ENDED { return true }
      }
      return false
    }
  }
}

private struct Inflate: Transformer {
  let name = codecName

  func makeState() throws -> sending any TransformerState {
    guard let stream = deflate_make_decompressor() else { throw DeflateStream.noMemory }
    return State(stream)
  }

  private final class State: DeflateStream, TransformerState {
    private var hasEnded = false

    func begin(_ record: RecordContext) {
      deflate_reset(stream)
      hasEnded = false
    }

    func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
      try input.withUnsafeBytes { bytes in
        var taken = 0
        while !output.isFull, !hasEnded {
          let room = output.append(from: bytes, &taken) { deflate_run(stream, $0, $1, $2, $3, false) }
          try check(room.result)
          hasEnded = room.result == DEFLATE_ENDED
          if taken == bytes.count, !room.isUsedUp { break }
        }
        if hasEnded, taken < bytes.count {
          throw TransformError("\(bytes.count - taken) bytes follow the end of the DEFLATE stream")
        }
        return taken
      }
    }

    func finish(into output: TransformOutput) throws -> Bool {
      if !hasEnded { throw TransformError("the DEFLATE stream is cut off") }
      return true
    }
  }
}

/// A zlib stream, freed with its last reference.
private class DeflateStream {
  let stream: OpaquePointer

  init(_ stream: OpaquePointer) {
    self.stream = stream
  }

  deinit {
    deflate_free(stream)
  }

  static var noMemory: TransformError { TransformError("zlib has no memory for a stream") }

  func check(_ result: deflate_result) throws(TransformError) {
    switch result {
    case DEFLATE_MALFORMED: throw TransformError("it is not a DEFLATE stream, or a damaged one")
    case DEFLATE_NO_MEMORY: throw Self.noMemory
    default: break
    }
  }
}

extension TransformOutput {
  /// One call of `run` (input, its size, memory, its size) with the input not yet taken; `taken` moves on. Says what
  /// came of it, and whether all of the memory was needed.
  fileprivate func append(
    from input: UnsafeRawBufferPointer, _ taken: inout Int,
    _ run: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?, Int) -> deflate_progress
  ) -> (result: deflate_result, isUsedUp: Bool) {
    var outcome = (result: DEFLATE_GOES_ON, isUsedUp: false)
    append { memory in
      let rest = input[taken...]
      let start = input.baseAddress.map { ($0 + taken).assumingMemoryBound(to: UInt8.self) }
      let progress = run(
        start, rest.count, memory.baseAddress?.assumingMemoryBound(to: UInt8.self), memory.count)
      taken += progress.taken
      outcome = (progress.result, progress.made == memory.count)
      return progress.made
    }
    return outcome
  }
}
