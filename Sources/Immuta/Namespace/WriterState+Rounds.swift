// Group commit: records whose callers wait for a flush are committed together, when the flush begins.

extension WriterState {
  /// Adds a record to the round, whose callers wait until it is stable.
  @inline(never)
  mutating func joinRound(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if segment.stagedCount >= Self.mostInRound { try commitRound() }
    return try unsafe segment.stage(bytes)
  }

  /// Where many callers wait, so that a commit holds the lock for some microseconds and not for long.
  private static var mostInRound: Int { 1024 }

  /// Commits the round, if nobody has the turn: all records that were appended without a turn since the round before. Their
  /// callers wait for a flush, which begins with this. So the entries of all of them and COUNT are written once for each flush
  /// instead of once for each record: group commit, as databases do it.
  ///
  /// A crash in the midst of it leaves none of the records, as with a transaction; none was promised to anybody.
  mutating func commitRound() throws(ImmutaError) {
    if !turns.isTaken { try commitAll() }
  }

  private mutating func commitAll() throws(ImmutaError) {
    guard segment.hasStaged else { return }
    try segment.checkUsable()
    let first = segment.endNumber
    try segment.commit(at: commitTime())
    noteCommit(first: first)
  }

  // MARK: Giving the turn
  //
  // The round is committed before: the caller that gets the turn stages after it. If that fails, nothing more can be appended, and
  // the caller's next call throws why.

  /// Gives the caller the turn if it is free.
  mutating func takeTurn(_ holder: @autoclosure () -> TurnHolder) -> Bool {
    guard turns.isFree else { return false }
    try? commitAll()
    return turns.take(holder())
  }

  /// See ``TurnQueue/give(to:)``.
  mutating func giveTurn(to holder: TurnHolder) {
    try? commitAll()
    turns.give(to: holder)
  }

  /// See ``TurnQueue/next(mayAppend:)``.
  mutating func nextTurn(mayAppend: Bool) -> TurnQueue.Next? {
    let next = turns.next(mayAppend: mayAppend)
    if case .turn = next { try? commitAll() }
    return next
  }
}
