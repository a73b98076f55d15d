import ImmutaLocking
import Synchronization

/// Where transformed payloads go: a log's writer, whose turn the caller has.
protocol StoredRecordWriter: AnyObject {
  /// A payload up to this size is appended in one piece.
  var pieceSize: Int { get }
  /// The number of the record that is begun next.
  var nextNumber: Int { get throws(ImmutaError) }
  /// Adds a whole record after the staged ones.
  func stageStored(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt
  func beginStored() throws(ImmutaError)
  func extendStored(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError)
  func endStored() throws(ImmutaError) -> Receipt
  /// Takes back the record begun last.
  func abandonStored()
}

/// Transforms payloads on their way into a log.
///
/// A call comes from the caller that has the writer's turn, so at most one record is under way. The lock is for callers that
/// share a transaction between threads. It is taken before the writer's lock, never after, and closing the log takes only the
/// writer's: a slow transformer holds up only its own caller.
final class RecordEncoder: Sendable {
  private let namespace: String
  private let pool: TransformRunPool
  private let limit: Int
  private let state = Lock(State())
  /// The thread that is inside a transformer, by its identity; 0 for none. Relaxed: a thread that finds itself here
  /// stored that itself, and any other value is not its own.
  private let thread = Atomic<UInt>(0)

  private struct State {
    /// The run of the record which is being written. After a failure it is let go.
    var open: TransformRun?
    /// Bytes of that record's payload so far.
    var size = 0
  }

  /// How much of a payload is given to the transformers at a time, as the output is held in memory.
  private static let pieceSize = 256 << 10

  init(namespace: String, pool: TransformRunPool, limit: Int) {
    self.namespace = namespace
    self.pool = pool
    self.limit = limit
  }

  /// Whether the calling thread was called by a transformer of this encoder.
  var isCallingThisThread: Bool { thread.load(ordering: .relaxed) == Thread.identity }

  /// Adds a whole record after the staged ones.
  func stage(_ bytes: UnsafeRawBufferPointer, into writer: some StoredRecordWriter) throws(ImmutaError) -> Receipt {
    try state.withLock { (state) throws(ImmutaError) in
      do throws(ImmutaError) {
        try begin(&state, size: bytes.count, writer)
        if bytes.count <= writer.pieceSize {
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

  /// The output for a small payload is collected, and appended as any payload is.
  private func stageSmall(
    _ bytes: UnsafeRawBufferPointer, _ state: inout State, _ writer: some StoredRecordWriter
  ) throws(ImmutaError) -> Receipt {
    let run = try noteSize(bytes.count, &state)
    run.output.mark = .max
    try transforming {
      unsafe run.give(bytes)
      run.giveNoMore()
      while try run.step() {}
    }
    let receipt = try unsafe writer.stageStored(run.output.bytes)
    complete(&state, run)
    return receipt
  }

  func begin(_ writer: some StoredRecordWriter) throws(ImmutaError) {
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

  func extend(_ bytes: UnsafeRawBufferPointer, _ writer: some StoredRecordWriter) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in try unsafe extend(&state, bytes, writer) }
  }

  func end(_ writer: some StoredRecordWriter) throws(ImmutaError) -> Receipt {
    try state.withLock { (state) throws(ImmutaError) in try end(&state, writer) }
  }

  /// Takes back the record begun last.
  func abandon(_ writer: some StoredRecordWriter) {
    state.withLock { abandon(&$0, writer) }
  }

  // MARK: Under the lock

  private func begin(_ state: inout State, size: Int?, _ writer: some StoredRecordWriter) throws(ImmutaError) {
    precondition(state.open == nil, "a record is still being written")
    let record = RecordContext(namespace: namespace, sequence: try writer.nextNumber, size: size)
    state.size = 0
    state.open = try transforming {
      let run = try pool.take()
      try run.begin(record, TransformLimits(encoding: limit))
      return run
    }
  }

  private func extend(
    _ state: inout State, _ bytes: UnsafeRawBufferPointer, _ writer: some StoredRecordWriter
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

  private func end(_ state: inout State, _ writer: some StoredRecordWriter) throws(ImmutaError) -> Receipt {
    let run = try noteSize(0, &state)
    run.giveNoMore()
    try drain(run, into: writer)
    try write(run.output, to: writer)
    let receipt = try writer.endStored()
    complete(&state, run)
    return receipt
  }

  private func complete(_ state: inout State, _ run: TransformRun) {
    state.open = nil
    pool.put(run)
  }

  private func abandon(_ state: inout State, _ writer: some StoredRecordWriter) {
    state.open = nil
    writer.abandonStored()
  }

  /// Does not write a record that could not be read back.
  private func noteSize(_ more: Int, _ state: inout State) throws(ImmutaError) -> TransformRun {
    guard let run = state.open else { preconditionFailure("no record is being written") }
    state.size += more
    try checkPayload(size: state.size)
    return run
  }

  /// Throws when a payload has more bytes than may be read back.
  func checkPayload(size: Int) throws(ImmutaError) {
    if size > limit { throw .untransformable("it has more than \(limit) bytes, \(TransformLimits.reason)") }
  }

  /// Lets the transformers work as long as they can, and appends what they make.
  private func drain(_ run: TransformRun, into writer: some StoredRecordWriter) throws(ImmutaError) {
    while try transforming({ try run.step() }) {
      if run.output.isFull { try write(run.output, to: writer) }
    }
  }

  private func write(_ output: TransformOutput, to writer: some StoredRecordWriter) throws(ImmutaError) {
    try unsafe writer.extendStored(output.bytes)
    output.removeAll()
  }

  /// Runs what calls transformers, whose errors are of any kind.
  private func transforming<R>(_ body: () throws -> R) throws(ImmutaError) -> R {
    thread.store(Thread.identity, ordering: .relaxed)
    defer { thread.store(0, ordering: .relaxed) }
    do {
      return try body()
    } catch {
      throw .untransformable("\(error)")
    }
  }
}
