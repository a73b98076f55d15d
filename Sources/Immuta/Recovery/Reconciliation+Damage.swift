// What can still be used of a log that was found damaged.
extension Reconciliation {
  /// For readers of a log that `run` found damaged: the records that its companion still names, or nil when that is not enough.
  /// Each record is checked as it is read; damaged ones throw.
  mutating func readable(despite damage: Corruption) throws(ImmutaError) -> Outcome? {
    guard let companionHeader else { return nil }
    // Whatever is promised, there is nothing to be had of records that neither file has room for.
    var count = min(companionHeader.stableCount, max(format.room(in: fileSize), companion?.count ?? 0))
    if !companionHeader.isClean, !format.hasCount {
      count = try withoutReservedSpace(countByEntries(from: count), from: count)
    } else if !companionHeader.isClean {
      var number = count
      while let entry = try companion?.entry(number) {
        number += 1
        if entry.endsCommit { count = number }
      }
    }
    // Records whose entries are damaged, or that another program appended, are records all the same.
    if let header, header.count > count, try isBorneOut(header, from: count) { count = header.count }
    guard count > 0 else { return nil }
    let last = try companion?.entry(count - 1)
    var outcome = Outcome(
      count: count, end: fileSize, lastIndex: last?.index ?? 0, lastTime: last?.time ?? 0, entries: .whole)
    outcome.damage = damage
    outcome.madeCount = madeCount(through: count)
    outcome.add(
      note: "is damaged: \(damage.reason); it should have \(Quantity.records(count)), by what the companion says")
    return outcome
  }

  /// The same count without the damaged entries at its end whose records would lie in space that is only reserved.
  private mutating func withoutReservedSpace(_ count: Int, from stable: Int) throws(ImmutaError) -> Int {
    var whole = count
    while whole > stable, try companion?.entry(whole - 1) == nil { whole -= 1 }
    if whole == count { return count }
    var walk = try walkFromKnown(before: whole)
    while walk.number < count - 1, try walk.next(in: &log) != nil {
      if try log.isBlank(from: walk.index) { return max(stable, walk.number) }
    }
    return count
  }

  /// From the last record before `number` whose entry is whole; from the first one where there is none.
  private mutating func walkFromKnown(before number: Int) throws(ImmutaError) -> RecordWalk {
    for number in (0..<number).reversed() {
      if let entry = try companion?.entry(number) { return RecordWalk(format, number: number, index: entry.index) }
    }
    return RecordWalk(format)
  }

  /// How many records there are to go by, where no companion helps and the header contradicts the file: the most that
  /// LAST INDEX or COUNT may rightly claim, also where the size fields don't lead to the last of them, so that what is
  /// gone is known to be; and if neither claims any, as many as the size fields lead to. Space that was reserved reads
  /// as records of no bytes: such ones at the end are nobody's. Without a header, all that the size fields lead to.
  mutating func countByWalking() throws(ImmutaError) -> Int {
    let walked = try walked()
    guard header != nil else { return walked.count }
    return walked.claimed > 0 ? walked.claimed : walked.countWithBytes
  }

  /// What the size fields lead to: so many records, up to the last that has bytes, and where they end; and how many the
  /// header may rightly claim, 0 for none.
  mutating func walked() throws(ImmutaError) -> (count: Int, countWithBytes: Int, end: Int, claimed: Int) {
    var walk = RecordWalk(format)
    let passed = try walk.run(in: &log, lookingFor: header?.lastIndex)
    guard let header else { return (walk.number, passed.countWithBytes, walk.index, 0) }
    var claimed = passed.countThroughPlace ?? 0
    let isReached =
      header.count <= passed.countWithBytes || (header.count == walk.number && walk.index == fileSize)
    if isReached || (header.count > walk.number && mayBeRight(header)) { claimed = max(claimed, header.count) }
    return (walk.number, passed.countWithBytes, walk.index, claimed)
  }

  /// Whether a COUNT that the size fields don't lead to may be right: because the rest was cut off, or a size field is
  /// damaged. Where LAST INDEX says how long the log was, so many records must have had room.
  private func mayBeRight(_ header: LogHeader) -> Bool {
    guard let lastIndex = header.lastIndex else { return header.count <= Self.largestUnprovenCount }
    let end = lastIndex <= LogFormat.largestPayload ? max(fileSize, lastIndex + format.recordHeaderSize) : fileSize
    return header.count <= format.room(in: end)
  }

  /// More records than this no log has.
  private static var largestUnprovenCount: Int { 1 << 40 }

  /// Whether COUNT and LAST INDEX name the same last record: by its entry, or by the size fields from a record on.
  private mutating func isBorneOut(_ header: LogHeader, from number: Int) throws(ImmutaError) -> Bool {
    if header.contradiction(format: format, fileSize: fileSize) != nil { return false }
    if let last = try companion?.entry(header.count - 1), !header.denies(lastIndex: last.index) { return true }
    var walk = RecordWalk(format)
    if number > 0 {
      guard let entry = try companion?.entry(number - 1), entry.index >= format.headerSize else {
        return try RecordWalk.leads(through: header, in: &log, format)
      }
      walk = RecordWalk(format, number: number - 1, index: entry.index)
      guard try walk.next(in: &log) != nil else { return try RecordWalk.leads(through: header, in: &log, format) }
    }
    _ = try walk.run(in: &log, below: header.count - 1)
    guard walk.number == header.count - 1, let last = try walk.place(in: &log) else {
      return try RecordWalk.leads(through: header, in: &log, format)
    }
    // Without LAST INDEX, reserved space, which a log that was closed has none of, looks like records of no bytes.
    if let lastIndex = header.lastIndex {
      return lastIndex == last.index ? true : try RecordWalk.leads(through: header, in: &log, format)
    }
    return last.size > 0 || (!wasNotClosed && last.end == fileSize)
  }
}
