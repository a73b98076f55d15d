/// The records of a log, in order, each once: those that exist, then those to come.
///
/// ```swift
/// for try await record in log.stream(from: .beginning) {
///   print(record.sequence, record.text)
/// }
/// ```
///
/// To take records one at a time, and to keep the place between two loops or in an actor, use a ``RecordReader``.
///
/// A stream is a value: a position and what was read ahead. Copies go their own ways, and so does each `for` loop over
/// it. It holds no descriptor and no thread while it waits, and it reads without slowing the writer or other streams. It
/// never skips a record: when `next` throws, for whatever reason, the position stays, and the next call delivers the
/// record that would have come.
///
/// It ends only by an error: `CancellationError` when its task is cancelled, `.storageClosed` when the storage is closed,
/// `.corrupted` at a damaged record, and, where the log is open for reading only, `.logChanged` when its files no longer hold
/// what was read from them. To go on after a damaged record, or at the last record that is still the same, set ``position``.
public struct RecordStream: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = Record

  @usableFromInline var cursor: RecordCursor

  init(_ cursor: RecordCursor) {
    self.cursor = cursor
  }

  /// Number of the record that comes next. Setting it moves the stream; at least 0.
  public var position: Int {
    get { cursor.place }
    set { cursor.move(to: newValue) }
  }

  /// Moves the stream to the record of a number that comes from outside. O(1).
  ///
  /// - Throws: `.recordNotFound` for a negative number; the position stays then.
  public mutating func move(to sequence: Int) throws(ImmutaError) {
    guard sequence >= 0 else { throw .recordNotFound(sequence) }
    position = sequence
  }

  /// Where the stream stands, to keep it and go on from there later; nil where no file holds the log's identity. O(1).
  public var nextPosition: Position? { cursor.position }

  /// The stream itself, from its position on. O(1).
  public func makeAsyncIterator() -> RecordStream { self }

  /// The next record, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.namespaceNotFound`, `.storageClosed`, `.corrupted`, `.io`; `.logChanged` where the log
  ///   is open for reading only; the first call also `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`.
  @inlinable
  public mutating func next() async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await cursor.waitForNext()
    }
  }

  /// The next record, on the caller's actor: what a `for try await` loop calls.
  ///
  /// The actor is not looked at: the function runs where its caller does, as `nonisolated(nonsending)` ones do. An `isolated`
  /// parameter would cost each record 20 ns, to ask whether the function runs on the actor already.
  @inlinable
  public mutating func next(isolation actor: (any Actor)?) async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await cursor.waitForNext()
    }
  }

  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> Record? {
    try Task.checkCancellation()
    if let record = try nextAtOnce() { return record }
    let deadline = ContinuousClock.Instant.after(timeout)
    while try await cursor.waitForNext(until: deadline) {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
    }
    return nil
  }

  /// The next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws(ImmutaError) -> Record? { try cursor.nextAtOnce() }

  /// Waits until a record exists at the position, or the deadline, if there is one, has passed.
  package func waitForRecord(until deadline: ContinuousClock.Instant?) async throws {
    if let deadline { _ = try await cursor.waitForNext(until: deadline) } else { try await cursor.waitForNext() }
  }
}

extension Log {
  /// The records from a position on: those that exist, then those to come. Never fails: if the storage is closed, the stream's
  /// first `next()` throws that. O(1), from `.time` O(log n), and the stream costs nothing while it waits.
  public func stream(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordStream {
    RecordStream(cursor(from: position, only: visibility))
  }
}

extension Storage {
  /// The records of a namespace: those that exist, then those to come. Never fails: the stream's first `next()` throws the error
  /// of an unknown namespace or a closed storage.
  public func stream(
    _ namespace: String, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordStream {
    RecordStream(cursor(in: namespace, from: position, only: visibility))
  }

  /// A place in the records of a namespace. Its first `nextAtOnce` throws the error of an unknown namespace or a closed storage.
  func cursor(in namespace: String, from position: StreamPosition, only visibility: StreamVisibility) -> RecordCursor {
    do throws(ImmutaError) {
      return try log(namespace).cursor(from: position, only: visibility)
    } catch {
      return RecordCursor(failing: error)
    }
  }
}
