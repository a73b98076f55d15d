// How the segments before the newest are opened when a caller reads them.

extension Opening {
  /// The segments of a log before the newest, which is this one.
  ///
  /// - Parameters:
  ///   - identity: the log's, if a file holds it.
  func sealedSegments(
    _ folder: SegmentFolder, removed: Int, _ progress: LogProgress, _ identity: LogIdentity?, _ format: LogFormat
  ) -> SealedSegments {
    let opening = self
    return SealedSegments(
      Array(folder.firsts.dropLast()), end: files.first, removed: removed, path: files.home.logPath,
      removedNow: { opening.removedNow(format) },
      strays: { () throws(ImmutaError) in
        var known = folder
        _ = try known.leaveOutStraysBetween(identity: identity)
        return Array(Set(folder.firsts).subtracting(known.firsts))
      }
    ) { (first, end, closely) throws(ImmutaError) in
      try opening.at(first, in: folder).sealed(end: end, closely: closely, progress, identity, format)
    }
  }

  /// The first record that was not removed, by the files beside the segments.
  private func removedNow(_ format: LogFormat) -> Int {
    if !options.isForReading { return 0 }
    return (try? LogKnowledge(files.home, nil, format, trust))?.removedCount ?? 0
  }

  /// The same, for another segment.
  func at(_ first: Int, in folder: SegmentFolder) throws(ImmutaError) -> Opening {
    if first == 0 { return Opening(files: files.home, options: options, pools: pools) }
    // If the log has rolled since it was opened, it has a folder now.
    let home = files.home
    let known =
      if let known = folder.folder { Optional(known) } else { try io(home.openFolder()) }
    guard let place = known else {
      throw .namespaceNotFound(home.namespace)
    }
    return Opening(files: home.segment(first, in: place), options: options, pools: pools)
  }

  /// The reader of a sealed segment. O(1) if its companion is whole; otherwise nil, unless it is examined `closely`.
  ///
  /// - Parameter end: the first record of the segment after it.
  private func sealed(
    end: Int, closely: Bool, _ progress: LogProgress, _ identity: LogIdentity?, _ format: LogFormat
  ) throws(ImmutaError) -> LogReader? {
    guard let (log, status) = try openSealed() else {
      throw .corrupted(
        Corruption(
          .segmentMissing, path: files.logPath, sequence: files.first,
          reason: "the segment is missing: put it back from a backup; the records of the other segments can be read"))
    }
    let found = try io(trust.companionWithStatus(of: files))
    let companion = found?.file
    let slots = try companion?.companionSlots()
    if let found, let header = slots?.current,
      let reader = try sealedAtOnce(log, status, found, header, end: end, progress, identity, format)
    {
      return reader
    }
    if !closely { return nil }
    let disk = try LogOnDisk(log: log, status, companion: companion, slots: slots, stated: format)
    if let header = disk.companionHeader {
      try files.checkPlace(header)
      if let found = header.identity, let identity, found != identity {
        throw .corrupted(
          Corruption(
            .segmentMisplaced, path: files.companionPath,
            reason: "it belongs to the log \(found), and this is the log \(identity): put the log's own segment back"))
      }
    }
    let codecs = codecs(format)
    let readable = try numbered(from: files.first) { () throws(ImmutaError) in
      try ReadableLog(disk, nil) { (name) throws(ImmutaError) in try codecs.checkName(name ?? codecs.codecName) }
    }
    if files.first + readable.count > end { throw files.tooMany(readable.count, before: end) }
    return try sealedReader(readable, disk, status.identity, progress, identity)
  }

  /// The log file; nil if it does not exist. A folder or a symbolic link in its place is damage.
  private func openSealed() throws(ImmutaError) -> (file: Descriptor, status: SystemCalls.Status)? {
    do throws(FileError) {
      return try files.directory.openIfPresentWithStatus(files.log, .read)
    } catch {
      if let status = try? files.directory.status(of: files.log), !status.isRegular {
        throw .corrupted(.irregular(files.logPath, status))
      }
      throw ImmutaError(error)
    }
  }

  /// The reader of a segment whose headers agree with each other and with the segments' names; nil if they do not, and the
  /// segment has to be examined more closely. Its entries are checked when they are read.
  private func sealedAtOnce(
    _ log: Descriptor, _ status: SystemCalls.Status, _ found: (file: Descriptor, status: SystemCalls.Status),
    _ header: CompanionHeader, end: Int, _ progress: LogProgress, _ identity: LogIdentity?, _ format: LogFormat
  ) throws(ImmutaError) -> LogReader? {
    let (companion, companionStatus) = found
    let count = end - files.first
    guard header.isClean, header.format == format, header.firstSequence == files.first, header.stableCount == count,
      header.identity != nil, header.identity == identity
    else { return nil }
    // Closed by this library, and not changed by another program since.
    if let logHeader = try log.logHeader(format), logHeader.count != count { return nil }
    guard CompanionEntry.room(in: companionStatus.size) == count, let last = try companion.companionEntry(count - 1),
      try log.recordEnd(at: last.index, format, within: status.size) == status.size
    else { return nil }
    try codecs(format).checkName(header.codecName)
    let reader = LogReader(
      format: format, check: check(format), progress: progress, end: status.size,
      log: DescriptorPool(of: log, status.identity, files.log, in: files.directory),
      entries: .file(
        DescriptorPool(of: companion, companionStatus.identity, files.companion, in: files.directory)),
      identity: identity, mapsLargeRecords: !options.isForReading)
    reader.seal(at: end)
    OpenFiles.shared.makeRoom(mayBlock: false)
    return reader
  }

  private func sealedReader(
    _ found: ReadableLog, _ disk: LogOnDisk, _ logFile: FileIdentity, _ progress: LogProgress, _ identity: LogIdentity?
  ) throws(ImmutaError) -> LogReader {
    let logPool = DescriptorPool(
      like: disk.log, logFile, files.log, of: files.directory, capacity: options.readerCount)
    let entries: EntryTable.Source
    switch found.entries {
    case .walked(let own): entries = .walked(own)
    case .inCompanion, .onlyInCompanion:
      guard let companion = disk.companion else { preconditionFailure("without a companion entries are made") }
      let companionFile = try io(companion.status().identity)
      entries = .file(DescriptorPool(like: companion, companionFile, files.companion, of: files.directory, capacity: 1))
      companion.mayRest(in: files.directory, as: files.companion, companionFile, .read)
      _ = companion.rest()
    }
    disk.log.mayRest(in: files.directory, as: files.log, logFile, .read)
    _ = disk.log.rest()
    let reader = LogReader(
      format: disk.format, check: check(disk.format), progress: progress, end: found.end, log: logPool,
      entries: entries, identity: identity, mapsLargeRecords: !options.isForReading)
    reader.seal(at: files.first + found.count)
    return reader
  }
}
