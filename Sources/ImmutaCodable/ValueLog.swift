public import Immuta

/// Any log, in this process or on a cluster, whose records are values of one type.
///
/// ```swift
/// func ship(_ id: Int, in log: some AppendOnlyLog) async throws {
///   let orders = log.values(of: OrderEvent.self)
///   try await orders.append(.shipped(id: id))
/// }
/// ```
///
/// It is the same log, with the same promises and the same errors: each call does what the call of that name does on ``log``,
/// which stays at hand for all the rest. A value is encoded before anybody is kept waiting for it. For a log that is in this
/// process for certain, ``TypedLog`` has more: transactions, batches, keys.
///
/// The type must be `Encodable` to append and `Decodable` to read; it need not be `Sendable`.
public struct ValueLog<Base: AppendOnlyLog, Value>: Sendable {
  /// The log itself.
  public let log: Base
  let coder: any ValueCoder

  /// The values of a log.
  ///
  /// - Parameters:
  ///   - log: the log.
  ///   - type: the type of its values.
  ///   - coder: what values are encoded and decoded with. Default: JSON.
  public init(_ log: Base, of type: Value.Type = Value.self, coder: some ValueCoder = .json) {
    self.log = log
    self.coder = coder
  }

  var reading: ValueReading { ValueReading(namespace: log.namespace, coder: coder) }
}

extension AppendOnlyLog {
  /// The same log, as values of a type. O(1).
  ///
  /// - Parameters:
  ///   - type: the type of its values.
  ///   - coder: what values are encoded and decoded with. Default: JSON.
  public func values<Value>(of type: Value.Type, coder: some ValueCoder = .json) -> ValueLog<Self, Value> {
    ValueLog(self, of: type, coder: coder)
  }
}

extension ValueLog where Value: Encodable {
  /// Appends one record: a value. When it returns, every reader can see it. Otherwise as `append` of ``log``.
  ///
  /// - Throws: what the coder throws, and then nothing was appended; as `append` of ``log``.
  @discardableResult
  public func append(_ value: Value) async throws -> Base.AppendReceipt {
    try await log.append(try coder.encode(value))
  }

  /// Appends one record, if the log has exactly so many records; otherwise nothing, and throws `.unexpectedCount`.
  @discardableResult
  public func append(_ value: Value, expecting count: Int) async throws -> Base.AppendReceipt {
    try await log.append(try coder.encode(value), expecting: count)
  }

  /// Appends a record for each value, all together or none. They are encoded first, all of them, in memory.
  ///
  /// - Parameters:
  ///   - values: gone through once; at most as many as the log's limits say. If there are none, nothing is appended.
  ///   - count: how many records the log must have; nil for any number.
  /// - Throws: what the coder throws, and then nothing was appended; as `append(contentsOf:expecting:)` of ``log``.
  @discardableResult
  public func append(
    contentsOf values: some Sequence<Value>, expecting count: Int? = nil
  ) async throws -> Base.BatchReceipt {
    try await log.append(contentsOf: try values.map { try coder.encode($0) }, expecting: count)
  }
}

extension ValueLog where Value: Decodable {
  /// The values from a position on: those that exist, then those to come. Never fails; the stream's first `next()` throws what
  /// stands in the way.
  public func stream(from position: StreamPosition = .beginning) -> ValueStream<Base.Entries, Value> {
    ValueStream(log.stream(from: position), reading)
  }

  /// One committed value, by its record's number.
  ///
  /// - Throws: `.undecodableValue`; as `record(at:)` of ``log``.
  public func record(at sequence: Int) async throws -> TypedEntry<Value, Base.Entry> {
    try reading.value(of: try await log.record(at: sequence))
  }

  /// Opens a consumer of the log; makes it if the log has none with that name. Parameters and errors are those of
  /// `consumer(_:startingAt:creating:)` of ``log``.
  public func consumer(
    _ name: String, startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) async throws -> ValueConsumer<Base.EntryConsumer, Value> {
    ValueConsumer(try await log.consumer(name, startingAt: start, creating: creating), reading)
  }
}
