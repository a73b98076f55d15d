import Locking

/// Transforms payloads on their way into a log.
///
/// A call comes from whoever has the writer's turn, so at most one record is under way. The lock is for the one who
/// shares a transaction between threads; it is taken before the writer's, never after, and closing the log takes only
/// that one: a transformer that is slow holds up nobody but its own caller.
final class RecordEncoder: Sendable {
  private let namespace: String
  private let transformers: [any Transformer]
  private let limit: Int
  private let state = Lock(State())

  private struct State {
    /// A run to be used again; none after one that failed, which leaves its states in the middle of something.
    var idle: TransformRun?
    /// That of the record which is being written in pieces.
    var open: TransformRun?
    /// Bytes of that record's payload so far.
    var size = 0
  }

  /// How much of a payload is given to the transformers at a time: what becomes of it is held.
  private static let pieceSize = 256 << 10

  init(namespace: String, transformer: any Transformer, limit: Int) {
    self.namespace = namespace
    transformers = transformer.parts
    self.limit = limit
  }

  /// Adds a whole record behind the staged ones.
  func stage(_ bytes: UnsafeRawBufferPointer, into writer: LogWriter) throws(ImmutaError) -> Receipt {
    try state.withLock { (state) throws(ImmutaError) in
      do throws(ImmutaError) {
        try begin(&state, size: bytes.count, writer)
        if bytes.count <= LogWriter.pieceSize {
          return try unsafe stageSmall(bytes, &state, writer)
        }
        try writer.beginStored()
        try unsafe extend(&state, bytes, writer)
        return try end(&state, writer)
      } catch {
        abandon(&state, writer)
        throw error
      }
    }
  }

  /// What a small payload becomes is collected, and appended as any payload is.
  private func stageSmall(
    _ bytes: UnsafeRawBufferPointer, _ state: inout State, _ writer: LogWriter
  ) throws(ImmutaError) -> Receipt {
    let run = try noteSize(bytes.count, &state)
    run.output.mark = .max
    try transforming {
      unsafe run.give(bytes)
      run.giveNoMore()
      while try run.step() {}
    }
    let receipt = try unsafe writer.stageStored(run.output.bytes)
    (state.idle, state.open) = (run, nil)
    return receipt
  }

  func begin(_ writer: LogWriter) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      try begin(&state, size: nil, writer)
      do throws(ImmutaError) {
        try writer.beginStored()
      } catch {
        state.open = nil
        throw error
      }
    }
  }

  func extend(_ bytes: UnsafeRawBufferPointer, _ writer: LogWriter) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in try unsafe extend(&state, bytes, writer) }
  }

  func end(_ writer: LogWriter) throws(ImmutaError) -> Receipt {
    try state.withLock { (state) throws(ImmutaError) in try end(&state, writer) }
  }

  /// Takes back the record begun last.
  func abandon(_ writer: LogWriter) {
    state.withLock { abandon(&$0, writer) }
  }

  // MARK: Under the lock

  private func begin(_ state: inout State, size: Int?, _ writer: LogWriter) throws(ImmutaError) {
    precondition(state.open == nil, "a record is still being written")
    let record = RecordContext(namespace: namespace, sequence: try writer.nextSequence, size: size, limit: .max)
    let idle = state.idle
    (state.idle, state.size) = (nil, 0)
    state.open = try transforming {
      let run = try idle ?? TransformRun(transformers)
      try run.begin(record)
      return run
    }
  }

  private func extend(
    _ state: inout State, _ bytes: UnsafeRawBufferPointer, _ writer: LogWriter
  ) throws(ImmutaError) {
    let run = try noteSize(bytes.count, &state)
    var position = 0
    while position < bytes.count {
      let end = min(position + Self.pieceSize, bytes.count)
      try transforming { unsafe run.give(UnsafeRawBufferPointer(rebasing: bytes[position..<end])) }
      try drain(run, into: writer)
      position = end
    }
  }

  private func end(_ state: inout State, _ writer: LogWriter) throws(ImmutaError) -> Receipt {
    let run = try noteSize(0, &state)
    run.giveNoMore()
    try drain(run, into: writer)
    try write(run.output, to: writer)
    let receipt = try writer.endStored()
    (state.idle, state.open) = (run, nil)
    return receipt
  }

  private func abandon(_ state: inout State, _ writer: LogWriter) {
    state.open = nil
    writer.abandonStored()
  }

  /// What could not be read back is not written.
  private func noteSize(_ more: Int, _ state: inout State) throws(ImmutaError) -> TransformRun {
    guard let run = state.open else { preconditionFailure("no record is being written") }
    state.size += more
    if state.size > limit {
      throw .untransformable("the payload has more than \(limit) bytes; raise largestDecodedPayload to append it")
    }
    return run
  }

  /// Lets the transformers work as long as they can, and appends what they make.
  private func drain(_ run: TransformRun, into writer: LogWriter) throws(ImmutaError) {
    while try transforming({ try run.step() }) {
      if run.output.isFull { try write(run.output, to: writer) }
    }
  }

  private func write(_ output: TransformOutput, to writer: LogWriter) throws(ImmutaError) {
    try unsafe writer.extendStored(output.bytes)
    output.removeAll()
  }

  /// Runs what calls transformers, whose errors are of any kind.
  private func transforming<R>(_ body: () throws -> R) throws(ImmutaError) -> R {
    do {
      return try body()
    } catch {
      throw .untransformable("\(error)")
    }
  }
}
