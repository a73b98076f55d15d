/// The records of a log, in order, each once: those that exist, then those to come. What ``AppendOnlyLog/stream(from:)`` gives.
///
/// ```swift
/// for try await record in log.stream(from: .beginning) {
///   print(record.sequence, record.text)
/// }
///
/// var stream = log.stream(from: .latest)
/// if let record = try await stream.next(timeout: .seconds(2)) { use(record.payload) }
/// ```
///
/// It never skips a record and gives none twice: when `next` throws, for whatever reason, the place stays, and the next call
/// gives the record that would have come. It ends only by an error: `CancellationError` at once when its task is cancelled,
/// ``ImmutaError/storageClosed(in:)`` when the log is closed, and others that say what is wrong with the log.
///
/// Use one stream from one task at a time.
public protocol LogStream: AsyncSequence, AsyncIteratorProtocol, Sendable
where Element: LogRecord, AsyncIterator == Self {
  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that is at hand.
  ///
  /// - Throws: as `next()`.
  mutating func next(timeout: Duration) async throws -> Element?
}
