/// Brings a damaged log into a state that can be opened for appending, and takes nothing away without keeping a copy.
///
/// What is on disk is read and examined (here), what is to be done is decided on (Repair+Actions.swift), and then done.
struct Repair {
  /// The purpose of a repair.
  enum Purpose {
    /// Nothing: it needs no right to write.
    case looking
    /// Nothing to the log, whose records go into another beside it.
    case copying
    case applying
  }

  let files: LogFiles
  /// Held until it is released, unless the caller holds it for all segments.
  let lock: FileLock?
  let place: SegmentPlace
  /// The log's files, as they are examined: without the companion where that is another log's.
  private(set) var disk: LogOnDisk
  /// The companion that is on file, whether it is this log's or not.
  let companionOnFile: Descriptor?
  var format: LogFormat { disk.format }
  private(set) var knowledge: LogKnowledge
  let progress: ScanProgress?
  var report: RepairReport
  /// The records that stay.
  private(set) var examined: Examined
  /// The error of opening for a log that may be sound in another format.
  private(set) var undecided: Corruption?
  /// Records that follow where the next segment begins: another program appended them.
  private(set) var appended = 0

  /// The result of examining the records.
  struct Examined {
    /// Records up to the last whole one, and where that one lies.
    var kept = 0
    var lastIndex = 0
    var end: Int
    var damagedEntries = 0
    /// The first record whose entry is missing or damaged; nil where there is none.
    var firstDamagedEntry: Int?
    /// Whether the last record kept belongs to a commit whose rest is lost.
    var isCommitCut = false
  }

  /// Examines the log, whose lock is held until the repair is let go: also for looking, where its file exists and can
  /// be opened. O(bytes of the log).
  ///
  /// - Parameters:
  ///   - place: of the segment in its log.
  ///   - progress: of a log of so many bytes; gets to know how far the work came.
  init(
    _ files: LogFiles, stated: LogFormat?, for purpose: Purpose, trust: FileTrust, in place: SegmentPlace = .alone,
    progress: (_ size: Int) -> ScanProgress? = { _ in nil }
  ) throws(ImmutaError) {
    (self.files, self.place) = (files, place)
    let directory = files.directory
    guard let status = try io(directory.statusOfFile(files.log)) else {
      if let lost = try files.lostLog() { throw .corrupted(lost) }
      throw .namespaceNotFound(files.namespace)
    }
    // No lock is made beside a file that is refused.
    if purpose != .looking, !place.isRolled, try io(directory.status(of: files.lock) == nil) {
      _ = try Repair(files, stated: stated, for: .looking, trust: trust)
    }
    lock = place.isRolled ? nil : try Self.lock(files, for: purpose, trust, of: status)
    if purpose == .applying { try io(trust.check(status, files.log)) }
    let mode: SystemCalls.OpenMode = purpose == .applying ? .readWrite : .read
    let log = try io(directory.open(files.log, mode))
    if purpose == .applying { try io(log.checkUnclaimed(for: files.namespace)) }
    // A repair that only looks does without a companion that belongs to an untrusted user.
    companionOnFile =
      purpose == .looking
      ? try io(trust.companion(of: files)) : try io(directory.openIfPresent(files.companion, mode))
    if purpose != .looking, let found = try io(companionOnFile?.status()) {
      try io(trust.check(found, files.companion, of: status))
    }
    let progress = progress(try io(log.size))
    self.progress = progress
    let onFile = try LogOnDisk(log: log, companion: companionOnFile, stated: stated, progress: progress)
    if let header = onFile.companionHeader { try files.checkPlace(header) }
    let isForeign = try CompanionOrigin.isForeign(onFile)
    if isForeign { try files.checkOwner(onFile, in: place, trust) }
    let disk = isForeign ? try onFile.withoutCompanion() : onFile
    self.disk = disk
    knowledge = try LogKnowledge(files, nil, disk.format, trust)
    if disk.isTooShort { throw files.seenInPlace(.corrupted(try disk.tooShort())) }
    examined = Examined(end: disk.format.headerSize)
    report = RepairReport(
      namespace: files.namespace, promised: 0, sound: 0, verifiable: 0, lost: [],
      actions: isForeign ? [.setCompanionAside] : [], isApplied: false, saved: [])
    var (outcome, refusal) = try tryOpening(stated: stated)
    holdToPlace(purpose)
    // A salvage copies every whole record, wherever it lies.
    try examine(as: refusal == nil || purpose == .copying ? nil : OlderState(disk))
    if report.sound == 0, report.promised > 0, try disk.companion?.namesRecords(disk.slots?.current) == true {
      try files.checkOwner(disk, in: place, trust)
    }
    if let alone = try outcomeWithoutForeignCompanion() {
      self.disk = try disk.withoutCompanion()
      report = RepairReport(
        namespace: files.namespace, promised: alone.count, sound: 0, verifiable: 0, lost: [],
        actions: report.actions + [.setCompanionAside], isApplied: false, saved: [])
      try examine()
      outcome = alone
    }
    if let refusal { noteBytesAfterLast(refusal) }
    if let outcome, outcome.count <= place.end ?? .max {
      // Opening would recover by itself: the records that it keeps are kept, including damaged ones in between.
      (examined.kept, examined.lastIndex, examined.end) = (outcome.count, outcome.lastIndex, outcome.end)
    }
    // Of a companion that belongs to this log.
    knowledge = try LogKnowledge(files, self.disk.slots?.current, self.disk.format, trust)
    report.actions += actions(outcome)
    if appended == 0, let outcome, self.disk.companion != nil || companionOnFile == nil {
      // Opening makes the entries that are missing at the end.
      report.opensAsItIs = outcome.makesAll || examined.firstDamagedEntry.map { $0 >= outcome.kept } ?? true
    }
    report.possibleFormat = undecided?.possibleFormat
  }

  /// Takes the lock of a log, or of all its segments; nil where there is none, and nothing is to be changed.
  ///
  /// - Parameter log: the lock's file gets the rights of this one.
  static func lock(
    _ files: LogFiles, for purpose: Purpose, _ trust: FileTrust, of log: SystemCalls.Status
  ) throws(ImmutaError) -> FileLock? {
    let home = files.home.directory
    if purpose == .looking {
      return try io(FileLock.look(files.lock, in: home, subject: files.namespace, trust, of: log))
    }
    if purpose == .applying { try io(trust.check(log, files.log)) }
    return try io(
      FileLock.take(files.lock, in: home, subject: files.namespace, rights: log.rights, trust: trust, of: log))
  }

  /// The numbers of a segment end where the next one begins: bytes that another program appended after it was sealed are no
  /// records of the log.
  private mutating func holdToPlace(_ purpose: Purpose) {
    guard let end = place.end, report.promised > end else { return }
    appended = report.promised - end
    report.promised = end
    if !cutsAppended || purpose == .copying { report.problems.append(place.tooMany(files, appended)) }
  }

  /// Whether records that were appended to a sealed segment may be cut off: yes, unless the next segment may not belong to the
  /// log.
  var cutsAppended: Bool {
    guard appended > 0, place.isEndProven else { return false }
    guard let header = disk.companionHeader, header.isClean else { return true }
    return header.stableCount <= place.end ?? .max
  }

  /// Reports that all is done, where something was reported of it.
  func endProgress() { progress?.end() }

  /// The codec that the log was written with, by its companion or its meta file; nil when neither names it.
  var codecName: String? { knowledge.codecName }

  /// Throws if the log's codec is unknown, and its payloads do not fit the given codec.
  func checkPayloads(_ codecs: CodecCheck) throws(ImmutaError) {
    _ = try codecs.checkPayloads(disk.log, count: examined.kept, last: examined.lastIndex, isNamed: false)
  }

  // MARK: Finding out

  /// What opening for appending would find, or why it would refuse the log. Notes in the report how many records the log should
  /// have.
  private mutating func tryOpening(
    stated: LogFormat?
  ) throws(ImmutaError) -> (outcome: Reconciliation.Outcome?, refusal: Corruption?) {
    var reconciliation = try Reconciliation(disk, progress: progress)
    do throws(ImmutaError) {
      let outcome = try reconciliation.run()
      report.promised = outcome.count
      return (outcome, nil)
    } catch .corrupted(let damage) {
      // There is nothing in it that could be kept.
      if try reconciliation.evidence() == .none { throw files.seenInPlace(.corrupted(damage)) }
      if stated == nil, damage.possibleFormat != nil { undecided = damage }
      if stated == nil, undecided == nil, try reconciliation.evidence() == .records {
        undecided = Corruption(
          .notALog, path: files.logPath,
          reason:
            "it hardly looks like a log: no number in its header fits what looks like records in it; nothing was "
            + "changed. If it is a log, state its format")
      }
      let readable = try reconciliation.readable(despite: damage)?.count
      report.promised = if let readable { readable } else { try reconciliation.countByWalking() }
      // A file beside it that knows no records proves nothing either.
      if report.promised == 0, format.hasCount, reconciliation.companionHeader == nil, undecided == nil {
        throw files.seenInPlace(.corrupted(try reconciliation.noLog()))
      }
      return (nil, damage)
    }
  }

  /// What the log holds without its companion, if that is another log's: no record matches it, and its places contradict the ones
  /// that the log's own header and size fields agree on.
  private func outcomeWithoutForeignCompanion() throws(ImmutaError) -> Reconciliation.Outcome? {
    guard let companion = disk.companion, report.sound == 0, report.promised > 0 else { return nil }
    var reconciliation = try Reconciliation(disk.withoutCompanion())
    let alone: Reconciliation.Outcome
    do throws(ImmutaError) {
      alone = try reconciliation.run()
    } catch .corrupted {
      return nil
    }
    guard alone.end == disk.status.size, alone.count > 0 else { return nil }
    var scanner = try CompanionScanner(companion)
    var number = 0
    var isForeign = false
    try reconciliation.entries(of: alone) { (entry) throws(ImmutaError) in
      if !isForeign, let known = try scanner.entry(number), known.index != entry?.index { isForeign = true }
      number += 1
    }
    return isForeign ? alone : nil
  }

  /// - Parameter older: set if the log lacks records that its companion names: it then ends before the first commit that is not
  ///   whole, and no whole record after that one stays.
  private mutating func examine(as older: OlderState? = nil) throws(ImmutaError) {
    progress?.beginPass()
    let format = format
    var examination = try Examination(disk, count: report.promised, progress: progress)
    var (report, examined) = (report, Examined(end: format.headerSize))
    // Through the last commit that is whole.
    var whole = (examined: examined, sound: 0, verifiable: 0)
    var isOver = false
    var seen = 0
    try examination.run { (finding) throws(ImmutaError) in
      seen = finding.sequence + 1
      if isOver { return }
      guard let damage = finding.damage else {
        report.sound += 1
        if finding.entry?.isMade != true { report.verifiable += 1 }
        guard let index = finding.index else { return }
        examined.kept = finding.sequence + 1
        examined.lastIndex = index
        examined.end = format.recordEnd(at: index, size: finding.size)
        if finding.isEntryDamaged {
          examined.damagedEntries += 1
          examined.firstDamagedEntry = examined.firstDamagedEntry ?? finding.sequence
        }
        examined.isCommitCut = finding.entry?.endsCommit == false
        if let older, finding.sequence < older.floor || !examined.isCommitCut {
          whole = (examined, report.sound, report.verifiable)
        }
        return
      }
      if let older, finding.sequence >= older.floor, try isLacking(finding, after: examined, in: older) {
        isOver = true
      } else {
        report.addLost(finding.sequence, index: finding.index, reason: damage)
      }
    }
    if isOver, let older {
      (examined, report.sound, report.verifiable) = whole
      let first = max(examined.kept, older.floor)
      report.lost.append(
        RepairReport.LostRange(
          sequences: first..<report.promised, index: first == examined.kept ? examined.end : nil,
          reason: .olderThanCompanion))
    } else if report.promised > seen {
      report.lost.append(
        RepairReport.LostRange(
          sequences: seen..<report.promised, index: nil, reason: .notFound))
    }
    (self.report, self.examined) = (report, examined)
  }

  /// Whether a record that is not whole is one that the log never had.
  private func isLacking(
    _ finding: Examination.Finding, after examined: Examined, in older: OlderState
  ) throws(ImmutaError) -> Bool {
    if format.hasLastIndex { return true }
    // The records after a damaged one may be damaged with it.
    guard finding.sequence == examined.kept, finding.index == examined.end else { return false }
    return try older.lacks(at: examined.end)
  }

  /// In a log without COUNT no count covers the bytes after the last record that was found, but they must be reported.
  private mutating func noteBytesAfterLast(_ refusal: Corruption) {
    guard !format.hasCount, report.lost.isEmpty, disk.status.size > examined.end else { return }
    let kept = examined.kept
    report.lost.append(
      RepairReport.LostRange(
        sequences: kept..<kept + 1, index: examined.end,
        reason: .endDamaged(refusal.reason.description)))
    report.promised = max(report.promised, kept + 1)
  }
}

extension RepairReport {
  /// Adds a lost record: neighbours form one range, with the first one's reason.
  fileprivate mutating func addLost(_ number: Int, index: Int?, reason: LossReason) {
    if let last = lost.last, last.sequences.upperBound == number {
      lost[lost.count - 1].sequences = last.sequences.lowerBound..<number + 1
    } else {
      lost.append(LostRange(sequences: number..<number + 1, index: index, reason: reason))
    }
  }
}
