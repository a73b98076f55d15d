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
    var walk = Walk(cursor: making.start, ahead: try CompanionScanner.ifThere(companionDescriptor))
    while let found = try next(&walk, making, of: outcome) {
      if let known = found.known { try body(known) } else { try body(try made(found.cursor, size: found.size)) }
    }
  }

  /// What makes the entries whenever they are asked for, for those who only read. O(records whose entries are made): their
  /// bytes are not looked at.
  mutating func walkedEntries(of outcome: Outcome) throws(ImmutaError) -> WalkedEntries {
    var marks = EntryMarks()
    if let making = outcome.making {
      progress?.beginPass()
      var walk = Walk(cursor: making.start, ahead: try CompanionScanner.ifThere(companionDescriptor))
      var time = Int64.min
      var due = marks.next
      while let found = try next(&walk, making, of: outcome) {
        let cursor = found.cursor
        let isStep = found.known == nil && cursor.lastTime != time
        if isStep || cursor.number >= due.number || cursor.index >= due.index {
          let trace = try log.trace(at: cursor.index, size: found.size)
          marks.append(
            EntryMarks.Mark(number: cursor.number, index: cursor.index, time: cursor.lastTime, trace: trace))
          due = marks.next
        }
        time = cursor.lastTime
      }
    }
    return WalkedEntries(
      descriptor, format, kept: outcome.kept, of: companionDescriptor, marks: marks, count: outcome.count,
      end: outcome.end, madeCount: outcome.madeCount,
      companion: WalkedEntries.Known(file: companionDescriptor, below: outcome.making?.keptBelow ?? 0))
  }

  /// Where a walk along the records whose entries are made has come to.
  private struct Walk: ~Copyable {
    var cursor: Cursor
    var ahead: CompanionScanner?
    /// The next record whose entry stays.
    var nextKnown = (number: -1, time: Int64(0))
  }

  private struct Found {
    /// Of the record: its time is the last one.
    var cursor: Cursor
    var size: Int
    /// The entry that stays.
    var known: CompanionEntry?
  }

  private mutating func next(
    _ walk: inout Walk, _ making: Outcome.Making, of outcome: Outcome
  ) throws(ImmutaError) -> Found? {
    let number = walk.cursor.number
    guard number < outcome.count else { return nil }
    guard let size = try log.size(at: walk.cursor.index) else { throw changed(walk.cursor) }
    var known = number < making.keptBelow ? try companion?.entry(number) : nil
    if let found = known, found.index != walk.cursor.index { known = nil }
    if let known {
      walk.cursor.lastTime = known.time
    } else {
      // Times don't go down: an entry that is made is not later than the next that stays.
      if walk.nextKnown.number <= number {
        walk.nextKnown = try Self.known(after: number, below: min(outcome.count, making.keptBelow), &walk.ahead)
      }
      walk.cursor.lastTime = min(max(walk.cursor.lastTime, modified), walk.nextKnown.time)
    }
    let found = Found(cursor: walk.cursor, size: size, known: known)
    walk.cursor.index += format.recordHeaderSize + size
    walk.cursor.number += 1
    return found
  }

  private mutating func made(_ cursor: Cursor, size: Int) throws(ImmutaError) -> CompanionEntry {
    guard let entry = try log.madeEntry(at: cursor.index, size: size, time: cursor.lastTime) else {
      throw changed(cursor)
    }
    return entry
  }

  /// The first record behind another whose entry stays, or the end of them, and of time. What was passed over is not
  /// looked at again.
  private static func known(
    after number: Int, below count: Int, _ ahead: inout CompanionScanner?
  ) throws(ImmutaError) -> (number: Int, time: Int64) {
    for number in number + 1..<max(number + 1, min(count, ahead?.count ?? 0)) {
      if let entry = try ahead?.entry(number) { return (number, entry.time) }
    }
    return (.max, .max)
  }

  private func changed(_ cursor: Cursor) -> ImmutaError {
    corrupted(cursor.number, cursor.index, "the log changed while it was read: it ends inside it")
  }
}
