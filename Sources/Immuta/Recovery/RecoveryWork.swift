/// Carries out a ``RecoveryPlan`` on one segment. Whole segments are removed by ``SegmentFolder``, steps that were cut off are
/// finished by ``Settlement``, and the meta file is kept by ``LogKnowledge``.
struct RecoveryWork {
  private let files: LogFiles
  private let disk: LogOnDisk
  /// How many records the log has afterwards.
  private let count: Int
  /// The header for a companion that is made again.
  private let newHeader: CompanionHeader
  /// Torn records that are cut off.
  private let torn: Int
  /// How many entries of a companion that is extended are made.
  private let madeCount: Int
  /// The paths of the copies that were made.
  private(set) var saved: [String] = []
  /// The companion as it is now, and its header.
  private(set) var companion: (file: Descriptor, header: CompanionHeader)?
  /// How the names of copies end; chosen once, so that all of one plan end alike.
  private var suffix: String?
  private var made: (file: Replacement, header: CompanionHeader)?

  /// Calls a function with the entries of the records from one on, in order: nil for one that stays damaged.
  typealias Entries = (
    _ first: Int, _ body: (CompanionEntry?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> Void

  /// - Parameters:
  ///   - disk: the log's files, open for writing.
  ///   - newHeader: see ``CompanionHeader/init(replacing:_:codecName:identity:)``.
  init(
    _ files: LogFiles, _ disk: LogOnDisk, count: Int, newHeader: CompanionHeader, torn: Int = 0, madeCount: Int = 0
  ) {
    self.files = files
    self.disk = disk
    self.count = count
    self.newHeader = newHeader
    self.torn = torn
    self.madeCount = madeCount
    if let file = disk.companion, let header = disk.slots?.current { companion = (file, header) }
  }

  /// Does one step after the other.
  ///
  /// - Parameter onFile: the companion that is on file, whether it is this log's or not.
  mutating func run(
    _ plan: RecoveryPlan, companionOnFile onFile: Descriptor?, _ entries: Entries
  ) throws(ImmutaError) {
    for step in plan.steps {
      switch step {
      case .saveHeader: try save(disk.log, 0..<disk.format.headerSize, SavedCopies.header)
      case .saveTail(let range): try save(disk.log, range, SavedCopies.tail)
      case .saveCompanion:
        guard let onFile else { preconditionFailure("a companion that is saved is on file") }
        try save(onFile, 0..<(try io(onFile.size)), SavedCopies.companion)
      case .flushDirectory: try io(files.directory.flush())
      case .extendCompanion(let kept): try extendCompanion(keeping: kept, entries)
      case .makeCompanion: try makeCompanion(entries)
      case .endLog(let end, let header): try endLog(at: end, header)
      case .markClosed: try markClosed()
      case .installCompanion: try installCompanion()
      }
    }
  }

  private mutating func save(
    _ file: Descriptor, _ range: Range<Int>, _ name: (LogFiles, String) -> String
  ) throws(ImmutaError) {
    let suffix = if let suffix { suffix } else { try SavedCopies.suffix(files) }
    self.suffix = suffix
    let name = name(files, suffix)
    try io(file.copy(range, to: name, in: files.directory, like: disk.log))
    saved.append(files.directory.path(of: name))
  }

  /// Entries after the last whole record must be gone, and stay gone after a crash, before a new record may take their
  /// place: otherwise an old entry could vouch for it.
  private func extendCompanion(keeping kept: Int, _ entries: Entries) throws(ImmutaError) {
    guard let companion else { preconditionFailure("a companion that is extended has a header") }
    try io(companion.file.truncate(to: CompanionEntry.offset(of: kept)))
    _ = try write(from: kept, entries, to: companion.file)
  }

  private mutating func makeCompanion(_ entries: Entries) throws(ImmutaError) {
    let new = try io(
      Replacement(of: files.companion, in: files.directory, as: files.newCompanion, like: disk.log))
    let file = new.file
    var header = newHeader
    header.mark = .closed
    header.stableCount = count
    header.firstSequence = files.first
    if torn > 0 { header.noteTorn(torn) }
    header.madeCount = try write(from: 0, entries, to: file)
    // The slot that is not used yet reads as zeros: no header.
    try io(file.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0))
    try file.write(slot: header.encoded(), of: header.generation)
    // One without entries says nothing that could be lost.
    if count > 0 { try io(file.flush()) }
    made = (new, header)
  }

  /// Writes the entries of the records from one on; returns how many were made.
  private func write(from first: Int, _ entries: Entries, to file: Descriptor) throws(ImmutaError) -> Int {
    var writer = EntryWriter(file, from: first)
    try entries(first) { (entry) throws(ImmutaError) in try writer.append(entry) }
    try writer.writeBuffered()
    guard writer.number == count else {
      throw .corrupted(
        Corruption(
          .changedMeanwhile, path: disk.log.path,
          reason: "the log changed while it was read: it had \(Quantity.records(count)), and then \(writer.number)"))
    }
    return writer.madeCount
  }

  private func endLog(at end: Int, _ header: LogHeader) throws(ImmutaError) {
    precondition(header.count == count, "the log's header and its companion say the same")
    try io(disk.log.truncate(to: end))
    try io(disk.log.write(header.encoded(format: disk.format), at: 0))
    try io(disk.log.flush())
  }

  private mutating func markClosed() throws(ImmutaError) {
    guard let companion else { preconditionFailure("a companion that is kept has a header") }
    let keeper = CompanionKeeper(companion.file, header: companion.header)
    if torn > 0 { try keeper.noteTorn(torn) }
    try keeper.markClean(count: count, made: madeCount)
    self.companion = (companion.file, keeper.current)
  }

  private mutating func installCompanion() throws(ImmutaError) {
    guard let made else { preconditionFailure("a companion is made before it is put in its place") }
    // The written bytes are on stable storage already.
    try io(made.file.finish(flushing: false))
    // By its own name, so that errors name the file people know.
    companion = (try io(files.directory.open(files.companion, .readWrite)), made.header)
  }
}

extension CompanionHeader {
  /// The header of a companion that takes another one's place, and keeps what that one knew of the log.
  init(replacing before: CompanionHeader?, _ format: LogFormat, codecName: String?, identity: LogIdentity) {
    self.init(format: format, codecName: codecName)
    tornCount = before?.tornCount ?? 0
    recoveryTime = before?.recoveryTime ?? 0
    slowTime = before?.slowTime
    removedCount = before?.removedCount ?? 0
    self.identity = identity
  }
}
