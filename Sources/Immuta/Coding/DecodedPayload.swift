import ImmutaLocking

/// The bytes of a large payload that is stored transformed: decoded whole when a caller wants them in one piece, and in pieces
/// otherwise.
///
/// Decoding it succeeded when the record was delivered, and succeeds again, unless the file or what the codec relies on has
/// changed since. Then calls that can throw do so, and others trap.
final class DecodedPayload: DeferredPayload {
  let count: Int
  private let stored: Record
  private let path: String
  private let decoder: RecordDecoder
  private let whole = Lock<Payload?>(nil)

  init(_ stored: Record, path: String, count: Int, _ decoder: RecordDecoder) {
    self.stored = stored
    self.path = path
    self.count = count
    self.decoder = decoder
  }

  /// All bytes, in memory from now on.
  ///
  /// - Throws: `.undecodable`.
  func inMemory() throws(ImmutaError) -> Payload {
    try whole.withLock { (whole) throws(ImmutaError) in
      if let whole { return whole }
      let session = DecodingSession(self)
      guard let payload = try session.next(from: 0, size: count) else {
        preconditionFailure("a new session is where it is asked to be")
      }
      whole = payload
      return payload
    }
  }

  func begin() -> any PayloadSession { DecodingSession(self) }

  fileprivate func decoding() throws -> Decoding {
    Decoding(
      run: try decoder.begin(sequence: stored.sequence, size: stored.size), input: DecoderInput(stored.payload))
  }

  fileprivate func finish(_ decoding: Decoding) {
    decoder.finish(decoding.run)
  }

  fileprivate func undecodable(_ error: any Error) -> ImmutaError {
    // The stored bytes could not be had: that is the reason.
    if let error = error as? ImmutaError { return error }
    var damage = decoder.damage(error, path: path, sequence: stored.sequence, index: stored.index)
    damage.reason.description = "it could be decoded when it was delivered, and cannot be now: \(damage.reason)"
    return .undecodable(damage)
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

/// Decodes a payload from its start to its end.
final class DecodingSession: PayloadSession {
  private let payload: DecodedPayload
  private let decoding = Lock<Decoding?>(nil)

  init(_ payload: DecodedPayload) {
    self.payload = payload
  }

  /// Up to `size` bytes of the payload from a position on; nil when the session is at another position. A new session, and one
  /// that failed or came to the end, begins again and can go to any position.
  func next(from position: Int, size: Int) throws(ImmutaError) -> Payload? {
    try decoding.withLock { (kept) throws(ImmutaError) in
      if let kept, kept.position != position { return nil }
      do {
        var decoding = try kept ?? payload.decoding()
        // Let go while it may fail.
        kept = nil
        while decoding.position < position {
          _ = try unsafe take(&decoding, into: nil, atMost: position - decoding.position)
        }
        let result = try unsafe PayloadMemory.payload(count: size) { memory in
          var filled = 0
          while filled < size {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
            filled += try unsafe take(&decoding, into: rest, atMost: size - filled)
          }
        }
        if decoding.position == payload.count {
          try complete(&decoding)
          payload.finish(decoding)
        } else {
          kept = decoding
        }
        return result
      } catch {
        throw payload.undecodable(error)
      }
    }
  }

  /// Runs to the end, for a run that is used again was finished. Bytes that were taken leave the output first: while it is full,
  /// a state takes no input that may follow the last byte's.
  private func complete(_ decoding: inout Decoding) throws {
    let run = decoding.run
    repeat {
      if decoding.taken < run.output.count { throw TransformError("it is longer than before") }
      run.output.removeAll()
      decoding.taken = 0
    } while try run.step() || (try decoding.input.feed(run))
  }

  /// Takes at least one byte.
  private func take(
    _ decoding: inout Decoding, into memory: UnsafeMutableRawBufferPointer?, atMost size: Int
  ) throws -> Int {
    let run = decoding.run
    while decoding.taken == run.output.count {
      run.output.removeAll()
      decoding.taken = 0
      if try !run.step(), try !decoding.input.feed(run) { throw TransformError("it ends earlier than before") }
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
  static func payload<E: Error>(
    count: Int, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
  ) throws(E) -> Payload {
    let buffer = ManagedBuffer<Void, UInt8>.create(minimumCapacity: count) { _ in }
    return try unsafe buffer.withUnsafeMutablePointerToElements { (elements) throws(E) in
      let memory = unsafe UnsafeMutableRawBufferPointer(start: elements, count: count)
      try unsafe fill(memory)
      return unsafe Payload(UnsafeRawBufferPointer(memory), owner: buffer)
    }
  }
}
