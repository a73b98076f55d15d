import Immuta

/// Some values of a log, one after the other, that were delivered together: see ``TypedStream/batches()`` and
/// ``TypedConsumer/nextBatch()``. There is at least one.
public struct TypedBatch<Value>: RandomAccessCollection {
  private let values: [TypedRecord<Value>]

  init(_ values: [TypedRecord<Value>]) {
    precondition(!values.isEmpty, "a batch has a value")
    self.values = values
  }

  /// The first value's place: 0, whatever its record's number is.
  public var startIndex: Int { 0 }
  /// The place after the last value: how many there are.
  public var endIndex: Int { values.count }
  /// The value at a place, counted from 0; traps outside. O(1).
  public subscript(place: Int) -> TypedRecord<Value> { values[place] }

  /// The numbers of the records in their log. Not empty.
  public var sequences: Range<Int> { values[0].sequence..<values[values.count - 1].sequence + 1 }
}

extension TypedBatch: Sendable where Value: Sendable {}

extension ValueReading {
  /// The values of a batch. If the batch has a record which cannot be read or does not decode, only the values before it.
  ///
  /// - Parameter goBack: has the next batch begin with another record than the one after this batch.
  /// - Throws: `.undecodableValue` where the first one does not decode, and then it is passed; what reading a large payload
  ///   throws.
  func values<Value: Decodable>(of batch: RecordBatch, _ goBack: (Int) -> Void) throws -> TypedBatch<Value> {
    var values: [TypedRecord<Value>] = []
    values.reserveCapacity(batch.count)
    for record in batch {
      do {
        values.append(try value(of: record))
      } catch {
        if values.isEmpty {
          goBack(record.sequence + (Self.isPassed(error) ? 1 : 0))
          throw error
        }
        // Thrown by the next call.
        goBack(record.sequence)
        break
      }
    }
    return TypedBatch(values)
  }

  private static func isPassed(_ error: any Error) -> Bool {
    if case .undecodableValue? = error as? ImmutaError { true } else { false }
  }
}

/// The values of a log in batches: see ``TypedStream/batches()``.
///
/// A value, as the stream is. A batch ends before a record that does not decode; the next call throws
/// `ImmutaError.undecodableValue`, which names it, and the one after that goes on with the record after it.
public struct TypedBatches<Value: Decodable>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What it delivers.
  public typealias Element = TypedBatch<Value>

  private var batches: RecordBatches
  private let reading: ValueReading

  init(_ batches: RecordBatches, _ reading: ValueReading) {
    self.batches = batches
    self.reading = reading
  }

  /// Number of the record that comes next. Setting it moves on from there; at least 0.
  public var position: Int {
    get { batches.stream.position }
    set { batches.stream.position = newValue }
  }

  /// The batches themselves, from their position on. O(1).
  public func makeAsyncIterator() -> TypedBatches { self }

  /// The next batch, waiting for a record if need be; never nil.
  ///
  /// - Throws: `.undecodableValue`, and then the next call goes on after that record; as `RecordStream.next()`.
  public mutating func next() async throws -> TypedBatch<Value>? {
    guard let batch = try await batches.next() else { return nil }
    return try values(of: batch)
  }

  /// The next batch, on the caller's actor: what a `for try await` loop calls.
  public mutating func next(isolation actor: (any Actor)?) async throws -> TypedBatch<Value>? {
    guard let batch = try await batches.next(isolation: actor) else { return nil }
    return try values(of: batch)
  }

  /// The next batch, or nil when no record came in time. With a timeout of zero or less it does not wait.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> TypedBatch<Value>? {
    guard let batch = try await batches.next(timeout: timeout) else { return nil }
    return try values(of: batch)
  }

  /// The next batch if a record is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws -> TypedBatch<Value>? {
    guard let batch = try batches.nextAtOnce() else { return nil }
    return try values(of: batch)
  }

  private mutating func values(of batch: RecordBatch) throws -> TypedBatch<Value> {
    try reading.values(of: batch) { batches.stream.position = $0 }
  }
}

extension TypedStream {
  /// The same values, from the stream's position on, several at once: those committed by then, up to some 256 KiB of the log; at
  /// least one.
  ///
  /// ```swift
  /// for try await batch in orders.stream().batches() {
  ///   for order in batch { print(order.sequence, order.value) }
  /// }
  /// ```
  public func batches() -> TypedBatches<Value> { TypedBatches(stream.batches(), reading) }
}

extension TypedReader {
  /// The values that come next: those committed by now, up to some 256 KiB of the log. Waits for one if need be; never nil.
  ///
  /// A batch ends before a record that does not decode, which the next call throws. Several tasks that share a reader may then
  /// get values after that record twice.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch() async throws -> TypedBatch<Value>? {
    try await reader.nextBatch().map { try values(of: $0) }
  }

  /// The values that come next, or nil when none came in time. With a timeout of zero or less it does not wait.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch(timeout: Duration) async throws -> TypedBatch<Value>? {
    try await reader.nextBatch(timeout: timeout).map { try values(of: $0) }
  }

  /// The values that come next, if one is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextBatchAtOnce() throws -> TypedBatch<Value>? {
    try reader.nextBatchAtOnce().map { try values(of: $0) }
  }

  private func values(of batch: RecordBatch) throws -> TypedBatch<Value> {
    try reading.values(of: batch) { reader.position = $0 }
  }
}

extension TypedConsumer {
  /// The values that come next, up to some 256 KiB of the log. Waits for one if need be; never nil. Acknowledge them together, by
  /// `acknowledge(_:)`.
  ///
  /// A batch ends before a record that does not decode, which the next call throws. Several tasks that share a consumer may then
  /// get values after that record twice.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch() async throws -> TypedBatch<Value>? {
    try await consumer.nextBatch().map { try values(of: $0) }
  }

  /// The values that come next, or nil when none came in time. With a timeout of zero or less it does not wait.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch(timeout: Duration) async throws -> TypedBatch<Value>? {
    try await consumer.nextBatch(timeout: timeout).map { try values(of: $0) }
  }

  /// The values that come next, if one is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextBatchAtOnce() throws -> TypedBatch<Value>? {
    try consumer.nextBatchAtOnce().map { try values(of: $0) }
  }

  /// Acknowledges all values of a batch and those before it: one small write.
  public func acknowledge(_ batch: TypedBatch<Value>) async throws {
    try await consumer.acknowledge(batch[batch.count - 1].record)
  }

  /// Acknowledges all values of a batch and those before it, for code that is not async. Blocks for the flush in `.synced`.
  public func acknowledge(_ batch: TypedBatch<Value>) throws {
    try consumer.acknowledge(batch[batch.count - 1].record)
  }

  private func values(of batch: RecordBatch) throws -> TypedBatch<Value> {
    try reading.values(of: batch) { consumer.deliverAgain(from: $0) }
  }
}
