import Logging

// Opening a log that has rolled, for appending. Only the newest segment matters, and the one before it if a crash came before it
// was sealed.

extension Opening {
  /// - Parameter lock: the log's, which is held.
  func openSegmented(_ folder: SegmentFolder, _ lock: FileLock) throws(ImmutaError) -> Opened {
    var folder = folder
    let previous = try sealPrevious(&folder)
    let opening = Opening(files: folder.newest, options: options, pools: pools)
    let log = try io(opening.files.directory.open(opening.files.log, .readWrite))
    let status = try io(log.status())
    try io(opening.trust.check(status, opening.files.log))
    lock.adopt(status.rights)
    var companion: Descriptor?
    do throws(ImmutaError) {
      var recovered = try opening.recoverLocked(log, status, &companion)
      // The newest segment is never removed, whatever the files say.
      let removed = min(
        folder.newest.first, max(recovered.header.removedCount, previous.removed, folder.removed))
      recovered.header.removedCount = removed
      try folder.clear()
      recovered.outcome.note = opening.files.note(recovered.outcome.note)
      // Such as segments before these that are missing.
      recovered.outcome.damage = recovered.outcome.damage ?? folder.damage
      if let note = previous.note {
        recovered.outcome.add(note: note)
        recovered.outcome.lost += previous.lost
      }
      return try opening.opened(
        log, status.identity, recovered, lock, folder, removed: removed, lastTime: previous.lastTime)
    } catch {
      if log.hasFailedFlush || companion?.hasFailedFlush == true { opening.markFailedFlush() }
      if case .corrupted(let damage) = error, damage.isNoLog { throw .corrupted(opening.files.inNewest(damage)) }
      throw error
    }
  }

  /// What happened to the segment before the newest.
  private struct Previous {
    var lastTime: Int64?
    /// The first record that was not removed, as this segment says.
    var removed = 0
    var note: String?
    /// How many records were lost.
    var lost = 0
  }

  /// Finishes the segment before the newest if a crash came before it was sealed. Then the newest one either begins where that
  /// one ends, or has no promised records and is removed.
  private func sealPrevious(_ folder: inout SegmentFolder) throws(ImmutaError) -> Previous {
    guard let files = folder.previous else { return Previous() }
    let newest = folder.newest
    let opening = Opening(files: files, options: options, pools: pools)
    let known = try io(opening.trust.companion(of: files))
    let header = try known?.companionHeader()
    var previous = Previous()
    // It was sealed: if it has lost its companion, or is damaged, reading it finds that out.
    guard let known, let header else { return previous }
    // It was the newest when it was told of what was removed, which never is.
    previous.removed = min(header.removedCount, files.first)
    if header.isClean {
      // It was sealed: if the newest one does not begin at its end, a segment between them is missing.
      previous.lastTime = try known.companionEntry(header.stableCount - 1)?.time
      return previous
    }
    let log = try io(files.directory.open(files.log, .readWrite))
    let status = try io(log.status())
    try io(trust.check(status, files.log))
    var companion: Descriptor?
    let recovered: Recovered
    do throws(ImmutaError) {
      companion = try opening.openCompanion(of: status)
      // Whether it lost records decides whether the newest segment is removed. That one is removed first: after a crash in
      // between, this segment is the newest.
      let end = files.first + (try opening.countToKeep(log, companion))
      if end < newest.first { try cutOffNewest(&folder, after: end, &previous) }
      recovered = try opening.recoverLocked(log, status, &companion)
    } catch {
      if log.hasFailedFlush || companion?.hasFailedFlush == true { opening.markFailedFlush() }
      throw error
    }
    let end = files.first + recovered.outcome.count
    if recovered.outcome.count > 0 { previous.lastTime = recovered.outcome.lastTime }
    if end == newest.first { return previous }
    if end > newest.first {
      throw .corrupted(
        Corruption(
          .segmentLength, path: files.logPath, sequence: newest.first,
          reason:
            "it goes on to record \(end - 1), and \(newest.logPath) begins with record \(newest.first): another program "
            + "appended to a segment that was sealed; move what it appended to a log of its own"))
    }
    if folder.newest.first == files.first { return previous }
    throw .corrupted(
      Corruption(
        .changedMeanwhile, path: files.logPath, sequence: end,
        reason: "it has lost records \(end) to \(newest.first - 1) while it was opened: open the log again"))
  }

  /// How many records recovery keeps. Finding this out changes nothing, except that bytes reach the device.
  private func countToKeep(_ log: Descriptor, _ companion: Descriptor?) throws(ImmutaError) -> Int {
    try io(log.flush())
    try io(companion?.flush())
    return try numbered(from: files.first) { () throws(ImmutaError) in
      var reconciliation = try Reconciliation(LogOnDisk(log: log, companion: companion, stated: options.format))
      return try reconciliation.run().count
    }
  }

  /// The segment before lost records that were not promised to be stable. So the records after them are removed, too: the log
  /// must be a prefix of what was appended.
  private func cutOffNewest(
    _ folder: inout SegmentFolder, after end: Int, _ previous: inout Previous
  ) throws(ImmutaError) {
    let newest = folder.newest
    let log = try io(newest.directory.open(newest.log, .read))
    let companion = try io(newest.directory.openIfPresent(newest.companion, .read))
    let header = try companion?.companionHeader()
    // Its records are flushed after the earlier ones. LAST names it once those, and its name, are on stable storage.
    if header?.stableCount ?? 0 > 0 || folder.newestFirst >= newest.first {
      throw .corrupted(
        Corruption(
          .segmentMissing, path: newest.logPath, sequence: end,
          reason:
            "records \(end) to \(newest.first - 1) are missing, which come before it: put the segment before it back "
            + "from a backup"))
    }
    let size = try io(log.size)
    let hasRecords = try log.recordEnd(at: (header?.format ?? .v2).headerSize, header?.format ?? .v2) != nil
    if hasRecords {
      let suffix = try SavedCopies.suffix(newest)
      let copies =
        [(log, SavedCopies.tail(newest, suffix))]
        + (companion.map { [($0, SavedCopies.companion(newest, suffix))] } ?? [])
      for (file, name) in copies {
        try io(file.copy(0..<(try file.size), to: name, in: newest.directory, like: log))
        let path = newest.directory.path(of: name)
        options.logger?.tell(
          .savedCopy, .warning, "kept a copy of what is cut off: \(path)",
          metadata.merging(["copy": "\(path)"]) { $1 })
      }
      // The copies must exist before the originals are removed.
      try io(newest.directory.flush())
      previous.lost = newest.first - end
      previous.note =
        "the machine went down before the last records were on stable storage: the log ends with record \(end - 1), and "
        + "what came later is kept in \(newest.directory.path(of: copies[0].1)) (\(Quantity.bytes(size)))"
    }
    try io(newest.directory.removeIfPresent(newest.log))
    try io(newest.directory.removeIfPresent(newest.companion))
    try io(newest.directory.flush())
    folder.forgetNewest()
  }
}
