/// What opened a log, and knows it by its name while it is open.
protocol LogOwner: AnyObject, Sendable {
  /// Closes a log and forgets it. Nobody else opens, closes or removes a log of that name meanwhile.
  func close(_ log: Log) throws(ImmutaError)
}
