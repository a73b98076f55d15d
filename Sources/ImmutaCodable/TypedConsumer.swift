public import Immuta

/// A consumer of a log of values: each value is delivered at least once, whatever happens to the process or the machine.
///
/// It works as `Consumer` does, and delivers values. A record that does not decode throws `ImmutaError.undecodableValue`, and the
/// next call gives the next record; acknowledging that record also acknowledges the one that was passed. The position, the lag,
/// seeking and closing are those of ``consumer``.
///
/// ```swift
/// let billing = try orders.consumer("billing")
/// while let order = try await billing.next() {
///   try await charge(order.value)
///   try await billing.acknowledge(order)
/// }
/// ```
public struct TypedConsumer<Value: Decodable>: Sendable {
  /// The consumer itself.
  public let consumer: Consumer
  let reading: ValueReading

  init(_ consumer: Consumer, _ reading: ValueReading) {
    self.consumer = consumer
    self.reading = reading
  }

  /// The next value, waiting for it if need be; never nil.
  ///
  /// - Throws: `.undecodableValue`; as `Consumer.next()`.
  public func next() async throws -> TypedRecord<Value>? {
    try await consumer.next().map { try reading.value(of: $0) }
  }

  /// The next value, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as ``next()``.
  public func next(timeout: Duration) async throws -> TypedRecord<Value>? {
    try await consumer.next(timeout: timeout).map { try reading.value(of: $0) }
  }

  /// The next value if its record is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextAtOnce() throws -> TypedRecord<Value>? {
    try consumer.nextAtOnce().map { try reading.value(of: $0) }
  }

  /// Acknowledges a value and all before it. `Consumer` says what this survives and what it throws.
  public func acknowledge(_ record: TypedRecord<Value>) async throws {
    try await consumer.acknowledge(record.record)
  }

  /// Acknowledges a value and all before it, for code that is not async. Blocks for the flush in `.synced`.
  public func acknowledge(_ record: TypedRecord<Value>) throws { try consumer.acknowledge(record.record) }
}

extension TypedLog where Value: Decodable {
  /// Opens a consumer of the log; makes it if the log has none with that name. See `consumer(_:startingAt:creating:)` of `Log` for
  /// the parameters and the errors.
  public func consumer(
    _ name: String, startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) throws(ImmutaError) -> TypedConsumer<Value> {
    TypedConsumer(try log.consumer(name, startingAt: start, creating: creating), reading)
  }
}
