/// An append that may or may not have been stored: no answer came. ``ImmutaError/outcomeUnknown(_:reason:)`` carries it. Pass it
/// to ``AppendOnlyLog/outcome(of:)`` of any handle of the log, also later, or in another process.
public struct UnknownAppend: Hashable, Sendable, Codable {
  /// The namespace.
  public let namespace: String
  /// Identifies the append in the log: no other append has this value.
  public let id: String
  /// How many records it has. All of them are stored, or none.
  public let count: Int
  /// The lowest number that its first record can have.
  public let earliest: Int
  /// Whether it was appended on the condition that the log has `earliest` records. Then its first record has that number, or
  /// nothing was stored.
  public let isExpecting: Bool

  /// An append, as it is known to the log that it was sent to.
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
  /// It is not stored yet, but may still be under way. Ask again. Or append once more, expecting the same count: then at most one
  /// of the two is stored.
  case undecided
}
