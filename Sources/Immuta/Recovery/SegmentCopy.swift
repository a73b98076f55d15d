/// A segment of a copy of a log, while it gets more of the log's records.
///
/// At each moment it is a segment that opens, whatever dies: records and entries are written after those that count, and are on
/// stable storage before COUNT counts them; while they are written, the companion says that the log was not closed. The next copy
/// finds what a crash leaves of them, and goes on there.
struct SegmentCopy {
  let files: LogFiles
  private let log: Descriptor
  private let companion: Descriptor
  private var header: CompanionHeader
  /// Its records that are whole.
  private(set) var count: Int
  /// Where the last of them ends.
  private var end: Int

  var format: LogFormat { header.format }
  var identity: LogIdentity? { header.identity }

  // MARK: Beginning

  /// An existing segment; nil if its log does not exist. Its records are the ones that its companion says are stable.
  ///
  /// - Throws: `.corrupted` where its files do not say how many records it has, `.foreignOwner`, `.unsupportedVersion`, `.io`.
  init?(opening files: LogFiles, _ trust: FileTrust) throws(ImmutaError) {
    guard let found = try io(files.directory.openIfPresentWithStatus(files.log, .readWrite)) else { return nil }
    try Self.check(found.status, files.log, of: files, trust)
    guard let beside = try io(files.directory.openIfPresentWithStatus(files.companion, .readWrite)) else {
      throw Self.unusable(files, "the companion \(files.companion) is missing")
    }
    try Self.check(beside.status, files.companion, of: files, trust)
    guard let header = try beside.file.companionHeader() else {
      throw Self.unusable(files, "the companion \(files.companion) is damaged")
    }
    try files.checkPlace(header)
    (self.files, self.header, log, companion) = (files, header, found.file, beside.file)
    count = header.stableCount
    end = header.format.headerSize
    guard count > 0 else { return }
    guard let last = try companion.companionEntry(count - 1),
      let end = try log.recordEnd(at: last.index, header.format, within: found.status.size)
    else {
      throw Self.unusable(files, "its last record, number \(files.first + count - 1), is not where its companion says")
    }
    self.end = end
  }

  /// Makes one without records, with the rights of a log. It gets its name as a log that opens.
  ///
  /// - Parameter wanted: the header for its companion.
  init(making files: LogFiles, like original: Descriptor, _ wanted: CompanionHeader) throws(ImmutaError) {
    let directory = files.directory
    var header = wanted
    (header.mark, header.stableCount, header.madeCount, header.bootIdentity) = (.open, 0, 0, 0)
    header.generation = 0
    // A crash may have left one whose log never got its name.
    let companion = try io(
      Replacement(of: files.companion, in: directory, as: files.newCompanion, like: original))
    try companion.file.write(firstSlot: header.encoded())
    try io(companion.finish())
    let log = try io(
      Replacement(of: files.log, in: directory, as: Descriptor.unfinished(files.log), like: original))
    try io(log.file.write(LogHeader().encoded(format: header.format), at: 0))
    try io(log.finish())
    (self.files, self.header) = (files, header)
    self.log = try io(directory.open(files.log, .readWrite))
    self.companion = try io(directory.open(files.companion, .readWrite))
    (count, end) = (0, header.format.headerSize)
  }

  private static func check(
    _ status: SystemCalls.Status, _ name: String, of files: LogFiles, _ trust: FileTrust
  ) throws(ImmutaError) {
    if try io(trust.holds(status, in: files.directory, of: files)) { return }
    throw .foreignOwner(path: files.directory.path(of: name), owner: Int(status.rights.owner))
  }

  private static func unusable(_ files: LogFiles, _ what: String) -> ImmutaError {
    var damage = Corruption(
      .other, path: files.logPath,
      reason:
        "\(what), so that the copy cannot be continued: repair it, or remove the log's files from there and copy all of it again"
    )
    damage.reason.remedy = .asStated
    return .corrupted(damage)
  }

  /// Counts also the records that a copy had written which did not end: as far as they are whole, and the log's.
  ///
  /// - Parameter most: the number, in the segment, of the first record that is not to be counted.
  mutating func takeWhatWasLeft(of source: LogReader, before most: Int) throws(ImmutaError) {
    guard !header.isClean, count < most else { return }
    var scanner = LogScanner(log, format, end: try io(log.size))
    var entries = try CompanionScanner(companion)
    while count < most {
      let known = try source.entries(source.first + count..<source.first + min(most, count + 1024))
      if known.isEmpty { return }
      for entry in known {
        guard let entry, let own = try entries.entry(count), own.isSame(as: entry), own.index == end,
          let size = try scanner.size(at: end), try scanner.checksum(at: end, size: size) == own.recordChecksum
        else { return }
        if own.isMade { header.madeCount += 1 }
        count += 1
        end = format.recordEnd(at: end, size: size)
      }
    }
  }

  /// Whether its last records are the log's, as far as entries show.
  func isPrefix(of source: LogReader) throws(ImmutaError) -> Bool {
    let first = max(0, count - Self.compared)
    let known = try source.entries(source.first + first..<source.first + count)
    var entries = try CompanionScanner(companion)
    for (position, entry) in known.enumerated() {
      if let entry, let own = try entries.entry(first + position), !own.isSame(as: entry) { return false }
    }
    return true
  }

  /// How many records are compared with the log's.
  private static var compared: Int { 1024 }

  // MARK: Copying

  /// Adds the log's records up to one of them, checks them where they are now, and makes them count. On stable storage when it
  /// returns, but for the names of the files. O(bytes of the new records), in bounded memory.
  ///
  /// - Parameters:
  ///   - newEnd: how many records of the segment it has afterwards; not fewer than it has.
  ///   - wanted: the header for its companion.
  ///   - progress: called with bytes that were copied, and with as many again once they were checked.
  /// - Returns: records that are damaged in the log, and so in the copy.
  /// - Throws: `.corrupted` where the last record is damaged, so that nobody knows where it ends, and where the copy is not what
  ///   was written; then those records do not count. `.io`.
  mutating func extend(
    to newEnd: Int, of source: LogReader, _ wanted: CompanionHeader, _ progress: (Int) throws -> Void
  ) throws -> [Corruption] {
    precondition(newEnd >= count, "records are never taken from a copy")
    var damaged: [Corruption] = []
    let first = count
    if newEnd > first || !header.isClean {
      var open = header
      // STABLE stays: COUNT says no more yet, also where a copy that did not end had written more.
      (open.mark, open.bootIdentity) = (.open, 0)
      try store(open)
      let place = try Self.place(ofLast: newEnd, of: source)
      try write(to: newEnd, endingAt: place.end, of: source, progress)
      for failure in ManyFiles.flush([log, companion]) { if let failure { throw ImmutaError(failure) } }
      damaged = try check(first..<newEnd, from: end, to: place.end, against: source, progress)
      (count, end) = (newEnd, place.end)
      if format.hasCount {
        let logHeader = LogHeader(format, count: count, lastIndex: place.index)
        try io(log.write(logHeader.encoded(format: format), at: 0))
        try io(log.flush())
      }
    }
    var closed = wanted
    (closed.mark, closed.stableCount, closed.madeCount) = (.closed, count, header.madeCount)
    (closed.bootIdentity, closed.generation) = (header.bootIdentity, header.generation)
    if closed != header {
      try store(closed)
      try io(companion.flush())
    }
    return damaged
  }

  /// The companion says so from now on.
  private mutating func store(_ new: CompanionHeader) throws(ImmutaError) {
    var new = new
    new.generation = TwoSlots.next(after: header.generation)
    try companion.write(slot: new.encoded(), of: new.generation)
    header = new
  }

  /// Where the last of so many of a segment's records lies; it must be whole.
  private static func place(ofLast count: Int, of source: LogReader) throws -> (index: Int, end: Int) {
    if count == 0 { return (0, source.format.headerSize) }
    let number = source.first + count - 1
    let entry = try source.entry(of: number)
    let log = try source.anyDescriptor()
    var scanner = LogScanner(log, source.format, end: try io(log.size))
    guard let size = try scanner.size(at: entry.index) else {
      throw source.check.corrupted(.sizeField, number, entry.index, "its size field says more than the file has")
    }
    guard let checksum = try scanner.checksum(at: entry.index, size: size), entry.fits(checksum) else {
      throw source.check.corrupted(
        .checksum, number, entry.index, "its bytes are not what was appended, and it is the last one to be copied")
    }
    return (entry.index, source.format.recordEnd(at: entry.index, size: size))
  }

  /// Writes bytes and entries after the ones that count, some records at a time. If the process dies, the next copy finds what
  /// was written.
  private mutating func write(
    to newEnd: Int, endingAt newBytes: Int, of source: LogReader, _ progress: (Int) throws -> Void
  ) throws {
    // Bytes of a copy that did not end would show through holes.
    try io(log.truncate(to: end))
    try io(companion.truncate(to: CompanionEntry.offset(of: count)))
    let from = try source.anyDescriptor()
    var writer = EntryWriter(companion, from: count)
    var position = end
    while writer.number < newEnd {
      let (entries, next) = try Self.entries(writer.number, before: newEnd, of: source, from: position)
      // If the next entry is damaged, its record's bytes are copied together with those of the next one.
      let batchEnd = writer.number + entries.count == newEnd ? newBytes : max(position, min(next ?? position, newBytes))
      while position < batchEnd {
        let piece = position..<min(batchEnd, position + Self.pieceSize)
        try io(from.transfer(piece, to: log, at: position, leavingHoles: true))
        position = piece.upperBound
        try progress(piece.count)
      }
      for var entry in entries {
        // If a commit is cut in two, the rest of it becomes a whole commit.
        if writer.number == newEnd - 1 { entry?.endsCommit = true }
        try writer.append(entry)
      }
      try writer.writeBuffered()
    }
    try io(log.truncate(to: newBytes))
    header.madeCount += writer.madeCount
  }

  /// Some entries from one on, of records that have not too many bytes together, and where the record after them begins; nil
  /// where that is not known.
  private static func entries(
    _ first: Int, before end: Int, of source: LogReader, from position: Int
  ) throws -> (entries: [CompanionEntry?], next: Int?) {
    let number = source.first + first
    var entries = try source.entries(number..<source.first + min(end, first + batchSize))
    if entries.isEmpty { throw source.check.entryDamaged(number) }
    let many = entries.indices.dropFirst().first { (entries[$0]?.index ?? 0) > position + batchBytes }
    if let many {
      let next = entries[many]?.index
      entries.removeSubrange(many...)
      return (entries, next)
    }
    guard first + entries.count < end else { return (entries, nil) }
    let next = number + entries.count
    return (entries, try source.entries(next..<next + 1).first??.index)
  }

  /// Records, and about how many bytes, whose entries are written together.
  private static var batchSize: Int { 4096 }
  private static var batchBytes: Int { 32 << 20 }

  /// Bytes that are copied between two calls of `progress`.
  private static var pieceSize: Int { 8 << 20 }

  // MARK: Checking

  /// Compares records with their entries, as both are in the copy now. Returns the records that are damaged in the log, too.
  private func check(
    _ numbers: Range<Int>, from start: Int, to newBytes: Int, against source: LogReader,
    _ progress: (Int) throws -> Void
  ) throws -> [Corruption] {
    var scanner = LogScanner(log, format, end: newBytes)
    var entries = try CompanionScanner(companion)
    var damaged: [Corruption] = []
    var (position, told) = (start, start)
    for number in numbers {
      let entry = try entries.entry(number)
      let next = number + 1 < numbers.upperBound ? try entries.entry(number + 1)?.index : newBytes
      let recordEnd = try scanner.size(at: position).map { format.recordEnd(at: position, size: $0) }
      var isWhole = false
      if let entry, let recordEnd, entry.index == position, recordEnd == next ?? recordEnd {
        let size = recordEnd - position - format.recordHeaderSize
        isWhole = try scanner.checksum(at: position, size: size) == entry.recordChecksum
      }
      if !isWhole { damaged.append(try damage(source.first + number, entry, in: source)) }
      // The size field of a record that is damaged leads nowhere.
      position = next ?? recordEnd ?? position
      if position - told >= Self.pieceSize {
        try progress(position - told)
        told = position
      }
    }
    try progress(newBytes - told)
    return damaged
  }

  /// What is wrong with a record of the log that is not whole in the copy.
  ///
  /// - Throws: `.corrupted` where it is whole in the log.
  private func damage(_ number: Int, _ entry: CompanionEntry?, in source: LogReader) throws -> Corruption {
    do {
      if try source.entries(number..<number + 1).first ?? nil != nil {
        let check = source.check.verifyingChecksums(true)
        try source.check(from: number, to: number + 1, count: number + 1, check) { _, _ in }
      } else {
        throw source.check.entryDamaged(number)
      }
    } catch let error as ImmutaError {
      guard case .corrupted(let damage) = error else { throw error }
      return damage
    }
    var damage = Corruption(
      .checksum, path: files.logPath, sequence: number, index: entry?.index,
      reason:
        "what is in the copy is not what was written to it, and the log's record is whole: look at the copy's disk")
    damage.reason.remedy = .asStated
    throw ImmutaError.corrupted(damage)
  }
}

extension CompanionEntry {
  /// Whether it is the entry of the same record of the same history: with the same time, where both were written when it was
  /// committed.
  fileprivate func isSame(as other: CompanionEntry) -> Bool {
    isOfSameRecord(as: other) && (isMade || other.isMade || time == other.time)
  }
}
