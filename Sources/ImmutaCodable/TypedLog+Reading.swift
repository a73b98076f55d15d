public import Immuta

extension TypedLog where Value: Decodable {
  /// The values from a position on: those that exist, then those to come. Never fails; the stream's first `next()` throws what
  /// stands in the way. O(1), from `.time` O(log n).
  public func stream(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> TypedStream<Value> {
    TypedStream(log.stream(from: position, only: visibility), reading)
  }

  /// A reader of the values from a position on: those that exist, then those to come. Never fails. O(1), from `.time` O(log n).
  public func reader(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> TypedReader<Value> {
    TypedReader(log.reader(from: position, only: visibility), reading)
  }

  /// The values from a position to the last that there is when this is called. Never fails; what stands in the way is thrown
  /// by its first `next()`.
  public func history(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> TypedHistory<Value> {
    TypedHistory(log.history(from: position, only: visibility), reading)
  }

  /// One committed value, by its record's number.
  ///
  /// - Throws: `.undecodableValue`; as `record(at:)` of `Log`.
  public func record(at sequence: Int) async throws -> TypedRecord<Value> {
    try reading.value(of: try await log.record(at: sequence))
  }

  /// One committed value, by its record's number, for code that is not async. Blocks for the reads.
  public func record(at sequence: Int) throws -> TypedRecord<Value> {
    try reading.value(of: try log.record(at: sequence))
  }

  /// The committed values of a range of numbers, in memory.
  ///
  /// - Throws: `.undecodableValue` naming the first record that does not decode; as `records(in:)` of `Log`.
  public func records(in range: Range<Int>) throws -> [TypedRecord<Value>] {
    try log.records(in: range).map { try reading.value(of: $0) }
  }

  /// The value of a record of this log, however that was read.
  ///
  /// - Throws: `.undecodableValue`.
  public func value(of record: Record) throws -> Value { try reading.value(of: record).value }
}

/// The values of a log up to an end, in order, each once: see ``TypedLog/history(from:only:)``.
///
/// For code that is async, and for code that is not, as `RecordHistory` is. A value: copies go their own ways. A record that does
/// not decode throws `ImmutaError.undecodableValue`, and the next call gives the next record.
public struct TypedHistory<Value: Decodable>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a history delivers.
  public typealias Element = TypedRecord<Value>
  /// `CancellationError` and `ImmutaError`.
  public typealias Failure = any Error

  private var history: RecordHistory
  private let reading: ValueReading

  init(_ history: RecordHistory, _ reading: ValueReading) {
    self.history = history
    self.reading = reading
  }

  /// Number of the record that comes next; at least ``end`` when none does. O(1).
  public var position: Int { history.position }

  /// Number of the first record that it does not deliver.
  public var end: Int { history.end }

  /// The history itself, from its position on. O(1).
  public func makeAsyncIterator() -> TypedHistory { self }

  /// The next value; nil after the last. Does not wait for records.
  ///
  /// - Throws: `.undecodableValue`; as `RecordHistory.next()`.
  public mutating func next() throws -> TypedRecord<Value>? { try history.next().map { try reading.value(of: $0) } }

  /// The next value; nil after the last: what a `for try await` loop calls.
  public mutating func next(isolation actor: (any Actor)?) async throws -> TypedRecord<Value>? {
    try await history.next(isolation: actor).map { try reading.value(of: $0) }
  }
}
