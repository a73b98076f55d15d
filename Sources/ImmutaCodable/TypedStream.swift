public import Immuta

/// The values of a log, in order, each once: those that exist, then those to come. A ``TypedReader`` keeps its place.
///
/// It is what `RecordStream` is: a value, which costs nothing while it waits. Of all errors, one leaves it elsewhere than where
/// it was: a record that does not decode throws `ImmutaError.undecodableValue`, which names it, and the next call gives the
/// next record.
///
/// ```swift
/// var stream = orders.stream()
/// while true {
///   do {
///     while let order = try await stream.next() { handle(order.value) }
///   } catch ImmutaError.undecodableValue(let sequence, _, let reason, _) {
///     print("record \(sequence) is passed: \(reason)")
///   }
/// }
/// ```
public struct TypedStream<Value: Decodable>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = TypedRecord<Value>

  var stream: RecordStream
  let reading: ValueReading

  init(_ stream: RecordStream, _ reading: ValueReading) {
    self.stream = stream
    self.reading = reading
  }

  /// Number of the record that comes next. Setting it moves the stream; at least 0.
  public var position: Int {
    get { stream.position }
    set { stream.position = newValue }
  }

  /// Where the stream stands, to keep it and go on from there later; nil if no file holds the log's identity. O(1).
  public var nextPosition: Position? { stream.nextPosition }

  /// The stream itself, from its position on. O(1).
  public func makeAsyncIterator() -> TypedStream { self }

  /// The next value, waiting for it if need be; never nil.
  ///
  /// - Throws: `.undecodableValue`, and then the next call gives the record after that; as `RecordStream.next()`.
  public mutating func next() async throws -> TypedRecord<Value>? {
    try await stream.next().map { try reading.value(of: $0) }
  }

  /// The next value, on the caller's actor: what a `for try await` loop calls.
  public mutating func next(isolation actor: (any Actor)?) async throws -> TypedRecord<Value>? {
    try await stream.next(isolation: actor).map { try reading.value(of: $0) }
  }

  /// The next value, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> TypedRecord<Value>? {
    try await stream.next(timeout: timeout).map { try reading.value(of: $0) }
  }

  /// The next value if its record is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws -> TypedRecord<Value>? {
    try stream.nextAtOnce().map { try reading.value(of: $0) }
  }
}

/// A place in a log of values that moves on with each value taken.
///
/// It is what `RecordReader` is: an object that keeps its place, which an actor can hold and tasks can share. A record that does
/// not decode throws `ImmutaError.undecodableValue`, and the next call gives the next record.
public final class TypedReader<Value: Decodable>: Sendable {
  let reader: RecordReader
  let reading: ValueReading

  init(_ reader: RecordReader, _ reading: ValueReading) {
    self.reader = reader
    self.reading = reading
  }

  /// Number of the record that comes next. Setting it moves the reader; at least 0. O(1).
  public var position: Int {
    get { reader.position }
    set { reader.position = newValue }
  }

  /// Where the reader stands, to keep it and go on from there later; nil if no file holds the log's identity. O(1).
  public var nextPosition: Position? { reader.nextPosition }

  /// The next value, waiting for it if need be; never nil.
  ///
  /// - Throws: `.undecodableValue`, and then the next call gives the record after that; as `RecordReader.next()`.
  public func next() async throws -> TypedRecord<Value>? {
    try await reader.next().map { try reading.value(of: $0) }
  }

  /// The next value, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as ``next()``.
  public func next(timeout: Duration) async throws -> TypedRecord<Value>? {
    try await reader.next(timeout: timeout).map { try reading.value(of: $0) }
  }

  /// The next value if its record is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextAtOnce() throws -> TypedRecord<Value>? {
    try reader.nextAtOnce().map { try reading.value(of: $0) }
  }
}
