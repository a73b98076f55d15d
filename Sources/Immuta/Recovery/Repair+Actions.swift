// What repair does about a log that was examined.
extension Repair {
  /// The header as it should be.
  private var wanted: LogHeader { LogHeader(format, count: examined.kept, lastIndex: examined.lastIndex) }

  /// What has to be done; empty if nothing.
  ///
  /// Nothing can be appended after records that are not whole, where no whole one follows: they are cut off. Damaged ones
  /// before the last whole one stay where they are, and throw when they are read.
  ///
  /// - Parameter outcome: what opening for appending would find; nil if it would refuse the log.
  func actions(_ outcome: Reconciliation.Outcome?) -> [RepairReport.Action] {
    let (kept, end, fileSize) = (examined.kept, examined.end, disk.status.size)
    if companionOnFile == nil, outcome != nil, report.lost.isEmpty, fileSize == end { return [] }
    var actions: [RepairReport.Action] = []
    if appended == 0, let outcome, !outcome.isClosed, let note = outcome.note { actions.append(.recover(note)) }
    if let header = disk.header, header != wanted {
      actions.append(
        .setHeader(
          count: wanted.count, lastIndex: wanted.lastIndex, countBefore: header.count, lastIndexBefore: header.lastIndex
        ))
    }
    // Nobody knows which of the two segments is right.
    if appended > 0, !cutsAppended { return [] }
    if appended > 0 {
      actions.append(.cutOffAppended(bytes: fileSize - end, from: end, count: appended))
    } else if fileSize > end {
      actions.append(.cutOff(bytes: fileSize - end, from: end, records: kept..<max(kept, report.promised)))
    } else if kept < report.promised {
      actions.append(.takeBack(records: kept..<report.promised))
    }
    if examined.isCommitCut, kept < report.promised { actions.append(.keepPartOfTransaction(last: kept - 1)) }
    let known = disk.slots?.current
    if known == nil {
      actions.append(.makeCompanion)
    } else if examined.damagedEntries > 0 {
      actions.append(.makeEntries(examined.damagedEntries))
    } else if known?.isClean != true || known?.stableCount != kept {
      actions.append(.markClosed(count: kept))
    }
    return actions
  }

  /// Does what was decided. Bytes that are cut off or replaced are first copied beside the log.
  ///
  /// - Throws: also `.corrupted`, when the log may be a sound one of another format: nothing is cut off then.
  mutating func apply() throws(ImmutaError) {
    defer { lock?.unlock() }
    if let undecided { throw .corrupted(undecided) }
    guard !report.actions.isEmpty else { return }
    let (disk, count, kept, progress) = (disk, report.promised, examined.kept, progress)
    let plan = RecoveryPlan(
      repairing: wanted, end: examined.end, header: disk.header, fileSize: disk.status.size,
      hasCompanion: companionOnFile != nil, format)
    var newHeader = CompanionHeader(
      replacing: disk.slots?.current, format, codecName: knowledge.codecName,
      identity: knowledge.identity ?? .random())
    newHeader.removedCount = min(max(newHeader.removedCount, knowledge.removedCount), files.first)
    // Its name is made stable with the companion's.
    try knowledge.keep(newHeader, files, of: disk.log)
    var work = RecoveryWork(files, disk, count: kept, newHeader: newHeader)
    try work.run(plan, companionOnFile: companionOnFile) { (first, body) throws(ImmutaError) in
      precondition(first == 0, "repair makes the whole companion again")
      progress?.beginPass()
      var examination = try Examination(disk, count: count, progress: progress)
      try examination.run { (finding) throws(ImmutaError) in
        guard finding.sequence < kept else { return }
        // An entry that is lost with its record stays damaged: reading that record throws, as it should.
        var entry = finding.entry
        // If a commit was cut in two, the rest of it becomes a whole commit.
        if finding.sequence == kept - 1 { entry?.endsCommit = true }
        try body(entry)
      }
    }
    report.saved += work.saved
    report.isApplied = true
  }
}
