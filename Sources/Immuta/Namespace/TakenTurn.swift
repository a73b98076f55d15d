/// A turn that somebody has, to show to people.
struct TakenTurn: Sendable {
  /// What it is used for.
  let work: Work
  /// Since when.
  let since: ContinuousClock.Instant
  /// How many wait for it.
  let waiting: Int

  /// What a turn is used for.
  enum Work: Hashable, Sendable {
    /// A transaction's closure.
    case transaction
    /// A transaction that is ended by hand.
    case openTransaction
    /// One record: a large one, the first one after the log was opened, or one that a codec transforms.
    case append
    /// One record that was received in chunks, and is copied into the log.
    case upload
  }
}

extension TakenTurn.Work: CustomStringConvertible {
  /// A noun.
  var description: String {
    switch self {
    case .transaction: "a transaction"
    case .openTransaction: "a transaction begun by hand"
    case .append: "an append"
    case .upload: "an append of a received payload"
    }
  }
}
