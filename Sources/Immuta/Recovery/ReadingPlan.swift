/// How readers find a log's records. Decided by what was read from the files, without another look at them.
enum ReadingPlan: Equatable {
  /// By the companion, which has all of their entries. O(1).
  case byCompanion(count: Int, end: Int, lastTime: Int64)
  /// As opening for appending does, but nothing is changed.
  case byRecovery

  /// The last record that is committed, by its entry and its size field.
  struct Last: Equatable {
    var index: Int
    var end: Int
    var time: Int64
  }

  /// - Parameters:
  ///   - committed: how many records there are, by COUNT or by the entries; nil where nothing says so.
  ///   - last: nil where its entry is damaged, or its size field does not fit the file.
  ///   - companion: the header of the companion, of the log's format.
  ///   - fileSize: the log's.
  init(
    committed: Int?, last: Last?, companion: CompanionHeader?, header: LogHeader?, _ format: LogFormat, fileSize: Int
  ) {
    self = .byRecovery
    guard let committed, let companion, committed >= companion.stableCount,
      !companion.isClean || committed == companion.stableCount
    else { return }
    let none = Last(index: 0, end: format.headerSize, time: 0)
    guard let last = committed == 0 ? none : last else { return }
    // A log that was closed is also held to the rest of its header, or to its size; a writer at work changes them under
    // our eyes.
    if companion.isClean {
      if let header {
        if header.denies(lastIndex: last.index) { return }
      } else if fileSize != last.end {
        return
      }
    }
    self = .byCompanion(count: committed, end: last.end, lastTime: last.time)
  }
}

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
    var plan = ReadingPlan(
      committed: committed, last: last, companion: disk.companionHeader, header: header, format,
      fileSize: try format.hasCount ? disk.status.size : io(disk.log.size))
    if let committed, try Self.isDoubted(committed, end: last?.end, disk, &entries) { plan = .byRecovery }
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
