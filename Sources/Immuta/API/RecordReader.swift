import ImmutaLocking

/// A place in a log that moves on with each record taken: for taking records one at a time.
///
/// ```swift
/// let reader = log.reader(from: .beginning)
/// while let record = try await reader.next(timeout: .seconds(1)) {
///   print(record.sequence, record.text)
/// }
/// ```
///
/// It delivers what a ``RecordStream`` delivers, with the same promises and the same errors. A stream is a value, and each loop
/// has its own copy; a reader is an object that keeps its place. So a reader can be a `let` of an actor, or at the top level of a
/// main.swift; and after `break` the next loop goes on where the loop before it stopped. For a `for try await` loop over all
/// records, use a stream: it is faster by one lock a record.
///
/// A reader may be called from several tasks at once. Each record then goes to one of them, in the order in which they come to
/// it: they share the records, and none gets all. For each task to get all records, give each a reader of its own, which costs
/// little. While one task takes a record, which may read from the device, the others block.
public final class RecordReader: Sendable {
  /// Held while a record is taken, but not while a caller waits for one. If reading finds that other files have the log's name,
  /// it resumes the continuations of callers that waited in the old files while the lock is held; this only enqueues them.
  private let cursor: Lock<RecordCursor>

  init(_ cursor: RecordCursor) {
    self.cursor = Lock(cursor)
  }

  /// The place, for somebody who waits there.
  var waiting: RecordCursor { cursor.withLock { $0.waiting } }

  func withCursor<R>(_ body: (inout RecordCursor) throws(ImmutaError) -> R) throws(ImmutaError) -> R {
    try cursor.withLock { (cursor) throws(ImmutaError) in try body(&cursor) }
  }

  /// Number of the record that comes next. Setting it moves the reader; at least 0. O(1).
  public var position: Int {
    get { cursor.withLock { $0.place } }
    set { cursor.withLock { $0.move(to: newValue) } }
  }

  /// Moves the reader to the record of a number that comes from outside. O(1).
  ///
  /// - Throws: `.recordNotFound` for a negative number; the position stays then.
  public func move(to sequence: Int) throws(ImmutaError) {
    guard sequence >= 0 else { throw .recordNotFound(sequence) }
    position = sequence
  }

  /// Where the reader stands, to keep it and go on from there later; nil where no file holds the log's identity. O(1).
  public var nextPosition: Position? { cursor.withLock { $0.position } }

  /// The next record, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.namespaceNotFound`, `.storageClosed`, `.corrupted`, `.io`; `.logChanged` where the log
  ///   is open for reading only; the first call also `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`. The
  ///   position stays, whatever is thrown.
  public func next() async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await waiting.waitForNext()
    }
  }

  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as `next()`.
  public func next(timeout: Duration) async throws -> Record? {
    let deadline = ContinuousClock.Instant.after(timeout)
    var isInTime = true
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      if !isInTime { return nil }
      isInTime = try await waiting.waitForNext(until: deadline)
    }
  }

  /// The next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public func nextAtOnce() throws(ImmutaError) -> Record? {
    try cursor.withLock { (cursor) throws(ImmutaError) in try cursor.nextAtOnce() }
  }
}

extension Log {
  /// A reader of the records from a position on: those that exist, then those to come. Never fails: if the storage is closed, the
  /// reader's first `next()` throws that. O(1), from `.time` O(log n), and the reader costs nothing while it waits.
  public func reader(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordReader {
    RecordReader(cursor(from: position, only: visibility))
  }
}

extension Storage {
  /// A reader of the records of a namespace: those that exist, then those to come. Never fails: the reader's first `next()`
  /// throws the error of an unknown namespace or a closed storage.
  public func reader(
    _ namespace: String, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordReader {
    RecordReader(cursor(in: namespace, from: position, only: visibility))
  }
}
