public import Immuta

/// The values of any log, in order, each once: those that exist, then those to come. See ``ValueLog/stream(from:)``.
///
/// It is what the log's own stream is, with the same errors. One of them leaves it elsewhere than where it was: a record that
/// does not decode throws `ImmutaError.undecodableValue`, which names it, and the next call gives the next record.
public struct ValueStream<Base: LogStream, Value: Decodable>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = TypedEntry<Value, Base.Element>
  /// `CancellationError` and `ImmutaError`.
  public typealias Failure = any Error

  private var stream: Base
  private let reading: ValueReading

  init(_ stream: Base, _ reading: ValueReading) {
    self.stream = stream
    self.reading = reading
  }

  /// The stream itself, from where it stands. O(1).
  public func makeAsyncIterator() -> ValueStream { self }

  /// The next value, waiting for it if need be; never nil.
  ///
  /// - Throws: `.undecodableValue`, and then the next call gives the record after that; as `next()` of the log's stream.
  public mutating func next() async throws -> TypedEntry<Value, Base.Element>? {
    try await stream.next().map { try reading.value(of: $0) }
  }

  /// The next value, on the caller's actor: what a `for try await` loop calls.
  public mutating func next(isolation actor: (any Actor)?) async throws -> TypedEntry<Value, Base.Element>? {
    try await stream.next(isolation: actor).map { try reading.value(of: $0) }
  }

  /// The next value, or nil when none came in time.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> TypedEntry<Value, Base.Element>? {
    try await stream.next(timeout: timeout).map { try reading.value(of: $0) }
  }
}
