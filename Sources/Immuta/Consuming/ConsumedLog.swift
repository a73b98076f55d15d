/// What a consumer's position must agree with: the log that is consumed, while it is open.
protocol ConsumedLog: AnyObject, Sendable {
  var namespace: String { get }
  var identity: LogIdentity? { get }
  /// Records that were known to be on stable storage at the last look. O(1), no call.
  var knownStableCount: Int { get }
  /// The same, after another look if another process writes the log.
  var stableCount: Int { get }
  /// Committed records.
  var count: Int { get }
  /// What is known of the record before a position; a place without INDEX where that record was removed, or is damaged.
  func place(_ number: Int) throws(ImmutaError) -> ConsumerMark.Place
}
