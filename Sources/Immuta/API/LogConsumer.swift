/// A reader of a log whose position is kept beside the log: each record is delivered at least once. What
/// ``AppendOnlyLog/consumer(_:startingAt:creating:)`` gives; ``Consumer`` is the one of a log in this process.
///
/// ```swift
/// while let record = try await billing.next() {
///   try await charge(record)
///   try await billing.acknowledge(record)       // and all before it
/// }
/// ```
///
/// It delivers records in their order, from the first that was not acknowledged on. A record that was delivered but not
/// acknowledged when the process ends is delivered again, so your work on a record must tolerate being done twice. One process
/// has a consumer at a time. Several tasks may share one: each record then goes to one of them.
public protocol LogConsumer: Sendable {
  /// What it delivers.
  associatedtype Entry: LogRecord

  /// The consumer's name.
  var name: String { get }

  /// The next record, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, at once; `.consumerClosed` once it or its log was closed, or `.storageClosed`;
  ///   `.recordRemoved` where the record that comes next was removed; what reading the log throws. The place stays.
  func next() async throws -> Entry?

  /// The next record, or nil when none came in time.
  ///
  /// - Throws: as ``next()``.
  func next(timeout: Duration) async throws -> Entry?

  /// Acknowledges a record and all before it; does nothing where that was done already.
  ///
  /// - Throws: `.positionBeyondEnd` where the log has no such record, `.consumerClosed`; what keeping the position throws. The
  ///   position is then the old one or the new one.
  func acknowledge(_ record: Entry) async throws

  /// Acknowledges all records up to and including the one of a number.
  ///
  /// - Throws: as ``acknowledge(_:)``.
  func acknowledge(through sequence: Int) async throws

  /// Moves the consumer, forward or back: it goes on there, also after a crash.
  ///
  /// - Throws: `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`, `.consumerClosed`; what keeping the position
  ///   throws.
  func seek(to position: StreamPosition) async throws

  /// The number of the first record that was not acknowledged. O(1).
  var position: Int { get }

  /// How many records exist that were not acknowledged. Where a cluster keeps the log, at least so many.
  ///
  /// - Throws: what finding the log's end throws.
  var lag: Int { get async throws }

  /// Keeps the position for good, and lets others have the consumer. A caller that waits for its next record gets
  /// `.consumerClosed`. Idempotent. Closing the log closes its consumers, too.
  ///
  /// - Throws: what keeping the position throws; the consumer is closed all the same.
  func shutdown() async throws
}
