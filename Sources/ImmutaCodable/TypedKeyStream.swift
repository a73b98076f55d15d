import Immuta

/// The values of one key, in order, each once: those that exist, then those to come. See ``TypedKeyedLog/stream(_:from:only:)``.
///
/// It works as `KeyStream` does: it is a value, and `KeyStream` says what waiting costs. A record that does not decode has no
/// key, so it is passed.
public struct TypedKeyStream<Value: Decodable>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = TypedRecord<Value>

  private var stream: KeyStream
  private let reading: ValueReading

  init(_ stream: KeyStream, _ reading: ValueReading) {
    self.stream = stream
    self.reading = reading
  }

  /// Number, in the log, of the first record that may come next. Setting it moves the stream; at least 0.
  public var position: Int {
    get { stream.position }
    set { stream.position = newValue }
  }

  /// The stream itself, from its position on. O(1).
  public func makeAsyncIterator() -> TypedKeyStream { self }

  /// The key's next value, waiting for it if need be; never nil.
  ///
  /// - Throws: as `KeyStream.next()`.
  public mutating func next() async throws -> TypedRecord<Value>? {
    try await stream.next().map { try reading.value(of: $0) }
  }

  /// The key's next value, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> TypedRecord<Value>? {
    try await stream.next(timeout: timeout).map { try reading.value(of: $0) }
  }

  /// The key's next value if its record is committed already; nil otherwise. Does not wait for records; blocks for reads.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws -> TypedRecord<Value>? {
    try stream.nextAtOnce().map { try reading.value(of: $0) }
  }
}

/// The values of one key up to an end, in order, each once: see ``TypedKeyedLog/records(of:from:only:)``. For code that is async, and
/// for code that is not, as `KeyHistory` is.
public struct TypedKeyHistory<Value: Decodable>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a history delivers.
  public typealias Element = TypedRecord<Value>
  /// `CancellationError` and `ImmutaError`.
  public typealias Failure = any Error

  private var history: KeyHistory
  private let reading: ValueReading

  init(_ history: KeyHistory, _ reading: ValueReading) {
    self.history = history
    self.reading = reading
  }

  /// Number, in the log, of the first record that is not looked at.
  public var end: Int { history.end }

  /// The history itself, from its position on. O(1).
  public func makeAsyncIterator() -> TypedKeyHistory { self }

  /// The key's next value; nil after the last. Blocks for reads.
  ///
  /// - Throws: as `KeyHistory.next()`.
  public mutating func next() throws -> TypedRecord<Value>? { try history.next().map { try reading.value(of: $0) } }

  /// The key's next value; nil after the last: what a `for try await` loop calls.
  public mutating func next(isolation actor: (any Actor)?) async throws -> TypedRecord<Value>? {
    try await history.next(isolation: actor).map { try reading.value(of: $0) }
  }
}
