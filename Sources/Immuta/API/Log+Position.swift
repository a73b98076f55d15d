extension Log {
  /// The place of a record, whether it was written yet or not; nil where nothing on file says whose log this is: see
  /// ``identity``. O(1).
  public func position(of sequence: Int) -> Position? {
    identity.flatMap { Position(identity: $0, sequence: sequence) }
  }
}
