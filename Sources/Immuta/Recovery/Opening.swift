import Logging

/// Opens a namespace's files, and brings them into the state that appending and reading rely on.
struct Opening {
  let files: LogFiles
  let configuration: Storage.Configuration
  /// What transforms payloads; the logs of a storage share one.
  let pools: TransformPools

  /// What an opened namespace consists of.
  struct Opened {
    var writer: LogWriter?
    /// Whether the log was made just now.
    var isNew = false
    /// Where there is no writer.
    var follower: Follower?
    var note: String?
    var damage: Corruption?
    /// The time of the last record; nil where there is none.
    var lastTime: Int64?
  }

  func run() throws(ImmutaError) -> Opened {
    switch configuration.access {
    case .readWrite: try openForWriting()
    case .readOnly: try openForReading()
    }
  }

  func check(_ format: LogFormat) -> RecordCheck {
    RecordCheck(
      path: files.logPath, format: format, verifiesChecksums: configuration.verifiesChecksums,
      decoder: pools.reading.map { pool in
        RecordDecoder(namespace: files.namespace, pool: pool, limit: configuration.largestDecodedPayload) { [files] in
          LogKnowledge.advice(afterRenaming: files)
        }
      })
  }

  private var encoder: RecordEncoder? {
    pools.writing.map { pool in
      RecordEncoder(namespace: files.namespace, pool: pool, limit: configuration.largestDecodedPayload)
    }
  }

  // MARK: For writing

  private func openForWriting() throws(ImmutaError) -> Opened {
    // Before anything is made.
    let before = try trustedLog()
    // One that is missing or empty while other files know of it was lost: a new one in its place would hide that.
    if before == nil, let lost = try files.lostLog(trust) { throw .corrupted(lost) }
    if before != nil, try io(files.directory.status(of: files.lock) == nil) { try refuseNoLog() }
    let lock = try io(
      FileLock.take(
        files.lock, in: files.directory, subject: files.namespace, rights: before?.rights, trust: trust, of: before))
    var made: Descriptor?
    var opened: Descriptor?
    var companion: Descriptor?
    do {
      // From here on no other writer makes or removes files of the log.
      let isThere = try trustedLog() != nil
      let log = try io(files.directory.open(files.log, .readWriteCreating))
      if !isThere { made = log }
      opened = log
      let status = try io(log.status())
      lock.adopt(status.rights)
      return try openLocked(log, status, &companion, lock)
    } catch {
      if opened?.hasFailedFlush == true || companion?.hasFailedFlush == true { markFailedFlush() }
      // A file that was made and could not be begun is none.
      if let made, (try? made.size) == 0 { try? files.directory.remove(files.log) }
      lock.unlock()
      throw error
    }
  }

  /// What is no log is refused before a lock is made beside it, which would say that there was one.
  private func refuseNoLog() throws(ImmutaError) {
    guard let log = try io(files.directory.openIfPresent(files.log, .read)), try io(log.size > 0),
      try io(files.directory.status(of: files.companion) == nil)
    else { return }
    let format = try LogFormat(of: log, nil, nil, stated: configuration.format)
    if try io(log.size < format.headerSize) {
      throw .corrupted(try Reconciliation.tooShort(log, try io(log.size), format, nil))
    }
    var reconciliation = try Reconciliation(log: log, companion: nil, format: format)
    // Nearly always the header fits, and the rest costs nothing.
    if try reconciliation.evidence() == .none { throw .corrupted(try reconciliation.noLog()) }
  }

  private var trust: FileTrust { trust(in: files.directory) }

  private func trust(in directory: Directory) -> FileTrust {
    FileTrust(in: directory, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
  }

  /// What has the log's name, if it may be written to; nil when nothing has.
  private func trustedLog() throws(ImmutaError) -> SystemCalls.Status? {
    guard let status = try io(files.directory.statusOfFile(files.log)) else { return nil }
    try io(trust.check(status, files.log))
    return status
  }

  /// The companion, to write to.
  private func openCompanion(of log: SystemCalls.Status) throws(ImmutaError) -> Descriptor? {
    guard let companion = try io(files.directory.openIfPresent(files.companion, .readWrite)) else { return nil }
    try io(trust.check(try companion.status(), files.companion, of: log))
    return companion
  }

  /// A flush failed while a log that was not closed was opened: the next opening's flush may succeed and prove nothing.
  private func markFailedFlush() {
    guard let companion = try? files.directory.openIfPresent(files.companion, .readWrite),
      let header = try? companion.companionHeader(), !header.isClean
    else { return }
    CompanionKeeper(companion, header: header).markFailed()
  }

  /// - Parameter companion: the companion, once it is open: whoever is told of an error asks whether its flush failed.
  private func openLocked(
    _ log: Descriptor, _ status: SystemCalls.Status, _ companion: inout Descriptor?, _ lock: FileLock
  ) throws(ImmutaError) -> Opened {
    companion = try openCompanion(of: status)
    var slots = try companion?.companionSlots()
    // Before anything is believed that it says.
    if let meta = files.meta, let found = try io(files.directory.status(of: meta)) {
      try io(trust.check(found, meta, of: status))
    }
    let progress = progress(status.size, slots?.current)
    defer { progress?.end() }
    let format = try LogFormat(
      of: log, companion, slots?.current, stated: configuration.format, progress: progress)
    let isEmpty = status.size == 0
    if isEmpty, let lost = try files.lostRecords(isEntryProof: format.hasCount) { throw .corrupted(lost) }
    let isNew = isEmpty && format.hasCount
    if isNew {
      // Whatever companion is there describes a log that is gone; but what a newer program wrote stays.
      try checkCodec(try LogKnowledge(files, nil, format, trust).codecName)
      try io(files.directory.removeIfPresent(files.companion))
      if let meta = files.meta { try io(files.directory.removeIfPresent(meta)) }
      try io(log.write([UInt8](repeating: 0, count: format.headerSize), at: 0))
      (companion, slots) = (nil, nil)
    }
    let before = slots?.current
    let knowledge = try LogKnowledge(files, before, format, trust)
    if !isNew, before?.isClean != true {
      // What the page cache shows may never have reached the disk; what is trusted from here on has.
      if let companion, let before, before.hasFailedFlush { try rewriteUnstable(log, companion, before, format) }
      try io(log.flush())
      try io(companion?.flush())
      slots = nil
    }
    var reconciliation = try Reconciliation(
      log: log, companion: companion, format: format, slots: slots, progress: progress)
    try checkCodec(knowledge.codecName)
    var outcome = try reconciliation.run()
    var codecName: String? = configuration.codecName
    let isRenamed = knowledge.namespace.map { $0 != files.namespace } ?? false
    if before == nil || knowledge.codecName == nil || isRenamed {
      let doubt = try checkPayloads(
        log, count: outcome.count, last: outcome.lastIndex, format, isNamed: knowledge.codecName != nil)
      if let doubt {
        outcome.add(note: doubt)
        codecName = nil
      }
    } else if let companion {
      try proveCodec(log, companion, entries: outcome.count, format)
    }
    note(outcome)
    if outcome.savesTail { try saveTail(of: log, outcome) }

    if let existing = companion, !outcome.needsNewCompanion {
      if !outcome.isClean { try repair(log, existing, outcome, &reconciliation, format) }
    } else {
      companion = try makeCompanion(of: log, outcome, &reconciliation, format, before: before, knowledge, codecName)
      if !isNew { try settleLog(log, outcome, format) }
    }
    // Nothing was written where the log was closed, and is as it was then.
    let isAsBefore = outcome.isClean && !outcome.needsNewCompanion
    guard let companion, var header = try isAsBefore ? before : companion.companionHeader() else {
      preconditionFailure("a companion that was just written has a header")
    }
    // A log that was made before logs had one.
    if header.identity == nil {
      let keeper = CompanionKeeper(companion, header: header)
      try keeper.assignIdentity(knowledge.identity ?? .random())
      header = keeper.current
    }
    // Where repair could not tell it, the one who writes does.
    header.codecName = header.codecName ?? codecName
    // A meta file that was lost, or is older than that: whether it is called what it was made as, a record tells.
    let asksRecords =
      knowledge.namespace == nil && outcome.count > 0 && !configuration.codecName.isEmpty
      && !configuration.deliversStoredPayloads
    let isOwn = asksRecords && canReadPayloads(log, count: outcome.count, last: outcome.lastIndex, format)
    try knowledge.keep(header, files, of: log, isNew: outcome.count == 0, isOwn: isOwn)
    let companionFile = try io(companion.status().identity)
    let reader = LogReader(
      format: format, check: check(format), count: outcome.count, end: outcome.end,
      log: DescriptorPool(
        like: log, status.identity, files.log, of: files.directory, capacity: configuration.readerCount),
      entries: .file(
        DescriptorPool(
          like: companion, companionFile, files.companion, of: files.directory, capacity: 1)),
      identity: header.identity, mapsLargeRecords: true)
    let keeper = CompanionKeeper(companion, header: header)
    let flushes = FlushPair(log: log, companion: companion)
    let names = try io(
      NameCheck(
        files.directory,
        [
          (files.log, status.identity), (files.companion, companionFile),
          (lock.name, try lock.descriptor.status().identity),
        ],
        others: configuration.filesToKeep
      ) { [known = log.knownSize] in max(reader.end, known.value) })
    try io(names.check())
    lock.withoutDescriptor(in: files.directory)
    log.mayRest(in: files.directory, as: files.log, status.identity, .readWrite)
    companion.mayRest(in: files.directory, as: files.companion, companionFile, .readWrite)
    let flusher = Flusher(
      committed: reader.committed, stableCount: header.stableCount, files: flushes, names: names, keeper: keeper,
      interval: configuration.durability.interval)
    let segment = SegmentWriter(
      files: SegmentFiles(
        format, log: log, companion: companion, count: outcome.count, end: outcome.end, flushes: flushes,
        isFlushedOften: configuration.durability == .synced),
      keeper: keeper, names: names, location: files, count: outcome.count, end: outcome.end)
    let lastTime = outcome.count == 0 ? nil : outcome.lastTime
    let writer = LogWriter(
      files: files, reader: reader, flusher: flusher, durability: configuration.durability, encoder: encoder,
      longWaits: LongWaits(
        namespace: files.namespace, logger: configuration.logger, threshold: configuration.longWait),
      segment: segment, lock: lock, clock: CommitClock(last: lastTime, slow: header.slowTime))
    writer.list()
    return Opened(writer: writer, isNew: isNew, note: outcome.note, damage: outcome.damage, lastTime: lastTime)
  }

  /// After a flush that failed, the kernel takes pages for clean that never reached the device. Writing them once more
  /// makes the next flush tell the truth.
  private func rewriteUnstable(
    _ log: Descriptor, _ companion: Descriptor, _ header: CompanionHeader, _ format: LogFormat
  ) throws(ImmutaError) {
    let stable = header.stableCount
    let start = stable == 0 ? 0 : try companion.companionEntry(stable - 1)?.index ?? 0
    try io(log.rewrite(0..<format.headerSize))
    try io(log.rewrite(start..<max(start, try log.size)))
    let entries = CompanionHeader.size + stable * CompanionEntry.size
    try io(companion.rewrite(entries..<max(entries, try companion.size)))
  }

  /// Cuts off what a crash left behind the last whole record, adds the entries of records that have none, and leaves
  /// the log as if it had just been closed.
  private func repair(
    _ log: Descriptor, _ companion: Descriptor, _ outcome: Reconciliation.Outcome,
    _ reconciliation: inout Reconciliation, _ format: LogFormat
  ) throws(ImmutaError) {
    // Entries behind the last whole record must be gone, and stay gone after a crash, before a new record may take
    // their place: otherwise an old entry could vouch for it.
    try io(companion.truncate(to: CompanionHeader.size + outcome.kept * CompanionEntry.size))
    try write(outcome, from: outcome.kept, &reconciliation, to: companion)
    try settleLog(log, outcome, format)
    guard let header = try companion.companionHeader() else {
      preconditionFailure("a companion without a header is made again")
    }
    let keeper = CompanionKeeper(companion, header: header)
    if outcome.lost > 0 { try keeper.noteTorn(outcome.lost) }
    try keeper.markClean(count: outcome.count, made: outcome.madeCount)
  }

  /// Copies what is about to be cut off beside the log.
  private func saveTail(of log: Descriptor, _ outcome: Reconciliation.Outcome) throws(ImmutaError) {
    let name = SavedCopies.tail(files, try SavedCopies.suffix(files))
    let end = if let tailEnd = outcome.tailEnd { tailEnd } else { try io(log.size) }
    try io(log.copy(outcome.end..<end, to: name, in: files.directory, like: log))
    try io(files.directory.flush())
    configuration.logger?.warning(
      "kept a copy of what is cut off: \(files.directory.path(of: name))", metadata: metadata)
  }

  private func settleLog(
    _ log: Descriptor, _ outcome: Reconciliation.Outcome, _ format: LogFormat
  ) throws(ImmutaError) {
    try io(log.truncate(to: outcome.end))
    let header = LogHeader(format, count: outcome.count, lastIndex: outcome.lastIndex)
    try io(log.write(header.encoded(format: format), at: 0))
    try io(log.flush())
  }

  /// Makes a companion beside the old one, if there is one, and then puts it in its place.
  private func makeCompanion(
    of log: Descriptor, _ outcome: Reconciliation.Outcome, _ reconciliation: inout Reconciliation,
    _ format: LogFormat, before: CompanionHeader?, _ knowledge: LogKnowledge, _ codecName: String?
  ) throws(ImmutaError) -> Descriptor {
    let new = try io(Replacement(of: files.companion, in: files.directory, as: files.newCompanion, like: log))
    let companion = new.file
    var header = CompanionHeader(format: format, codecName: codecName)
    header.mark = .closed
    header.stableCount = outcome.count
    header.madeCount = outcome.madeCount
    header.tornCount = before?.tornCount ?? 0
    header.recoveryTime = before?.recoveryTime ?? 0
    header.identity = knowledge.identity ?? .random()
    header.slowTime = before?.slowTime
    if outcome.lost > 0 { header.noteTorn(outcome.lost) }
    try write(outcome, from: 0, &reconciliation, to: companion)
    // The slot that is not used yet reads as zeros: no header.
    try io(companion.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0))
    try io(companion.write(header.encoded(), at: header.slotOffset))
    try io(new.finish(flushing: outcome.count > 0))
    // By its own name, so that errors name the file people know.
    return try io(files.directory.open(files.companion, .readWrite))
  }

  /// Writes the entries of the records from one on.
  private func write(
    _ outcome: Reconciliation.Outcome, from first: Int, _ reconciliation: inout Reconciliation,
    to companion: Descriptor
  ) throws(ImmutaError) {
    var writer = EntryWriter(companion, from: first)
    try reconciliation.entries(of: outcome, from: first) { (entry) throws(ImmutaError) in try writer.append(entry) }
    try writer.writeBuffered()
  }

  // MARK: For reading

  private func openForReading() throws(ImmutaError) -> Opened {
    let (followed, doubt) = try openToFollow(files, waits: true)
    let notes = [followed.note, doubt].compactMap(\.self)
    let note = notes.isEmpty ? nil : notes.joined(separator: "; ")
    if let note { configuration.logger?.notice("\(note)", metadata: metadata) }
    let follower = Follower(followed) { (files) throws(ImmutaError) in try openToFollow(files, waits: false).files }
    return Opened(
      follower: follower, note: note, damage: followed.damage,
      lastTime: followed.reader.count == 0 ? nil : follower.lastTime)
  }

  /// Opens the files that have a log's names, as they are.
  ///
  /// - Parameter waits: whether to wait a moment for a header: a writer that just made the file writes it soon.
  /// - Returns: the files, and what people should know of the payloads in them.
  private func openToFollow(
    _ files: LogFiles, waits: Bool
  ) throws(ImmutaError) -> (files: FollowedFiles, doubt: String?) {
    guard let log = try io(files.directory.openIfPresent(files.log, .read)) else {
      throw .namespaceNotFound(files.namespace)
    }
    var status = try io(log.status())
    // A tenth of a second in all.
    var pause: Int64 = waits && configuration.format != .bilog ? 1_000_000 : .max
    while status.size == 0, pause < 64_000_000 {
      ThreadGate().wait(nanoseconds: pause)
      pause *= 2
      status = try io(log.status())
    }
    let companion = try io(files.directory.openIfPresent(files.companion, .read))
    let header = try companion?.companionHeader()
    let progress = progress(status.size, header)
    defer { progress?.end() }
    let format = try LogFormat(of: log, companion, header, stated: configuration.format, progress: progress)
    let knowledge = try LogKnowledge(files, header, format, trust(in: files.directory))
    let followed = try FollowedFiles(
      files: files, log: log, status, companion: companion, header: header, format: format, check: check(format),
      identity: knowledge.identity, readerCount: configuration.readerCount, progress: progress
    ) { (name) throws(ImmutaError) in try checkCodec(name ?? knowledge.codecName) }
    let doubt =
      knowledge.codecName == nil
      ? try checkPayloads(log, count: followed.reader.count, last: nil, format, isNamed: false) : nil
    return (followed, doubt)
  }

  // MARK: Common

  private func note(_ outcome: Reconciliation.Outcome) {
    guard let note = outcome.note else { return }
    if outcome.lost > 0 {
      configuration.logger?.warning("\(note)", metadata: metadata)
    } else {
      configuration.logger?.notice("\(note)", metadata: metadata)
    }
  }

  /// Tells of an opening that takes long; nil where nobody wants to know.
  private func progress(_ size: Int, _ companion: CompanionHeader?) -> ScanProgress? {
    // Recognising the layout, finding the records, and their entries.
    let passCount = companion == nil && configuration.format != .bilog ? 3 : 2
    return configuration.scanProgress(files, size: size, passCount: passCount)
  }

  private var metadata: Logger.Metadata { ["namespace": "\(files.namespace)", "path": "\(files.logPath)"] }
}
