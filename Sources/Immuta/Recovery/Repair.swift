/// Brings a damaged log into a state that can be opened for appending, and takes nothing away without keeping a copy.
struct Repair {
  /// What a repair is to do.
  enum Purpose {
    /// Nothing: it needs no right to write.
    case looking
    /// Nothing to the log, whose records go into another beside it.
    case copying
    case applying
  }

  private let files: LogFiles
  private let lock: FileLock?
  private let log: Descriptor
  /// What says more of the records than the log does; nil where there is none, or another log's.
  private(set) var companion: Descriptor?
  private let companionOnFile: Descriptor?
  let format: LogFormat
  private var knowledge: LogKnowledge
  private let header: LogHeader?
  private let fileSize: Int
  private let progress: ScanProgress?
  private(set) var report: RepairReport
  /// Records up to the last whole one, and where that one lies.
  private var kept = 0
  private var lastIndex = 0
  private var end: Int
  private var damagedEntries = 0
  /// Whether the last record kept belongs to a commit whose rest is lost.
  private var isCommitCut = false
  /// What opening throws of a log that may be a sound one of another format.
  private var undecided: Corruption?

  /// Examines the log, whose lock is held until the repair is let go: also for looking, where its file is there and can
  /// be opened. O(bytes of the log).
  ///
  /// - Parameter progress: of a log of so many bytes; gets to know how far the work came.
  init(
    _ files: LogFiles, stated: LogFormat?, for purpose: Purpose, trust: FileTrust,
    progress: (_ size: Int) -> ScanProgress? = { _ in nil }
  ) throws(ImmutaError) {
    self.files = files
    let directory = files.directory
    guard let status = try io(directory.statusOfFile(files.log)) else {
      if let lost = try files.lostLog() { throw .corrupted(lost) }
      throw .namespaceNotFound(files.namespace)
    }
    // No lock is made beside what is refused.
    if purpose != .looking, try io(directory.status(of: files.lock) == nil) {
      _ = try Repair(files, stated: stated, for: .looking, trust: trust)
    }
    if purpose == .looking {
      lock = try io(FileLock.look(files.lock, in: directory, subject: files.namespace))
    } else {
      if purpose == .applying { try io(trust.check(status, files.log)) }
      lock = try io(
        FileLock.take(
          files.lock, in: directory, subject: files.namespace, rights: status.rights, trust: trust, of: status))
    }
    let mode: SystemCalls.OpenMode = purpose == .applying ? .readWrite : .read
    log = try io(directory.open(files.log, mode))
    companionOnFile = try io(directory.openIfPresent(files.companion, mode))
    if purpose == .applying, let found = try io(companionOnFile?.status()) {
      try io(trust.check(found, files.companion, of: status))
    }
    let progress = progress(try io(log.size))
    self.progress = progress
    format = try LogFormat(
      of: log, companionOnFile, companionOnFile?.companionHeader(), stated: stated, progress: progress)
    let isForeign = try CompanionOrigin.isForeign(log, companionOnFile, format)
    companion = isForeign ? nil : companionOnFile
    knowledge = try LogKnowledge(files, nil, format, trust)
    fileSize = try io(log.size)
    guard fileSize >= format.headerSize else {
      throw files.seenInPlace(.corrupted(try Reconciliation.tooShort(log, fileSize, format, companion)))
    }
    header = try log.logHeader(format)
    end = format.headerSize
    report = RepairReport(
      namespace: files.namespace, promised: 0, sound: 0, verifiable: 0, lost: [],
      actions: isForeign ? [.setCompanionAside] : [], isApplied: false, saved: [])
    var reconciliation = try Reconciliation(log: log, companion: companion, format: format, progress: progress)
    var opening: Reconciliation.Outcome?
    var refusal: Corruption?
    do throws(ImmutaError) {
      let outcome = try reconciliation.run()
      opening = outcome
      report.promised = outcome.count
    } catch .corrupted(let damage) {
      // There is nothing in it that could be kept.
      if try reconciliation.evidence() == .none { throw files.seenInPlace(.corrupted(damage)) }
      refusal = damage
      if stated == nil, damage.possibleFormat != nil { undecided = damage }
      if stated == nil, undecided == nil, try reconciliation.evidence() == .records {
        undecided = Corruption(
          path: files.logPath,
          reason:
            "hardly anything speaks for a log: no number of its header fits what looks like records in it; nothing was "
            + "changed. If it is a log, state its format")
      }
      let remains = try reconciliation.remains(after: damage)?.count
      if let remains { report.promised = remains } else { report.promised = try reconciliation.countByWalking() }
      // A file beside it that knows no records proves nothing either.
      if report.promised == 0, format.hasCount, reconciliation.companionHeader == nil, undecided == nil {
        throw files.seenInPlace(.corrupted(try reconciliation.noLog()))
      }
    }
    try examine()
    if let alone = try outcomeWithoutForeignCompanion() {
      report.actions.append(.setCompanionAside)
      companion = nil
      report = RepairReport(
        namespace: files.namespace, promised: alone.count, sound: 0, verifiable: 0, lost: [],
        actions: report.actions, isApplied: false, saved: [])
      try examine()
      opening = alone
    }
    if let refusal, !format.hasCount, report.lost.isEmpty, fileSize > end {
      // Nothing counts what is behind the last record that was found, but it is not nothing.
      let lost = RepairReport.LostRange(
        sequences: kept..<kept + 1, index: end, reason: .endDamaged(refusal.reason))
      report.lost.append(lost)
      report.promised = max(report.promised, kept + 1)
    }
    if let opening {
      // Opening would find its way: what it keeps is kept, damaged records in between included.
      (kept, lastIndex, end) = (opening.count, opening.lastIndex, opening.end)
    }
    // Of a companion that belongs to this log.
    knowledge = try LogKnowledge(files, companion?.companionHeader(), format, trust)
    try plan(opening)
    if let opening, companion != nil || companionOnFile == nil {
      report.opensAsItIs = damagedEntries == 0 || opening.making?.start.number == 0
    }
    report.possibleFormat = undecided?.possibleFormat
  }

  /// Says that all is done, where something was said of it.
  func endProgress() { progress?.end() }

  /// What the log was written with, by its companion or its meta file; nil when neither can tell.
  var codecName: String? { knowledge.codecName }

  /// Throws where nothing says what the log was written with, and its payloads do not fit what it is opened with.
  func checkPayloads(_ opening: Opening) throws(ImmutaError) {
    _ = try opening.checkPayloads(log, count: kept, last: lastIndex, format, isNamed: false)
  }

  // MARK: Finding out

  /// What the log says without its companion, if that is another log's: no record is what it says, and their places are
  /// not those that the log's own header and size fields agree on.
  private func outcomeWithoutForeignCompanion() throws(ImmutaError) -> Reconciliation.Outcome? {
    guard let companion, report.sound == 0, report.promised > 0 else { return nil }
    var reconciliation = try Reconciliation(log: log, companion: nil, format: format)
    let alone: Reconciliation.Outcome
    do throws(ImmutaError) {
      alone = try reconciliation.run()
    } catch .corrupted {
      return nil
    }
    guard alone.end == fileSize, alone.count > 0 else { return nil }
    var scanner = try CompanionScanner(companion)
    var number = 0
    var isForeign = false
    try reconciliation.entries(of: alone) { (entry) throws(ImmutaError) in
      if !isForeign, let known = try scanner.entry(number), known.index != entry?.index { isForeign = true }
      number += 1
    }
    return isForeign ? alone : nil
  }

  private mutating func examine() throws(ImmutaError) {
    progress?.beginPass()
    var examination = try Examination(
      log: log, companion: companion, format: format, count: report.promised, progress: progress)
    var report = report
    var (kept, lastIndex, end, damagedEntries, isCommitCut) = (0, 0, end, 0, false)
    var seen = 0
    try examination.run { (finding) throws(ImmutaError) in
      seen = finding.sequence + 1
      guard let damage = finding.damage else {
        report.sound += 1
        if finding.entry?.isMade != true { report.verifiable += 1 }
        guard let index = finding.index else { return }
        kept = finding.sequence + 1
        lastIndex = index
        end = index + format.recordHeaderSize + finding.size
        if finding.isEntryDamaged { damagedEntries += 1 }
        isCommitCut = finding.entry?.endsCommit == false
        return
      }
      if let last = report.lost.last, last.sequences.upperBound == finding.sequence {
        report.lost[report.lost.count - 1].sequences = last.sequences.lowerBound..<finding.sequence + 1
      } else {
        report.lost.append(
          RepairReport.LostRange(
            sequences: finding.sequence..<finding.sequence + 1, index: finding.index, reason: damage))
      }
    }
    if report.promised > seen {
      report.lost.append(
        RepairReport.LostRange(
          sequences: seen..<report.promised, index: nil, reason: .notFound))
    }
    self.report = report
    (self.kept, self.lastIndex, self.end, self.damagedEntries) = (kept, lastIndex, end, damagedEntries)
    self.isCommitCut = isCommitCut
  }

  /// Records behind the last whole one cannot be appended behind: they are cut off. Damaged ones before it stay where
  /// they are, and throw when they are read.
  private mutating func plan(_ opening: Reconciliation.Outcome?) throws(ImmutaError) {
    if companionOnFile == nil, opening != nil, report.lost.isEmpty, fileSize == end { return }
    if let opening, !opening.isClean, let note = opening.note {
      report.actions.append(.recover(note))
    }
    let wanted = LogHeader(format, count: kept, lastIndex: lastIndex)
    if let header, header != wanted {
      report.actions.append(
        .setHeader(
          count: wanted.count, lastIndex: wanted.lastIndex, countBefore: header.count, lastIndexBefore: header.lastIndex
        ))
    }
    if fileSize > end {
      report.actions.append(
        .cutOff(bytes: fileSize - end, from: end, records: kept..<max(kept, report.promised)))
    } else if kept < report.promised {
      report.actions.append(.takeBack(records: kept..<report.promised))
    }
    if isCommitCut, kept < report.promised {
      report.actions.append(.keepPartOfTransaction(last: kept - 1))
    }
    let known = try companion?.companionHeader()
    if known == nil {
      report.actions.append(.makeCompanion)
    } else if damagedEntries > 0 {
      report.actions.append(.makeEntries(damagedEntries))
    } else if known?.isClean != true || known?.stableCount != kept {
      report.actions.append(.markClosed(count: kept))
    }
  }

  // MARK: Doing it

  /// Does what was planned. What is cut off or replaced is first copied beside the log.
  ///
  /// - Throws: also `.corrupted`, when the log may be a sound one of another format: nothing is cut off then.
  mutating func apply() throws(ImmutaError) {
    defer { lock?.unlock() }
    if let undecided { throw .corrupted(undecided) }
    guard !report.actions.isEmpty else { return }
    let suffix = try SavedCopies.suffix(files)
    let wanted = LogHeader(format, count: kept, lastIndex: lastIndex)
    if fileSize > end || (header.map { $0 != wanted } ?? false) {
      // The header, and all that is cut off: together they are what the log was and is no more.
      if format.hasCount { try save(log, 0..<format.headerSize, to: SavedCopies.header(files, suffix)) }
      if fileSize > end { try save(log, end..<fileSize, to: SavedCopies.tail(files, suffix)) }
    }
    if let companion = companionOnFile {
      try save(companion, 0..<(try io(companion.size)), to: SavedCopies.companion(files, suffix))
    }
    try io(files.directory.flush())

    let new = try makeCompanion()
    try io(log.truncate(to: end))
    try io(log.write(wanted.encoded(format: format), at: 0))
    try io(log.flush())
    try io(new.finish(flushing: false))
    try io(files.directory.flush())
    report.isApplied = true
  }

  private mutating func save(_ file: Descriptor, _ range: Range<Int>, to name: String) throws(ImmutaError) {
    try io(file.copy(range, to: name, in: files.directory, like: log))
    report.saved.append(files.directory.path(of: name))
  }

  /// Writes a companion for the records that are kept, beside the old one. An entry that is lost with its record stays
  /// damaged: reading that record throws, as it should.
  private func makeCompanion() throws(ImmutaError) -> Replacement {
    let replacement = try io(
      Replacement(of: files.companion, in: files.directory, as: files.newCompanion, like: log))
    let new = replacement.file
    let before = try companion?.companionHeader()
    var header = CompanionHeader(format: format, codecName: knowledge.codecName)
    header.tornCount = before?.tornCount ?? 0
    header.recoveryTime = before?.recoveryTime ?? 0
    header.identity = knowledge.identity ?? .random()
    header.slowTime = before?.slowTime
    header.mark = .closed
    header.stableCount = kept
    try io(new.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0))
    progress?.beginPass()
    var examination = try Examination(
      log: log, companion: companion, format: format, count: report.promised, progress: progress)
    var writer = EntryWriter(new, from: 0)
    let kept = kept
    try examination.run { (finding) throws(ImmutaError) in
      guard finding.sequence < kept else { return }
      var entry = finding.entry
      // Where a commit was cut in two, what is left of it is one.
      if finding.sequence == kept - 1 { entry?.endsCommit = true }
      try writer.append(entry)
    }
    try writer.writeBuffered()
    header.madeCount = writer.madeCount
    try io(new.write(header.encoded(), at: header.slotOffset))
    try io(new.flush())
    try knowledge.keep(header, files, of: log)
    return replacement
  }
}
