import Logging

/// Opens a namespace's files, and brings them into the state that appending and reading rely on.
struct Opening {
  let files: LogFiles
  let configuration: Storage.Configuration
  /// What transforms payloads; the logs of a storage share one.
  let pools: TransformPools

  /// What an opened namespace consists of.
  struct Opened {
    var reader: LogReader
    var writer: LogWriter?
    var follower: Follower?
    var note: String?
    var damage: Corruption?
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
        RecordDecoder(namespace: files.namespace, pool: pool, limit: configuration.largestDecodedPayload)
      })
  }

  private var encoder: RecordEncoder? {
    pools.writing.map { pool in
      RecordEncoder(namespace: files.namespace, pool: pool, limit: configuration.largestDecodedPayload)
    }
  }

  // MARK: For writing

  private func openForWriting() throws(ImmutaError) -> Opened {
    let isThere = try files.directory.status(of: files.log) != nil
    if !isThere { try checkForLostLog(isEntryProof: true) }
    let log = try lockedLog()
    do {
      return try openLocked(log)
    } catch {
      if SystemCalls.isFailedFlush(error) { markFailedFlush() }
      // A file that was made and could not be begun is none.
      if !isThere, (try? log.size) == 0 { try? files.directory.remove(files.log) }
      log.unlock()
      throw error
    }
  }

  /// The log's file, locked. One that lost its name before it was locked, to somebody who could not begin it, would be
  /// written to and never found again: then whatever has the name now is opened instead.
  private func lockedLog() throws(ImmutaError) -> Descriptor {
    for _ in 0..<100 {
      let log = try files.directory.open(files.log, .readWriteCreating)
      guard try log.status().isRegular else { throw notARegularFile }
      try log.lock()
      if try files.directory.status(of: files.log)?.identity == log.status().identity { return log }
      log.unlock()
    }
    throw .locked
  }

  /// A flush failed while a log that was not closed was opened: the next opening's flush may succeed and prove nothing.
  private func markFailedFlush() {
    guard let companion = try? files.directory.openIfPresent(files.companion, .readWrite),
      let header = try? companion.companionHeader(), !header.isClean
    else { return }
    CompanionKeeper(companion, header: header).markFailed()
  }

  /// A log that is missing or empty while its companion tells of records was lost, not never there: starting a new one
  /// in its place would hide that.
  ///
  /// - Parameter isEntryProof: whether an entry tells of a record, stable or not. Not where the log is there and has no
  ///   header: then it is empty until its first record is stable.
  private func checkForLostLog(isEntryProof: Bool) throws(ImmutaError) {
    guard let companion = try files.directory.openIfPresent(files.companion, .read),
      let header = try companion.companionHeader()
    else { return }
    let hasEntries = try companion.companionEntry(0) != nil
    guard header.stableCount > 0 || (hasEntries && isEntryProof) else { return }
    throw .corrupted(
      Corruption(
        path: files.logPath,
        reason:
          "the log is missing or empty, but its companion \(files.companionPath) tells of records: "
          + "put the log back, or remove the companion to begin a new one"))
  }

  private func openLocked(_ log: Descriptor) throws(ImmutaError) -> Opened {
    let format = try LogFormat(
      of: log, try files.directory.openIfPresent(files.companion, .read), stated: configuration.format)
    let isEmpty = try log.size == 0
    if isEmpty { try checkForLostLog(isEntryProof: format.hasCount) }
    let isNew = isEmpty && format.hasCount
    if isNew {
      // Whatever companion is there describes a log that is gone; but what a newer program wrote stays.
      _ = try LogKnowledge(files, nil, format)
      try files.directory.removeIfPresent(files.companion)
      if let meta = files.meta { try files.directory.removeIfPresent(meta) }
      try log.write([UInt8](repeating: 0, count: format.headerSize), at: 0)
    }
    var companion = try files.directory.openIfPresent(files.companion, .readWrite)
    let before = try companion?.companionHeader()
    let knowledge = try LogKnowledge(files, before, format)
    if !isNew, before?.isClean != true {
      // What the page cache shows may never have reached the disk; what is trusted from here on has.
      if let companion, let before, before.hasFailedFlush { try rewriteUnstable(log, companion, before, format) }
      try log.flush()
      try companion?.flush()
    }
    var reconciliation = try Reconciliation(log: log, companion: companion, format: format)
    try checkCodec(knowledge.codecName)
    let outcome = try reconciliation.run()
    if before == nil || knowledge.codecName == nil {
      try checkPayloads(log, count: outcome.count, last: outcome.lastIndex, format, isNamed: knowledge.codecName != nil)
    }
    note(outcome)
    if outcome.savesTail { try saveTail(of: log, outcome) }

    if let existing = companion, !outcome.needsNewCompanion {
      if !outcome.isClean { try repair(log, existing, outcome, &reconciliation, format) }
    } else {
      companion = try makeCompanion(outcome, &reconciliation, format, before: before, knowledge)
      if !isNew { try settleLog(log, outcome, format) }
    }
    guard let companion, var header = try companion.companionHeader() else {
      preconditionFailure("a companion that was just written has a header")
    }
    // A log that was made before logs had one.
    if header.identity == nil {
      let keeper = CompanionKeeper(companion, header: header)
      try keeper.assignIdentity(knowledge.identity ?? .random())
      header = keeper.current
    }
    // Where repair could not tell it, the one who writes does.
    header.codecName = header.codecName ?? configuration.codecName
    try knowledge.keep(header, files)
    let reader = LogReader(
      format: format, check: check(format), count: outcome.count, end: outcome.end,
      log: try DescriptorPool(like: log, files.log, of: files.directory, capacity: configuration.readerCount),
      entries: .file(try DescriptorPool(like: companion, files.companion, of: files.directory, capacity: 1)))
    let keeper = CompanionKeeper(companion, header: header)
    let flushes = FlushPair(log: log, companion: companion)
    let flusher = Flusher(
      committed: reader.committed, stableCount: header.stableCount, files: flushes, keeper: keeper,
      interval: configuration.durability.interval)
    let state = WriterState(
      reader: reader, keeper: keeper, flushes: flushes, log: log, companion: companion, count: outcome.count,
      end: outcome.end, lastTime: outcome.lastTime, directory: files.directory,
      writesThrough: configuration.durability == .synced)
    let writer = LogWriter(
      reader: reader, flusher: flusher, durability: configuration.durability, encoder: encoder, state: state)
    return Opened(reader: reader, writer: writer, note: outcome.note, damage: outcome.damage)
  }

  /// After a flush that failed, the kernel takes pages for clean that never reached the device. Writing them once more
  /// makes the next flush tell the truth.
  private func rewriteUnstable(
    _ log: Descriptor, _ companion: Descriptor, _ header: CompanionHeader, _ format: LogFormat
  ) throws(ImmutaError) {
    let stable = header.stableCount
    let start = stable == 0 ? 0 : try companion.companionEntry(stable - 1)?.index ?? 0
    try log.rewrite(0..<format.headerSize)
    try log.rewrite(start..<max(start, try log.size))
    let entries = CompanionHeader.size + stable * CompanionEntry.size
    try companion.rewrite(entries..<max(entries, try companion.size))
  }

  /// Cuts off what a crash left behind the last whole record, adds the entries of records that have none, and leaves
  /// the log as if it had just been closed.
  private func repair(
    _ log: Descriptor, _ companion: Descriptor, _ outcome: Reconciliation.Outcome,
    _ reconciliation: inout Reconciliation, _ format: LogFormat
  ) throws(ImmutaError) {
    // Entries behind the last whole record must be gone, and stay gone after a crash, before a new record may take
    // their place: otherwise an old entry could vouch for it.
    try companion.truncate(to: CompanionHeader.size + outcome.kept * CompanionEntry.size)
    try write(outcome, from: outcome.kept, &reconciliation, to: companion)
    try settleLog(log, outcome, format)
    guard let header = try companion.companionHeader() else {
      preconditionFailure("a companion without a header is made anew")
    }
    let keeper = CompanionKeeper(companion, header: header)
    if outcome.lost > 0 { try keeper.noteTorn(outcome.lost) }
    try keeper.markClean(count: outcome.count, made: outcome.madeCount)
  }

  /// Copies what is about to be cut off beside the log.
  private func saveTail(of log: Descriptor, _ outcome: Reconciliation.Outcome) throws(ImmutaError) {
    let name = "\(files.log).tail.saved-\(SystemCalls.wallClock())"
    let end = if let tailEnd = outcome.tailEnd { tailEnd } else { try log.size }
    try log.copy(outcome.end..<end, to: name, in: files.directory)
    try files.directory.flush()
    configuration.logger?.warning(
      "kept a copy of what is cut off: \(files.directory.path(of: name))", metadata: metadata)
  }

  private func settleLog(
    _ log: Descriptor, _ outcome: Reconciliation.Outcome, _ format: LogFormat
  ) throws(ImmutaError) {
    try log.truncate(to: outcome.end)
    let header = LogHeader(format, count: outcome.count, lastIndex: outcome.lastIndex)
    try log.write(header.encoded(format: format), at: 0)
    try log.flush()
  }

  /// Makes a companion beside the old one, if there is one, and then puts it in its place.
  private func makeCompanion(
    _ outcome: Reconciliation.Outcome, _ reconciliation: inout Reconciliation, _ format: LogFormat,
    before: CompanionHeader?, _ knowledge: LogKnowledge
  ) throws(ImmutaError) -> Descriptor {
    try files.directory.removeIfPresent(files.newCompanion)
    let companion = try files.directory.open(files.newCompanion, .createNew)
    var header = CompanionHeader(format: format, codecName: configuration.codecName)
    header.isClean = true
    header.stableCount = outcome.count
    header.madeCount = outcome.madeCount
    header.tornCount = before?.tornCount ?? 0
    header.recoveryTime = before?.recoveryTime ?? 0
    header.identity = knowledge.identity ?? .random()
    if outcome.lost > 0 { header.noteTorn(outcome.lost) }
    try write(outcome, from: 0, &reconciliation, to: companion)
    // The slot that is not used yet reads as zeros: no header.
    try companion.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0)
    try companion.write(header.encoded(), at: header.slotOffset)
    if outcome.count > 0 { try companion.flush() }
    try files.directory.rename(files.newCompanion, to: files.companion)
    // By its own name, so that errors name the file people know.
    return try files.directory.open(files.companion, .readWrite)
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
    guard let log = try files.directory.openIfPresent(files.log, .read) else {
      throw .namespaceNotFound(files.namespace)
    }
    guard try log.status().isRegular else { throw notARegularFile }
    let companion = try files.directory.openIfPresent(files.companion, .read)
    let format = try LogFormat(of: log, companion, stated: configuration.format)
    let check = check(format)
    let knowledge = try LogKnowledge(files, companion?.companionHeader(), format)
    let follower = try Follower(files: files, log: log, companion: companion, format: format, check: check) {
      (name) throws(ImmutaError) in try checkCodec(name ?? knowledge.codecName)
    }
    if knowledge.codecName == nil { try checkPayloads(log, count: follower.count, last: nil, format, isNamed: false) }
    if let note = follower.note { configuration.logger?.notice("\(note)", metadata: metadata) }
    let reader = LogReader(
      format: format, check: check, count: follower.count, end: follower.end,
      log: try DescriptorPool(like: log, files.log, of: files.directory, capacity: configuration.readerCount),
      entries: follower.entries)
    follower.follow(for: reader)
    return Opened(reader: reader, follower: follower, note: follower.note, damage: follower.damage)
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

  private var metadata: Logger.Metadata { ["namespace": "\(files.namespace)", "path": "\(files.logPath)"] }

  private var notARegularFile: ImmutaError {
    .corrupted(Corruption(path: files.logPath, reason: "not a log: it is not a regular file"))
  }
}
