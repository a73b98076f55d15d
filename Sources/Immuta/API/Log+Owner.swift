/// Whoever opened a log, and knows it by its name while it is open.
protocol LogOwner: AnyObject, Sendable {
  /// Closes a log, while nobody else opens, closes or removes one of its name, and forgets it.
  func close(_ log: Log) throws(ImmutaError)
}
