extension LogWriter {
  /// Throws unless the log has so many records. With the turn, before anything is staged: nobody else appends until the turn
  /// is over.
  func expect(_ count: Int) throws(ImmutaError) {
    let actual = try nextNumber
    if actual != count { throw .unexpectedCount(expected: count, actual: actual) }
  }
}
