extension Log {
  /// The place of a record, whether it was written yet or not; nil where no file holds the log's identity: see ``identity``.
  /// O(1).
  public func position(of sequence: Int) -> Position? {
    identity.flatMap { Position(identity: $0, sequence: sequence) }
  }
}
