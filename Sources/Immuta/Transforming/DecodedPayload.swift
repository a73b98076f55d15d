import Locking

/// The bytes of a large payload that is stored transformed: decoded whole when somebody wants them in one piece, and in
/// pieces otherwise.
///
/// Decoding it succeeded when the record was delivered, so that it does again, unless the device gives other bytes than
/// before; then there is nobody to tell, and it traps.
final class DecodedPayload: Sendable {
  let count: Int
  private let stored: Payload
  private let sequence: Int
  private let decoder: RecordDecoder
  private let whole = Lock<Payload?>(nil)

  init(_ stored: Payload, sequence: Int, count: Int, _ decoder: RecordDecoder) {
    self.stored = stored
    self.sequence = sequence
    self.count = count
    self.decoder = decoder
  }

  /// All bytes, in memory from now on.
  func inMemory() -> Payload {
    whole.withLock { whole in
      if let whole { return whole }
      let payload = DecodingSession(self).next(from: 0, size: count)
      whole = payload
      return payload
    }
  }

  fileprivate func begin() -> Decoding {
    Decoding(
      run: Self.again { try decoder.begin(sequence: sequence, size: stored.count) }, input: DecoderInput(stored))
  }

  fileprivate func finish(_ decoding: Decoding) {
    decoder.finish(decoding.run)
  }

  fileprivate static func again<R>(_ body: () throws -> R) -> R {
    do {
      return try body()
    } catch {
      preconditionFailure("a record could be decoded a moment ago: \(error)")
    }
  }
}

/// A decoding that is under way.
private struct Decoding {
  let run: TransformRun
  var input: DecoderInput
  /// Bytes of the run's output that were taken.
  var taken = 0
  /// Bytes of the payload that were taken.
  var position = 0
}

/// Decodes a payload from its start to its end, for one iterator; copies of that iterator share it, and whoever finds
/// that it was moved on begins anew.
final class DecodingSession: Sendable {
  private let payload: DecodedPayload
  private let decoding = Lock<Decoding?>(nil)

  init(_ payload: DecodedPayload) {
    self.payload = payload
  }

  /// `size` bytes of the payload from a position on; there are as many.
  func next(from position: Int, size: Int) -> Payload {
    decoding.withLock { kept in
      var decoding = kept ?? payload.begin()
      if decoding.position > position { decoding = payload.begin() }
      while decoding.position < position {
        _ = unsafe take(&decoding, into: nil, atMost: position - decoding.position)
      }
      let result = unsafe PayloadMemory.payload(count: size) { memory in
        var filled = 0
        while filled < size {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
          filled += unsafe take(&decoding, into: rest, atMost: size - filled)
        }
      }
      if decoding.position == payload.count {
        complete(&decoding)
        payload.finish(decoding)
        kept = nil
      } else {
        kept = decoding
      }
      return result
    }
  }

  /// Runs to the end, for a run that is used again was finished. What was taken leaves the output first: while that is
  /// full a state takes none of the input that may follow the last byte's.
  private func complete(_ decoding: inout Decoding) {
    let run = decoding.run
    DecodedPayload.again {
      repeat {
        if decoding.taken < run.output.count { throw TransformError("it is longer than before") }
        run.output.removeAll()
        decoding.taken = 0
      } while try run.step() || decoding.input.feed(run)
    }
  }

  /// Takes at least one byte.
  private func take(_ decoding: inout Decoding, into memory: UnsafeMutableRawBufferPointer?, atMost size: Int) -> Int {
    let run = decoding.run
    while decoding.taken == run.output.count {
      run.output.removeAll()
      decoding.taken = 0
      DecodedPayload.again {
        if try !run.step(), !decoding.input.feed(run) { throw TransformError("it ends earlier than before") }
      }
    }
    let count = min(size, run.output.count - decoding.taken)
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: run.output.bytes[decoding.taken..<decoding.taken + count])
    if let memory = unsafe memory { unsafe memory.copyMemory(from: bytes) }
    decoding.taken += count
    decoding.position += count
    return count
  }
}

/// Memory of a payload's own.
enum PayloadMemory {
  static func payload(copying bytes: UnsafeRawBufferPointer) -> Payload {
    unsafe payload(count: bytes.count) { unsafe $0.copyMemory(from: bytes) }
  }

  /// A payload of `count` bytes, all of which `fill` sets.
  static func payload(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) -> Payload {
    let buffer = ManagedBuffer<Void, UInt8>.create(minimumCapacity: count) { _ in }
    return unsafe buffer.withUnsafeMutablePointerToElements { elements in
      let memory = unsafe UnsafeMutableRawBufferPointer(start: elements, count: count)
      unsafe fill(memory)
      return unsafe Payload(UnsafeRawBufferPointer(memory), owner: buffer)
    }
  }
}
