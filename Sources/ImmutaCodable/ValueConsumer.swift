public import Immuta

/// A consumer of any log: each value is delivered at least once. See ``ValueLog/consumer(_:startingAt:creating:)``.
///
/// It works as the log's own consumer does, and delivers values. A record that does not decode throws
/// `ImmutaError.undecodableValue`, and the next call gives the next record; acknowledging that record also acknowledges the one
/// that was passed. The position, the lag, seeking and closing are those of ``consumer``.
public struct ValueConsumer<Base: LogConsumer, Value: Decodable>: Sendable {
  /// The consumer itself.
  public let consumer: Base
  private let reading: ValueReading

  init(_ consumer: Base, _ reading: ValueReading) {
    self.consumer = consumer
    self.reading = reading
  }

  /// The next value, waiting for it if need be; never nil.
  ///
  /// - Throws: `.undecodableValue`; as `next()` of ``consumer``.
  public func next() async throws -> TypedEntry<Value, Base.Entry>? {
    try await consumer.next().map { try reading.value(of: $0) }
  }

  /// The next value, or nil when none came in time.
  ///
  /// - Throws: as ``next()``.
  public func next(timeout: Duration) async throws -> TypedEntry<Value, Base.Entry>? {
    try await consumer.next(timeout: timeout).map { try reading.value(of: $0) }
  }

  /// Acknowledges a value and all before it. ``consumer`` says what this survives and what it throws.
  public func acknowledge(_ value: TypedEntry<Value, Base.Entry>) async throws {
    try await consumer.acknowledge(value.record)
  }
}
