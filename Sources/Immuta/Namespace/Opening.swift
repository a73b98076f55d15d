import Logging

/// Opens a namespace's files, and brings them into the state that appending and reading rely on.
struct Opening {
  let files: LogFiles
  let options: OpeningOptions
  /// Transforms payloads; the logs of a storage share one.
  let pools: TransformPools

  /// What an opened namespace consists of.
  struct Opened {
    var writer: LogWriter?
    /// Whether the log was made just now.
    var isNew = false
    /// Set if there is no writer.
    var follower: Follower?
    var note: String?
    var damage: Corruption?
    /// The time of the last record; nil if there is none.
    var lastTime: Int64?
  }

  func run() throws(ImmutaError) -> Opened {
    try options.isForReading ? openForReading() : openForWriting()
  }

  var setup: LogSetup { LogSetup(files: files, options: options, pools: pools) }

  func check(_ format: LogFormat) -> RecordCheck { setup.check(format) }

  func codecs(_ format: LogFormat) -> CodecCheck {
    CodecCheck(
      path: files.logPath, codecName: options.codecName,
      deliversStoredPayloads: options.deliversStoredPayloads,
      takesPayloadsAsStored: options.takesPayloadsAsStored, isForReading: options.isForReading,
      check: check(format))
  }

  var encoder: RecordEncoder? {
    pools.writing.map { pool in
      RecordEncoder(namespace: files.namespace, pool: pool, limit: options.largestDecodedPayload)
    }
  }

  // MARK: For writing

  private func openForWriting() throws(ImmutaError) -> Opened {
    try Removal(files: files, trust: trust).finish()
    // Before any file is made.
    let before = try trustedLog()
    let hasRolled = try io(files.directory.status(of: files.segmentsFolder)) != nil
    // A log that is missing or empty while other files mention it was lost: a new one in its place would hide that.
    if before == nil, !hasRolled, let lost = try files.lostLog(trust) { throw .corrupted(lost) }
    if before != nil, try io(files.directory.status(of: files.lock) == nil) { try refuseNoLog() }
    let lock = try setup.settlement.settle(.log) { () throws(ImmutaError) in
      try io(
        FileLock.take(
          files.lock, in: files.directory, subject: files.namespace, rights: before?.rights, trust: trust, of: before))
    }
    var made: Descriptor?
    var opened: Descriptor?
    var companion: Descriptor?
    do throws(ImmutaError) {
      // From here on no other writer makes or removes files of the log.
      let folder = try SegmentFolder(files, trust)
      if let refusal = folder.refusals.first { throw .corrupted(refusal) }
      if folder.newest.first > 0 { return try openSegmented(folder, lock) }
      let exists = try trustedLog() != nil
      if !exists, hasRolled, let lost = try files.lostLog(trust) { throw .corrupted(lost) }
      let log = try io(files.directory.open(files.log, .readWriteCreating))
      if !exists { made = log }
      opened = log
      let status = try io(log.status())
      lock.adopt(status.rights)
      var recovered = try recoverLocked(log, status, &companion)
      recovered.header.removedCount = 0
      var own = folder
      try own.clear()
      return try self.opened(log, status.identity, recovered, lock, own, removed: 0, lastTime: nil)
    } catch {
      if opened?.hasFailedFlush == true || companion?.hasFailedFlush == true { markFailedFlush() }
      // A file that was made but could not be begun is not a log.
      if let made, (try? made.size) == 0 { try? files.directory.remove(files.log) }
      lock.unlock()
      throw error
    }
  }

  /// A file that is not a log is refused before a lock is made beside it, which would suggest that a log existed.
  private func refuseNoLog() throws(ImmutaError) {
    guard let log = try io(files.directory.openIfPresent(files.log, .read)), try io(log.size > 0),
      try io(files.directory.status(of: files.companion) == nil)
    else { return }
    var reconciliation = try Reconciliation(LogOnDisk(log: log, companion: nil, stated: options.format))
    // Nearly always the header fits, and the rest costs nothing.
    if try reconciliation.evidence() == .none { throw .corrupted(try reconciliation.noLog()) }
  }

  var trust: FileTrust { setup.trust }

  private func trust(in directory: Directory) -> FileTrust {
    FileTrust(in: directory, acceptsFilesOfOthers: options.acceptsFilesOfOthers)
  }

  /// The file with the log's name, if it may be written to; nil when there is none.
  private func trustedLog() throws(ImmutaError) -> SystemCalls.Status? {
    guard let status = try io(files.directory.statusOfFile(files.log)) else { return nil }
    try io(trust.check(status, files.log))
    return status
  }

  /// The companion, to write to.
  func openCompanion(of log: SystemCalls.Status) throws(ImmutaError) -> Descriptor? {
    guard let companion = try io(files.directory.openIfPresent(files.companion, .readWrite)) else { return nil }
    try io(trust.check(try companion.status(), files.companion, of: log))
    return companion
  }

  /// A flush failed while a log that was not closed was opened. Marks that, as the next opening's flush may succeed and prove
  /// nothing.
  func markFailedFlush() {
    guard let log = try? files.directory.status(of: files.log), let companion = (try? openCompanion(of: log)) ?? nil,
      let header = try? companion.companionHeader(), !header.isClean
    else { return }
    CompanionKeeper(companion, header: header).markFailed()
  }

  // MARK: For reading

  private func openForReading() throws(ImmutaError) -> Opened {
    let (followed, doubt) = try openToFollow(files, waits: true)
    let notes = [followed.note, doubt].compactMap(\.self)
    let note = notes.isEmpty ? nil : notes.joined(separator: "; ")
    if let note { options.logger?.tell(.opened, .notice, "\(note)", metadata) }
    let follower = Follower(followed) { (files) throws(ImmutaError) in try openToFollow(files, waits: false).files }
    return Opened(
      follower: follower, note: note, damage: followed.damage,
      lastTime: followed.reader.ownCount == 0 ? nil : follower.lastTime)
  }

  /// Opens the files with the log's names, as they are.
  ///
  /// - Parameter waits: whether to wait a moment for a header, as a writer that just made the file writes the header soon.
  /// - Returns: the files, and what people should know about the payloads in them.
  private func openToFollow(
    _ home: LogFiles, waits: Bool
  ) throws(ImmutaError) -> (files: FollowedFiles, doubt: String?) {
    var folder = try SegmentFolder(home, trust(in: home.directory))
    while true {
      do throws(ImmutaError) {
        return try Opening(files: folder.newest, options: options, pools: pools).openToFollow(folder, waits: waits)
      } catch .corrupted(let damage) {
        // The segments before it can be read. A reader that comes to its records gets the error.
        if folder.firsts.count < 2 { throw .corrupted(damage) }
        try folder.leaveOutNewest(folder.newest.inNewest(damage))
      }
    }
  }

  /// The same; this is the newest segment.
  private func openToFollow(
    _ folder: SegmentFolder, waits: Bool
  ) throws(ImmutaError) -> (files: FollowedFiles, doubt: String?) {
    guard let log = try io(files.directory.openIfPresent(files.log, .read)) else {
      throw .namespaceNotFound(files.namespace)
    }
    let status = try statusOnceBegun(log, waits: waits)
    let fileTrust = trust(in: files.directory)
    var companion = try io(files.directory.openIfPresent(files.companion, .read))
    // A companion that is not trusted is still the file with that name.
    let companionStatus = try io(companion?.status())
    if let companionStatus, try !io(fileTrust.holds(companionStatus, in: files.directory, of: files)) {
      companion = nil
    }
    let slots = try companion?.companionSlots()
    let progress = progress(status.size, slots?.current)
    defer { progress?.end() }
    let disk = try LogOnDisk(
      log: log, status, companion: companion, slots: slots, stated: options.format, progress: progress)
    if let header = disk.companionHeader { try files.checkPlace(header) }
    let codecs = codecs(disk.format)
    let knowledge = try LogKnowledge(files, slots?.current, disk.format, fileTrust)
    var readable = try numbered(from: files.first) { () throws(ImmutaError) in
      try ReadableLog(disk, progress) { (name) throws(ImmutaError) in
        try codecs.checkName(name ?? knowledge.codecName)
      }
    }
    if let end = folder.endFirst, files.first + readable.count > end {
      throw files.tooMany(readable.count, before: end)
    }
    readable.damage = readable.damage ?? folder.damage
    readable.note = files.note(readable.note)
    let progressOfLog = LogProgress(count: files.first + readable.count)
    let header = disk.companionHeader
    // The newest segment is never removed, whatever the files say.
    let removed = min(files.first, max(folder.removed, knowledge.removedCount, header?.removedCount ?? 0))
    let followed = try FollowedFiles(
      files: files, log: log, companion: companion, (status.identity, companionStatus?.identity), readable,
      format: disk.format, check: codecs.check, progress: progressOfLog, identity: knowledge.identity,
      sealed: sealedSegments(folder, removed: removed, progressOfLog, knowledge.identity, disk.format),
      end: folder.end, readerCount: options.readerCount, trust: fileTrust)
    let doubt =
      knowledge.codecName == nil
      ? try codecs.checkPayloads(log, count: readable.count, last: nil, isNamed: false) : nil
    return (followed, doubt)
  }

  /// The log's status; if it is empty, its status a moment later: a tenth of a second in all.
  private func statusOnceBegun(_ log: Descriptor, waits: Bool) throws(ImmutaError) -> SystemCalls.Status {
    var status = try io(log.status())
    var pause: Int64 = waits && options.format != .bilog ? 1_000_000 : .max
    while status.size == 0, pause < 64_000_000 {
      ThreadGate().wait(nanoseconds: pause)
      pause *= 2
      status = try io(log.status())
    }
    return status
  }

  // MARK: Common

  func note(_ outcome: Reconciliation.Outcome) {
    guard let note = outcome.note else { return }
    options.logger?.tell(
      .recovered, outcome.lost > 0 ? .warning : .notice, "\(note)",
      metadata.merging(["records": "\(files.first + outcome.count)", "lost": "\(outcome.lost)"]) { $1 })
  }

  /// Reports how far a long opening has come; nil if nobody wants to know.
  func progress(_ size: Int, _ companion: CompanionHeader?) -> ScanProgress? {
    // One pass each for recognising the layout, finding the records, and making their entries.
    let passCount = companion == nil && options.format != .bilog ? 3 : 2
    return options.progress(files, size, passCount)
  }

  var metadata: Logger.Metadata { ["namespace": "\(files.namespace)", "path": "\(files.logPath)"] }
}
