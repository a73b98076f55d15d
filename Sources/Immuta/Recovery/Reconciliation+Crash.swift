// A log that was not closed.
extension Reconciliation {
  mutating func crashed(stable: Int) throws(ImmutaError) -> Outcome {
    try checkHeader(stable: stable)
    var remade: Outcome?
    let first: Cursor
    if let cursor = try cursor(after: stable) {
      first = cursor
    } else {
      // Entries of stable records are damaged: they are made again from the log.
      let outcome = try extended(from: start, through: stable, keepingEntries: true)
      first = Cursor(
        walk: RecordWalk(format, number: stable, index: outcome.end, lastIndex: outcome.lastIndex),
        lastTime: outcome.lastTime)
      remade = outcome
    }
    let (whole, madeOfWhole) = try wholeCommits(
      from: first, made: remade?.madeCount ?? madeCount(through: first.number))
    if remade != nil { try checkLastIndex(stable: first, whole: whole) }
    var claimed: Int
    if let header { claimed = header.count } else { claimed = try countByEntries(from: whole.number) }
    var tail = Outcome.Tail.nothing
    var unclaimed = 0
    if header == nil, claimed == whole.number, let end = try endOfUnclaimedRecords(from: whole) {
      tail = .kept(through: end.index)
      unclaimed = end.number - whole.number
    }
    if whole.number < claimed {
      let foreign = try extendedByAnotherProgram(from: whole)
      if var foreign, isSameBoot {
        foreign.madeCount += madeOfWhole - madeCount(through: whole.number)
        if remade != nil { foreign.makeAgain(from: start, keptBelow: whole.number) }
        return foreign
      }
      if foreign != nil { tail = .keptWhole }
      // After a failed flush the kernel may have let go of pages that never reached the device.
      if isMemoryWhole {
        throw corrupted(
          .checksum, whole.number, whole.index,
          "it is not what was committed, and the machine has not been down since: this is damage, not a torn write")
      }
    }
    // COUNT may be older than the entries, which also show what was committed.
    if header != nil, !isMemoryWhole { claimed = max(claimed, try companion?.lastCommitEnd(from: whole.number) ?? 0) }
    var outcome = outcome(at: whole, .whole)
    outcome.madeCount = madeOfWhole
    if remade != nil { outcome.makeAgain(from: start, keptBelow: whole.number) }
    // A header that is torn may say anything.
    let most = header == nil ? claimed : format.room(in: fileSize)
    outcome.lost = max(whole.number, min(claimed, most)) - whole.number
    assert(outcome.lost == 0 || whole.number >= stable, "no stable record is taken back")
    // They were committed, if not promised.
    if outcome.lost > 0 { tail = .keptWhole }
    outcome.tail = tail
    outcome.add(note: note(outcome, unclaimed: unclaimed))
    if outcome.lost == 0, let header, header != LogHeader(format, count: outcome.count, lastIndex: outcome.lastIndex) {
      let place = header.lastIndex.map { " and LAST INDEX \($0)" } ?? ""
      outcome.add(note: "its header says COUNT \(header.count)\(place), which opening for appending corrects")
    }
    return outcome
  }

  /// The end of the longest run of whole commits, whose records match their entries. Also how many of the entries before it were
  /// made; `made` of them are before the start.
  private mutating func wholeCommits(
    from first: Cursor, made: Int
  ) throws(ImmutaError) -> (whole: Cursor, made: Int) {
    var (whole, madeOfWhole) = (first, made)
    var (cursor, made) = (first, made)
    while let entry = try companion?.entry(cursor.number), entry.index == cursor.index,
      let place = try cursor.walk.place(in: &log),
      try log.checksum(at: cursor.index, size: place.size) == entry.recordChecksum
    {
      cursor.walk.pass(place)
      cursor.lastTime = entry.time
      if entry.isMade { made += 1 }
      // Half a transaction is none.
      if entry.endsCommit { (whole, madeOfWhole) = (cursor, made) }
    }
    return (whole, madeOfWhole)
  }

  /// Another program may have appended after our crash, or this is a copy made while somebody wrote, its companion first: then
  /// there is no entry of what follows, and the size fields lead exactly to COUNT and LAST INDEX. After a restart of the machine
  /// that is no proof, as a torn write may look the same: then the records are cut off, as they were not promised to be stable,
  /// but a copy is kept.
  private mutating func extendedByAnotherProgram(from cursor: Cursor) throws(ImmutaError) -> Outcome? {
    guard let header, let isBlank = try companion?.isBlank(cursor.number), isBlank else { return nil }
    let outcome: Outcome
    do throws(ImmutaError) {
      outcome = try extended(from: cursor, through: header.count, keepingEntries: false)
    } catch {
      if case .corrupted = error { return nil }
      throw error
    }
    if header.denies(lastIndex: outcome.lastIndex) { return nil }
    // In a log that was copied while somebody wrote it, reserved space or uncommitted bytes follow the last record. Without a
    // LAST INDEX, the end of the file must confirm COUNT; and reserved space looks like records of no bytes.
    if format.hasLastIndex { return isSameBoot || outcome.end == fileSize ? outcome : nil }
    let isEmpty = outcome.end == outcome.lastIndex + format.recordHeaderSize
    return outcome.end == fileSize && !isEmpty ? outcome : nil
  }

  /// How many records the entries say were committed to a log without COUNT: an entry whose last field was stored was
  /// published, be it whole or damaged, but where more of its commit was to follow.
  mutating func countByEntries(from number: Int) throws(ImmutaError) -> Int {
    var count = number
    for number in number..<max(number, companion?.count ?? 0) where try companion?.isStored(number) == true {
      if try companion?.entry(number)?.endsCommit ?? true { count = number + 1 }
    }
    return count
  }

  /// Where whole records end that follow the last committed one of a log without COUNT; nil when there are none. They may
  /// have been staged when their process died, another program may have written them, or they are ours and their entries were
  /// lost. That is unknown, so they are cut off, but a copy is kept.
  private mutating func endOfUnclaimedRecords(from cursor: Cursor) throws(ImmutaError) -> RecordWalk? {
    var walk = cursor.walk
    while let place = try walk.place(in: &log), try log.bearsItsChecksum(at: place.index, size: place.size) {
      walk.pass(place)
    }
    if walk.index == cursor.index { return nil }
    // Where space is reserved ahead, the companion has room for the entries of whatever is staged. Elsewhere it grows with the
    // commit, and what follows may be a record that found no room.
    if isSameBoot, disk.log.fileSystem.reserves, walk.index < fileSize, companion?.count ?? 0 < walk.number {
      throw corrupted(
        .companionEntry, cursor.number, cursor.index, "the record is whole, but the companion ends before its entry")
    }
    return walk
  }

  private func note(_ outcome: Outcome, unclaimed: Int) -> String {
    if unclaimed > 0 {
      return "was not closed: cut off \(Quantity.records(unclaimed)) of which no entry says that they were committed; "
        + "\(Self.whole(outcome.count))"
    }
    if outcome.lost == 0 { return "was not closed; \(Self.whole(outcome.count))" }
    let promise =
      mayForgetStable
      ? "that may have been promised to be stable (the companion, which would say so, is damaged)"
      : "that were never promised to be stable"
    return "was not closed: cut off \(Quantity.of(outcome.lost, "torn record")) \(promise), \(outcome.count) are whole"
  }

  private static func whole(_ count: Int) -> String {
    switch count {
    case 0: "it holds no record"
    case 1: "its one record is whole"
    default: "all of \(count) records are whole"
    }
  }
}
