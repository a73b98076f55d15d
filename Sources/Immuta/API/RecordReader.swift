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
/// It delivers what a ``RecordStream`` delivers, with the same promises and the same errors. A stream is a value, of which
/// each loop has a copy; a reader is an object that keeps its place. So it can be a `let` of an actor, or at the top level
/// of a main.swift; and after `break` the next loop goes on where the one before it stopped. For a `for try await` loop
/// over all that comes, use a stream: it is the faster one, by a lock a record.
///
/// A reader may be called from several tasks at once. Each record then goes to one of them, in the order in which they
/// come to it: they share the records, and none gets all. For each to get all, give each a reader of its own, which costs
/// little. While one takes a record, which may read from the device, the others block for that long.
public final class RecordReader: Sendable {
  /// Held while a record is taken, and while nobody waits for one. Should reading find that other files have the log's name,
  /// continuations of those who waited in the old ones are resumed meanwhile; they only get enqueued by that.
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

  /// Where the reader stands, to be kept and gone on from later; nil where nothing on file says whose log it is. O(1).
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

  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that is there.
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
  /// A reader of the records from a position on: those that are there, then those to come. Never fails: a closed storage
  /// is thrown by the reader's first `next()`. O(1), from `.time` O(log n), and the reader costs nothing while it waits.
  public func reader(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordReader {
    RecordReader(cursor(from: position, only: visibility))
  }
}

extension Storage {
  /// A reader of the records of a namespace: those that are there, then those to come. Never fails: an unknown namespace
  /// or a closed storage is thrown by the reader's first `next()`.
  public func reader(
    _ namespace: String, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordReader {
    RecordReader(cursor(in: namespace, from: position, only: visibility))
  }
}
