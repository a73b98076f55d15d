/// What a consumer's position is held to: the log that is consumed, while it is open.
protocol ConsumedLog: AnyObject, Sendable {
  var namespace: String { get }
  var identity: LogIdentity? { get }
  /// Records that are known to be on stable storage, by what was looked at last. O(1), no call.
  var knownStableCount: Int { get }
  /// The same, by another look where somebody else writes the log.
  var stableCount: Int { get }
  /// Committed records.
  var count: Int { get }
  /// What is known of the record before a position; a place without INDEX where that record was removed, or is damaged.
  func place(_ number: Int) throws(ImmutaError) -> ConsumerMark.Place
}
