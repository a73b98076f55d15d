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
    var cursor = making.start
    var ahead = try CompanionScanner.ifThere(companionDescriptor)
    var nextKnown = (number: -1, time: Int64(0))
    while cursor.number < outcome.count {
      guard let size = try log.size(at: cursor.index) else { throw changed(cursor) }
      let known = cursor.number < making.keptBelow ? try companion?.entry(cursor.number) : nil
      if let known, known.index == cursor.index {
        cursor.lastTime = known.time
        try body(known)
      } else {
        // Times don't go down: an entry that is made is not later than the next that stays.
        if nextKnown.number <= cursor.number {
          nextKnown = try Self.known(after: cursor.number, below: min(outcome.count, making.keptBelow), &ahead)
        }
        cursor.lastTime = min(max(cursor.lastTime, modified), nextKnown.time)
        try body(try made(cursor, size: size))
      }
      cursor.index += format.recordHeaderSize + size
      cursor.number += 1
    }
  }

  private mutating func made(_ cursor: Cursor, size: Int) throws(ImmutaError) -> CompanionEntry {
    guard let checksum = try log.checksum(at: cursor.index, size: size) else { throw changed(cursor) }
    let isSound = try log.bearsItsChecksum(at: cursor.index, size: size)
    return CompanionEntry(
      index: cursor.index, time: cursor.lastTime,
      recordChecksum: isSound ? checksum : CompanionEntry.denial(of: checksum), isMade: !format.hasPayloadChecksum)
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
