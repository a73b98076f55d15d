/// An append of which nobody knows whether it was stored: the answer did not come. What ``ImmutaError/outcomeUnknown(_:reason:)``
/// carries, and what ``AppendOnlyLog/outcome(of:)`` is asked with; by any handle of the log, also later, in another process.
public struct UnknownAppend: Hashable, Sendable, Codable {
  /// The namespace.
  public let namespace: String
  /// What the append is known by in the log: no other one has it.
  public let id: String
  /// How many records it has. All of them are stored, or none.
  public let count: Int
  /// The number that its first record has at least.
  public let earliest: Int
  /// Whether it was appended on the condition that the log has `earliest` records. Then its first record has that number, or
  /// was not stored.
  public let isExpecting: Bool

  /// An append, as the log that it was sent to knows it.
  public init(namespace: String, id: String, count: Int, earliest: Int, isExpecting: Bool) {
    self.namespace = namespace
    self.id = id
    self.count = count
    self.earliest = earliest
    self.isExpecting = isExpecting
  }
}

/// What became of an append whose outcome was unknown.
@nonexhaustive
public enum AppendOutcome: Hashable, Sendable {
  /// It is stored: its records have these numbers.
  case appended(Range<Int>)
  /// It is not stored, and never will be.
  case notAppended
  /// It is not stored by now, and may still be: it may be under way. Ask again. Or append once more, expecting the same count:
  /// then one of the two is stored at most.
  case undecided
}
