// Opening for reading: what the files say is read, ``ReadingPlan`` decides by it, and that is carried out.

extension ReadableLog {
  /// Finds out what can be read.
  ///
  /// - Parameters:
  ///   - disk: the files, as they were read. A writer may have begun since: the result counts only if the files agree.
  ///   - checkCodec: throws where the log was written with another codec than the one that was given.
  init(
    _ disk: LogOnDisk, _ progress: ScanProgress?, checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    let format = disk.format
    // A file that is empty, or ends inside it, reads as zeros.
    let header = if let header = disk.header { header } else { try disk.log.logHeader(format) }
    var scanner = LogScanner(disk.log, format, end: disk.status.size, bufferSize: Self.largestReadAtOnce)
    var entries = try CompanionScanner.ofFile(disk.companion)
    // Before its contents are trusted.
    if let companion = disk.companion {
      try CompanionOrigin(disk.slots?.current, disk.header, room: entries?.count ?? 0, format)?
        .check(&scanner, &entries, (disk.log.path, companion.path))
    }
    var committed = header?.count
    if let companion = disk.companion, let companionHeader = disk.companionHeader {
      if !format.hasCount { committed = try companion.committedCount(companionHeader) }
      try checkCodec(companionHeader.codecName)
    }
    let last = try Self.last(of: committed ?? 0, disk, &scanner, &entries)
    let isDoubted = if let committed { try Self.isDoubted(committed, end: last?.end, disk, &entries) } else { false }
    let plan = ReadingPlan(
      committed: committed, last: last, companion: disk.companionHeader, header: header, format,
      fileSize: try format.hasCount ? disk.status.size : io(disk.log.size), isDoubted: isDoubted)
    switch plan {
    case .byCompanion(let count, let end, let lastTime):
      self.init(count: count, end: end, lastTime: lastTime, entries: .inCompanion)
    case .byRecovery:
      try self.init(recovering: disk, committed, progress, checkCodec)
    }
  }

  /// Whether the entries of a log that was not closed say that more was committed than a writer leaves uncounted, whenever
  /// it dies.
  private static func isDoubted(
    _ committed: Int, end: Int?, _ disk: LogOnDisk, _ entries: inout CompanionScanner?
  ) throws(ImmutaError) -> Bool {
    guard let header = disk.companionHeader, !header.isClean, committed >= 0 else { return false }
    let format = disk.format
    guard format.hasCount else {
      if try entries?.hasHole(from: committed) != true, try !lacksRoom(committed, end: end ?? 0, disk) { return false }
      // A writer that is at work may have stored it meanwhile.
      return try disk.companion?.committedCount(header) == committed
    }
    let ends = try entries?.commitEnds(from: committed, most: 2) ?? []
    guard let end = ends.first else { return false }
    if ends.count == 1, try entries?.firstTorn(in: disk.log, format, committed..<end) == nil { return false }
    return try disk.log.logHeader(format)?.count == committed
  }

  /// Whether a record that is whole follows the last one that is committed, and the companion ends before its entry: a
  /// writer makes room for an entry first.
  private static func lacksRoom(_ committed: Int, end: Int, _ disk: LogOnDisk) throws(ImmutaError) -> Bool {
    var scanner = LogScanner(disk.log, disk.format, end: try io(disk.log.size))
    guard let size = try scanner.size(at: end), try scanner.bearsItsChecksum(at: end, size: size),
      let companion = disk.companion
    else { return false }
    return try CompanionEntry.room(in: io(companion.size)) <= committed
  }

  private init(
    recovering disk: LogOnDisk, _ committed: Int?, _ progress: ScanProgress?,
    _ checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    var reconciliation = try Reconciliation(disk.readAgain(), progress: progress)
    try checkCodec(reconciliation.codecName)
    do throws(ImmutaError) {
      let outcome = try reconciliation.run()
      self.init(
        count: outcome.count, end: outcome.end, lastTime: outcome.lastTime,
        entries: .walked(try reconciliation.walkedEntries(of: outcome)),
        disbelieved: committed.flatMap { committed in
          // As they were before the first look: so a writer's changes since are noticed.
          committed == outcome.count
            ? nil : Disbelief(count: committed, appearance: Appearance(disk.status, disk.slots?.current))
        },
        note: outcome.note, damage: outcome.damage)
    } catch .corrupted(let damage) {
      guard disk.companion != nil, let readable = try reconciliation.readable(despite: damage) else {
        throw .corrupted(damage)
      }
      self.init(
        count: readable.count, end: readable.end, lastTime: readable.lastTime, entries: .onlyInCompanion,
        note: readable.note, damage: damage)
    }
  }

  private static var largestReadAtOnce: Int { 64 << 10 }

  private static func last(
    of count: Int, _ disk: LogOnDisk, _ scanner: inout LogScanner, _ entries: inout CompanionScanner?
  ) throws(ImmutaError) -> ReadingPlan.Last? {
    guard count > 0, disk.companionHeader != nil, let entry = try entries?.entry(count - 1),
      entry.index >= disk.format.leastIndex(of: count - 1)
    else { return nil }
    let walk = RecordWalk(disk.format, number: count - 1, index: entry.index)
    var end = try walk.place(in: &scanner)?.end
    // A writer may have made the file longer since.
    if end == nil { end = try disk.log.recordEnd(at: entry.index, disk.format) }
    return end.map { ReadingPlan.Last(index: entry.index, end: $0, time: entry.time) }
  }
}
