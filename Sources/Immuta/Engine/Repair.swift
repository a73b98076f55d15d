/// Brings a damaged log into a state that can be opened for appending, and takes nothing away without keeping a copy.
struct Repair {
  private let files: LogFiles
  private let log: Descriptor
  private let companion: Descriptor?
  private let format = LogFormat.v2
  private let header: LogHeader
  private let fileSize: Int
  private(set) var report: RepairReport
  /// Records up to the last whole one, and where that one lies.
  private var kept = 0
  private var lastIndex = 0
  private var end: Int
  private var damagedEntries = 0

  /// Examines the log, whose lock is held until the repair is let go. O(bytes of the log).
  init(_ files: LogFiles) throws(ImmutaError) {
    self.files = files
    guard try SystemCalls.status(files.log) != nil else { throw .namespaceNotFound(files.namespace) }
    log = try Descriptor(opening: files.log, .readWrite)
    try log.lock()
    companion = try Self.openIfThere(files.companion)
    fileSize = try log.size
    guard fileSize >= format.headerSize else {
      throw .corrupted(
        Corruption(path: files.log, reason: "\(fileSize) bytes are less than a header: nothing of the log is left"))
    }
    header = try log.logHeader(format)
    end = format.headerSize
    report = RepairReport(
      namespace: files.namespace, promised: 0, sound: 0, lost: [], actions: [], isApplied: false, saved: [])
    try examine()
    try plan()
  }

  private static func openIfThere(_ path: String) throws(ImmutaError) -> Descriptor? {
    guard try SystemCalls.status(path) != nil else { return nil }
    return try Descriptor(opening: path, .readWrite)
  }

  // MARK: Finding out

  private mutating func examine() throws(ImmutaError) {
    var examination = try Examination(log: log, companion: companion, format: format)
    var report = report
    var (kept, lastIndex, end, damagedEntries) = (0, 0, end, 0)
    var seen = 0
    try examination.run { (finding) throws(ImmutaError) in
      seen = finding.sequence + 1
      guard let damage = finding.damage else {
        report.sound += 1
        guard let index = finding.index else { return }
        kept = finding.sequence + 1
        lastIndex = index
        end = index + LogFormat.recordHeaderSize + finding.size
        if finding.isEntryDamaged { damagedEntries += 1 }
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
    report.promised = examination.promised == Int.max ? seen : examination.promised
    if report.promised > seen {
      report.lost.append(
        RepairReport.LostRange(
          sequences: seen..<report.promised, index: nil, reason: "nothing tells where they are"))
    }
    self.report = report
    (self.kept, self.lastIndex, self.end, self.damagedEntries) = (kept, lastIndex, end, damagedEntries)
  }

  /// Records behind the last whole one cannot be appended behind: they are cut off. Damaged ones before it stay where they
  /// are, and throw when they are read.
  private mutating func plan() throws(ImmutaError) {
    let wanted = LogHeader(count: kept, lastIndex: lastIndex)
    if header != wanted {
      report.actions.append(
        "set the header to COUNT \(kept), LAST INDEX \(lastIndex) "
          + "(it says \(header.count) and \(header.lastIndex))")
    }
    if fileSize > end {
      report.actions.append(
        kept < report.promised
          ? "cut off records \(kept) to \(report.promised - 1), \(fileSize - end) bytes from byte \(end) on"
          : "cut off \(fileSize - end) uncommitted bytes from byte \(end) on")
    } else if kept < report.promised {
      report.actions.append("take back records \(kept) to \(report.promised - 1), whose bytes are gone")
    }
    let known = try companion?.companionHeader()
    if known == nil {
      report.actions.append("make the companion from the log")
    } else if damagedEntries > 0 {
      report.actions.append("make \(damagedEntries) damaged companion entries from the log")
    } else if known?.isClean != true || known?.stableCount != kept {
      report.actions.append("mark the log as closed with \(kept) records")
    }
  }

  // MARK: Doing it

  /// Does what was planned. What is cut off or replaced is first copied beside the log.
  mutating func apply() throws(ImmutaError) {
    defer { log.unlock() }
    guard !report.actions.isEmpty else { return }
    let suffix = "saved-\(SystemCalls.wallClock())"
    if fileSize > end || header != LogHeader(count: kept, lastIndex: lastIndex) {
      // The header, and all that is cut off: together they are what the log was and is no more.
      try save(log, 0..<format.headerSize, to: "\(files.log).header.\(suffix)")
      if fileSize > end { try save(log, end..<fileSize, to: "\(files.log).tail.\(suffix)") }
    }
    if let companion { try save(companion, 0..<(try companion.size), to: "\(files.companion).\(suffix)") }
    try SystemCalls.flushDirectory(files.directory)

    try makeCompanion()
    var bytes = [UInt8](repeating: 0, count: format.headerSize)
    let wanted = LogHeader(count: kept, lastIndex: lastIndex)
    unsafe bytes.withMutableBytes { unsafe wanted.encode(into: $0, format: format) }
    try log.truncate(to: end)
    try log.write(bytes, at: 0)
    try log.flush()
    try SystemCalls.rename(files.newCompanion, to: files.companion)
    try SystemCalls.flushDirectory(files.directory)
    report.isApplied = true
  }

  private mutating func save(_ file: Descriptor, _ range: Range<Int>, to path: String) throws(ImmutaError) {
    try file.copy(range, to: path)
    report.saved.append(path)
  }

  /// Writes a companion for the records that are kept, beside the old one. An entry that is lost with its record stays
  /// damaged: reading that record throws, as it should.
  private func makeCompanion() throws(ImmutaError) {
    if try SystemCalls.status(files.newCompanion) != nil { try SystemCalls.unlink(files.newCompanion) }
    let new = try Descriptor(opening: files.newCompanion, .createNew)
    var header = CompanionHeader(format: format, codecName: try companion?.companionHeader()?.codecName ?? "")
    header.isClean = true
    header.stableCount = kept
    try new.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0)
    try new.write(header.encoded(), at: header.slotOffset)
    var examination = try Examination(log: log, companion: companion, format: format)
    var buffer: [UInt8] = []
    var written = CompanionHeader.size
    let kept = kept
    try examination.run { (finding) throws(ImmutaError) in
      guard finding.sequence < kept else { return }
      var bytes = [UInt8](repeating: 0, count: CompanionEntry.size)
      if let entry = finding.entry {
        unsafe bytes.withMutableBytes { unsafe entry.encode(into: $0, number: finding.sequence) }
      }
      buffer += bytes
      if buffer.count >= 1 << 20 {
        try new.write(buffer, at: written)
        written += buffer.count
        buffer.removeAll(keepingCapacity: true)
      }
    }
    try new.write(buffer, at: written)
    try new.flush()
  }
}
