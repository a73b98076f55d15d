// The entries of a log's records, one after the other: however many there are, they take no memory.
extension Reconciliation {
  /// Calls `body` with the entry of each record from `first` on: those of the companion that stay, nil for one that is
  /// damaged and stays so, and then those that are made from the log's bytes. O(bytes of the records whose entries are
  /// made).
  mutating func entries(
    of outcome: Outcome, from first: Int = 0, _ body: (CompanionEntry?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    for number in first..<max(first, outcome.kept) { try body(try companion?.entry(number)) }
    guard let making = outcome.making else { return }
    precondition(first <= outcome.kept, "entries are made in order")
    progress?.beginPass()
    var walk = try Walk(making, ahead: CompanionScanner.ofFile(disk.companion))
    while let found = try next(&walk, making, of: outcome) {
      if let known = found.known { try body(known) } else { try body(try made(found)) }
    }
  }

  /// Makes the entries whenever they are needed, for readers. O(records whose entries are made): their bytes are not looked at.
  mutating func walkedEntries(of outcome: Outcome) throws(ImmutaError) -> WalkedEntries {
    var marks = EntryMarks()
    if let making = outcome.making {
      progress?.beginPass()
      var walk = try Walk(making, ahead: CompanionScanner.ofFile(disk.companion))
      var time = Int64.min
      while let found = try next(&walk, making, of: outcome) {
        let isStep = found.known == nil && found.time != time
        if isStep || marks.isDue(found.place) {
          let trace = try log.trace(at: found.place.index, size: found.place.size)
          marks.append(EntryMarks.Mark(found.place, time: found.time, trace: trace))
        }
        time = found.time
      }
    }
    return WalkedEntries(
      disk.log, format, kept: outcome.kept, of: disk.companion, marks: marks, count: outcome.count,
      end: outcome.end, madeCount: outcome.madeCount,
      companion: WalkedEntries.Known(file: disk.companion, numbers: 0..<(outcome.making?.keptBelow ?? 0)))
  }

  /// Where a walk along the records whose entries are made has come to.
  private struct Walk: ~Copyable {
    var cursor: Cursor
    var ahead: CompanionScanner?
    /// The next record whose entry stays.
    var nextKnown = (number: -1, time: Int64(0))

    init(_ making: Outcome.Making, ahead: consuming CompanionScanner?) {
      cursor = making.start
      self.ahead = ahead
    }
  }

  private struct Found {
    var place: RecordPlace
    /// When it was committed, or the best guess.
    var time: Int64
    /// The entry that stays.
    var known: CompanionEntry?
  }

  private mutating func next(
    _ walk: inout Walk, _ making: Outcome.Making, of outcome: Outcome
  ) throws(ImmutaError) -> Found? {
    let number = walk.cursor.number
    guard number < outcome.count else { return nil }
    guard let place = try walk.cursor.walk.next(in: &log) else { throw changed(number, walk.cursor.index) }
    var known = number < making.keptBelow ? try companion?.entry(number) : nil
    if let found = known, found.index != place.index { known = nil }
    if let known {
      walk.cursor.lastTime = known.time
    } else {
      // Times don't go down: an entry that is made is not later than the next that stays.
      if walk.nextKnown.number <= number {
        walk.nextKnown = try Self.known(after: number, below: min(outcome.count, making.keptBelow), &walk.ahead)
      }
      walk.cursor.lastTime = min(max(walk.cursor.lastTime, modified), walk.nextKnown.time)
    }
    return Found(place: place, time: walk.cursor.lastTime, known: known)
  }

  private mutating func made(_ found: Found) throws(ImmutaError) -> CompanionEntry {
    let place = found.place
    guard let entry = try log.madeEntry(at: place.index, size: place.size, time: found.time) else {
      throw changed(place.number, place.index)
    }
    return entry
  }

  /// The first record after another whose entry stays, or the end of them, and of time. Entries that were passed over are not
  /// looked at again.
  private static func known(
    after number: Int, below count: Int, _ ahead: inout CompanionScanner?
  ) throws(ImmutaError) -> (number: Int, time: Int64) {
    for number in number + 1..<max(number + 1, min(count, ahead?.count ?? 0)) {
      if let entry = try ahead?.entry(number) { return (number, entry.time) }
    }
    return (.max, .max)
  }

  private func changed(_ number: Int, _ index: Int) -> ImmutaError {
    corrupted(.changedMeanwhile, number, index, "the log changed while it was read: it ends inside it")
  }
}
