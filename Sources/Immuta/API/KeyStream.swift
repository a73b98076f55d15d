import ImmutaLocking

/// The records of one key, in order, each once: those that exist, then those to come. See ``KeyedLog/stream(_:from:only:)``.
///
/// It is to a key what ``RecordStream`` is to a log, and makes the same promises: it skips no record of the key, and when `next`
/// throws, the position stays. A record that cannot be read may be one of the key's: `next` throws the error, and you go on after
/// that record by setting ``position``.
///
/// A waiting stream looks at each record that comes to the log, in memory, and wakes its task only for records of the key. So
/// many waiting streams of a busy log cost more than one stream whose records you distribute yourself.
public struct KeyStream: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = Record

  private var cursor: KeyCursor
  private let index: KeyIndex

  init(_ index: KeyIndex, _ cursor: KeyCursor) {
    self.index = index
    self.cursor = cursor
  }

  /// Number, in the log, of the first record that may come next. Setting it moves the stream; at least 0.
  public var position: Int {
    get { cursor.position }
    set { cursor.move(to: newValue) }
  }

  /// The stream itself, from its position on. O(1).
  public func makeAsyncIterator() -> KeyStream { self }

  /// The key's next record, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.storageClosed`, `.corrupted`, `.undecodable`, `.recordRemoved`, `.io`; `.logChanged` where
  ///   the log is open for reading only; the first call also `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`.
  public mutating func next() async throws -> Record? { try await next(until: nil) }

  /// The key's next record, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> Record? { try await next(until: .after(timeout)) }

  private mutating func next(until deadline: ContinuousClock.Instant?) async throws -> Record? {
    try Task.checkCancellation()
    if let record = try cursor.nextAtHand() { return record }
    try await index.prepareBeside()
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      guard try await cursor.waitForNext(until: deadline) else { return nil }
    }
  }

  /// The key's next record if it is committed already; nil otherwise. Does not wait for records; blocks for reads.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws(ImmutaError) -> Record? { try cursor.nextAtOnce() }
}

/// A place among the records of one key that moves on with each record taken. It is to ``KeyStream`` what ``RecordReader`` is to
/// ``RecordStream``. See ``KeyedLog/reader(_:from:only:)``.
public final class KeyReader: Sendable {
  private let stream: Lock<KeyStream>

  init(_ stream: KeyStream) {
    self.stream = Lock(stream)
  }

  /// Number, in the log, of the first record that may come next. Setting it moves the reader; at least 0.
  public var position: Int {
    get { stream.withLock { $0.position } }
    set { stream.withLock { $0.position = newValue } }
  }

  /// The key's next record, waiting for it if need be; never nil. If several tasks call it, each record goes to one of them.
  ///
  /// - Throws: as ``KeyStream/next()``. The position stays, whatever is thrown.
  public func next() async throws -> Record? {
    while true {
      if let record = try await take() { return record }
      _ = try await waiting.wait(until: nil)
    }
  }

  /// The key's next record, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as `next()`.
  public func next(timeout: Duration) async throws -> Record? {
    let deadline = ContinuousClock.Instant.after(timeout)
    while true {
      if let record = try await take() { return record }
      guard try await waiting.wait(until: deadline) else { return try nextAtOnce() }
    }
  }

  /// The key's next record if it is committed already; nil otherwise. Does not wait for records; blocks for reads.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public func nextAtOnce() throws(ImmutaError) -> Record? {
    try stream.withLock { (stream) throws(ImmutaError) in try stream.nextAtOnce() }
  }

  private var waiting: KeyStream { stream.withLock { $0 } }

  private func take() async throws -> Record? {
    try Task.checkCancellation()
    try await waiting.prepare()
    return try nextAtOnce()
  }
}

extension KeyStream {
  fileprivate func prepare() async throws { try await index.prepareBeside() }

  fileprivate func wait(until deadline: ContinuousClock.Instant?) async throws -> Bool {
    try await cursor.waitForNext(until: deadline)
  }
}

/// The records of one key up to an end, in order, each once: see ``KeyedLog/records(of:from:only:)``. A value, as
/// ``RecordHistory`` is.
public struct KeyHistory: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a history delivers.
  public typealias Element = Record
  /// `CancellationError` and ``ImmutaError``.
  public typealias Failure = any Error

  private var cursor: KeyCursor
  private let index: KeyIndex
  /// Number, in the log, of the first record that is not looked at: the log's count when the history was made.
  public let end: Int

  init(_ index: KeyIndex, _ cursor: KeyCursor, end: Int) {
    self.index = index
    self.cursor = cursor
    self.end = end
  }

  /// The history itself, from its position on. O(1).
  public func makeAsyncIterator() -> KeyHistory { self }

  /// The key's next record; nil after the last. Blocks for reads.
  ///
  /// - Throws: as ``KeyStream/next()``, but for cancellation.
  public mutating func next() throws(ImmutaError) -> Record? { try cursor.nextAtOnce(before: end) }

  /// The key's next record; nil after the last: what a `for try await` loop calls.
  ///
  /// - Throws: as ``KeyStream/next()``.
  public mutating func next(isolation actor: (any Actor)?) async throws -> Record? {
    try Task.checkCancellation()
    if let record = try cursor.nextAtHand(before: end) { return record }
    try await index.prepareBeside()
    return try cursor.nextAtOnce(before: end)
  }
}

extension KeyedLog {
  /// The records of a key from a position of the log on: those that exist, then those to come. Never fails: if the storage is
  /// closed, the stream's first `next()` throws that.
  ///
  /// The position is a place in the log, not among the key's records: the key's records from there on are delivered. To begin
  /// with the key's nth record, take its sequence from `record(_:of:)`.
  public func stream(
    _ key: Key, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> KeyStream {
    KeyStream(index, KeyCursor(index, key.keyBytes, from: position, only: visibility))
  }

  /// A reader of the records of a key: for taking them one at a time. Otherwise as ``stream(_:from:only:)``.
  public func reader(
    _ key: Key, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> KeyReader {
    KeyReader(stream(key, from: position, only: visibility))
  }

  /// The records of a key from a position of the log to the last one that exists when this is called: what a stream would
  /// deliver, without waiting for more. Never fails.
  public func records(
    of key: Key, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> KeyHistory {
    let cursor = KeyCursor(index, key.keyBytes, from: position, only: visibility)
    // The first read throws what cannot be reported here.
    try? log.open.refresh(visibility)
    return KeyHistory(index, cursor, end: log.open.count(visibility, log.reader))
  }
}
