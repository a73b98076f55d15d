import Logging

// Opening a log for appending, with its lock held: reads what is on disk, decides what to do, and brings the files into the state
// that appending relies on.
extension Opening {
  /// Brings a segment into the state that appending relies on.
  ///
  /// - Parameter companion: the companion, once it is open: after an error, the caller checks whether its flush failed.
  func recoverLocked(
    _ log: Descriptor, _ status: SystemCalls.Status, _ companion: inout Descriptor?
  ) throws(ImmutaError) -> Recovered {
    // If the lock's file was removed, the lock does not show a writer that holds it.
    try io(log.checkUnclaimed(for: files.namespace))
    companion = try openCompanion(of: status)
    let slots = try companion?.companionSlots()
    // Before its contents are trusted.
    try io(trust.checkMeta(of: files))
    let progress = progress(status.size, slots?.current)
    defer { progress?.end() }
    var disk = try LogOnDisk(
      log: log, status, companion: companion, slots: slots, stated: options.format, progress: progress)
    let isEmpty = status.size == 0
    if let header = disk.companionHeader { try files.checkPlace(header) }
    if isEmpty, let lost = try files.lostRecords(isEntryProof: disk.format.hasCount) { throw .corrupted(lost) }
    let isNew = isEmpty && disk.format.hasCount
    if isNew {
      companion = nil
      disk = try begin(disk)
    }
    let knowledge = try LogKnowledge(files, disk.slots?.current, disk.format, trust)
    if !isNew, !disk.wasClosed { disk = try flushed(disk) }
    let recovered = try numbered(from: files.first) { () throws(ImmutaError) in
      try recover(disk, knowledge, isNew: isNew, progress)
    }
    companion = recovered.companion
    return recovered
  }

  /// Begins a log in an empty file. A companion beside it describes a log that is gone; but a companion that a newer program
  /// wrote stays.
  private func begin(_ disk: LogOnDisk) throws(ImmutaError) -> LogOnDisk {
    let format = disk.format
    try codecs(format).checkName(try LogKnowledge(files, nil, format, trust).codecName)
    try io(files.directory.removeIfPresent(files.companion))
    if files.first == 0 { try io(files.directory.removeIfPresent(files.meta)) }
    try io(disk.log.write([UInt8](repeating: 0, count: format.headerSize), at: 0))
    return try LogOnDisk(log: disk.log, companion: nil, format: format)
  }

  /// In a log that was not closed, bytes in the page cache may never have reached the disk. After this flush, they have.
  private func flushed(_ disk: LogOnDisk) throws(ImmutaError) -> LogOnDisk {
    if let companion = disk.companion, let header = disk.slots?.current, header.hasFailedFlush {
      try rewriteUnstable(disk, companion, header)
    }
    try io(disk.log.flush())
    try io(disk.companion?.flush())
    // The segment may have got its name just before.
    if files.first > 0 { try io(files.directory.flush()) }
    return try disk.readAgain()
  }

  /// After a failed flush, the kernel treats pages as clean that never reached the device. Once they are written again, the next
  /// flush reports the truth.
  private func rewriteUnstable(
    _ disk: LogOnDisk, _ companion: Descriptor, _ header: CompanionHeader
  ) throws(ImmutaError) {
    let stable = header.stableCount
    let start = stable == 0 ? 0 : try companion.companionEntry(stable - 1)?.index ?? 0
    try io(disk.log.rewrite(0..<disk.format.headerSize))
    try io(disk.log.rewrite(start..<max(start, try disk.log.size)))
    let entries = CompanionEntry.offset(of: stable)
    try io(companion.rewrite(entries..<max(entries, try companion.size)))
  }

  /// A segment that can be appended to.
  struct Recovered {
    var outcome: Reconciliation.Outcome
    var format: LogFormat
    var companion: Descriptor
    var header: CompanionHeader
    var isNew: Bool
  }

  /// Finds out what the log holds, decides what has to be done, and does it.
  private func recover(
    _ disk: LogOnDisk, _ knowledge: LogKnowledge, isNew: Bool, _ progress: ScanProgress?
  ) throws(ImmutaError) -> Recovered {
    let codecs = codecs(disk.format)
    let before = disk.slots?.current
    var reconciliation = try Reconciliation(disk, progress: progress)
    try codecs.checkName(knowledge.codecName)
    var outcome = try reconciliation.run()
    var codecName: String? = options.codecName
    let isRenamed = knowledge.namespace.map { $0 != files.namespace } ?? false
    if before == nil || knowledge.codecName == nil || isRenamed {
      let doubt = try codecs.checkPayloads(
        disk.log, count: outcome.count, last: outcome.lastIndex, isNamed: knowledge.codecName != nil)
      if let doubt {
        outcome.add(note: doubt)
        codecName = nil
      }
    } else if let companion = disk.companion {
      try codecs.proveCodec(disk.log, companion, entries: outcome.count)
    }
    note(outcome)

    let plan =
      isNew ? .newLog : RecoveryPlan(opening: outcome, fileSize: disk.status.size, disk.format)
    let newHeader = CompanionHeader(
      replacing: before, disk.format, codecName: codecName, identity: knowledge.identity ?? .random())
    var work = RecoveryWork(
      files, disk, count: outcome.count, newHeader: newHeader, torn: outcome.lost, madeCount: outcome.madeCount)
    try work.run(plan, companionOnFile: disk.companion) { (first, body) throws(ImmutaError) in
      try reconciliation.entries(of: outcome, from: first, body)
    }
    for path in work.saved {
      options.logger?.tell(
        .savedCopy, .warning, "kept a copy of what is cut off: \(path)",
        metadata.merging(["copy": "\(path)"]) { $1 })
      outcome.add(note: "a copy of what was cut off is kept in \(path)")
    }
    guard let (companion, header) = work.companion else {
      preconditionFailure("a log that was opened has a companion with a header")
    }
    var recovered = Recovered(outcome: outcome, format: disk.format, companion: companion, header: header, isNew: isNew)
    recovered.header.firstSequence = files.first
    // No segment is removed before it is sealed, whatever it says: nothing else is to say so after it.
    recovered.header.removedCount = min(recovered.header.removedCount, files.first)
    try identify(&recovered, disk.log, knowledge, codecName: codecName)
    return recovered
  }

  /// Writes the log's identity and codec into the companion and the meta file.
  private func identify(
    _ recovered: inout Recovered, _ log: Descriptor, _ knowledge: LogKnowledge, codecName: String?
  ) throws(ImmutaError) {
    let outcome = recovered.outcome
    // A log that was made before logs had an identity.
    if recovered.header.identity == nil {
      let keeper = CompanionKeeper(recovered.companion, header: recovered.header)
      try keeper.assignIdentity(knowledge.identity ?? .random())
      recovered.header = keeper.current
    }
    // If repair could not name the codec, the writer does.
    recovered.header.codecName = recovered.header.codecName ?? codecName
    // The meta file was lost, or is too old to hold the name: then a record shows whether the log still has the name that it was
    // made with.
    let asksRecords =
      knowledge.namespace == nil && outcome.count > 0 && !options.codecName.isEmpty
      && !options.deliversStoredPayloads
    let isOwn =
      asksRecords && codecs(recovered.format).canReadPayloads(log, count: outcome.count, last: outcome.lastIndex)
    try knowledge.keep(recovered.header, files, of: log, isNew: outcome.count == 0, isOwn: isOwn)
  }
}
