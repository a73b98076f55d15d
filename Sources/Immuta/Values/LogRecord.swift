/// What every record has, wherever its log is kept: see ``AppendOnlyLog``.
///
/// It does not say where the record is stored: a log in this process keeps records in files, a cluster keeps them in another way.
/// A record is identified by its number.
public protocol LogRecord: Sendable {
  /// The record's number in its log: 0 for the first.
  var sequence: Int { get }
  /// When the record was committed, by the clock of the machine that keeps the log. It never goes down from one record to the
  /// next, unless a clock was wrong.
  var timestamp: Timestamp { get }
  /// The record's bytes, as they were appended. They stay valid for as long as the payload is held.
  var payload: Payload { get }
}

// Inlined, so that they cost a `Record` no more than members of its own.
extension LogRecord {
  /// The payload as UTF-8 text; sequences that are not are replaced by U+FFFD. O(bytes of the payload).
  @inlinable public var text: String { payload.text }

  /// Calls `body` with the payload's bytes, which are valid only until it returns. O(1), no copy.
  @inlinable public func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try payload.withBytes(body)
  }
}
