/// Whether a companion belongs to the log that it lies beside. Where another log has as many records of the same sizes, its
/// companion fits in every place and every size: only checksums show which is which.
///
/// Decided by evidence. Damage is local: it spoils a record or two. Another log's companion is wrong everywhere. So the first and
/// the last record are compared with their entries, and where one of them differs, up to ``mostOthers`` between them. The
/// companion is another log's if at least two of them differ, and four times as many as are the same: some may be the same
/// because the two logs begin alike. Otherwise a difference is damage, and the companion stays.
///
/// Where the log's own size fields lead through COUNT to LAST INDEX and the entries do not, the companion is wrong, and not
/// the log: whole entries that name other places are another log's, be there one record alike at the beginning or many.
///
/// A record counts as different only if its size field is what its entry says but its bytes are not: damage can make a wrong size
/// field, too. One record alone proves nothing. O(1): some short reads.
struct CompanionOrigin {
  private let format: LogFormat
  /// The records before this one have been committed.
  private let count: Int
  /// Whether a power cut may have torn the records. Then only records within one sector count: a sector is written whole, or not
  /// at all, so no torn write can have left them as they are.
  private let mayBeTorn: Bool

  private let logHeader: LogHeader?
  /// Of a log that was closed, the file ends with the last record.
  private let isClean: Bool
  /// Whether the companion says that it is a later segment's, whose name says the same: then it is the log that does not
  /// belong.
  private let isPlaced: Bool

  /// Larger records are not read.
  private static let largestCompared = 64 << 10
  private static let mostOthers = 16
  private static let sector = 512

  /// Nil where nothing can be compared.
  ///
  /// - Parameters:
  ///   - header: of the companion, of whatever format.
  ///   - logHeader: the log's header, where the file has all of it.
  ///   - room: so many entries fit the companion's file.
  init?(_ header: CompanionHeader?, _ logHeader: LogHeader?, room: Int, _ format: LogFormat) {
    if let header, header.format != format { return nil }
    self.format = format
    self.logHeader = logHeader
    isClean = header?.isClean == true
    isPlaced = header.map { (1..<CompanionHeader.unnamedFirst).contains($0.firstSequence) } ?? false
    // While the machine stays up, and no flush failed, nothing is torn.
    let isMemoryWhole =
      BootIdentity.current != 0 && header?.bootIdentity == BootIdentity.current && header?.hasFailedFlush != true
    let stable = min(header?.stableCount ?? 0, room)
    if stable > 1 {
      // The companion may know of more records than the log has.
      let most = logHeader.map { $0.count > 0 ? $0.count : stable } ?? stable
      (count, mayBeTorn) = (min(stable, most), false)
    } else {
      // Without a COUNT only the entries say what was committed.
      guard format.hasCount, let logHeader else { return nil }
      (count, mayBeTorn) = (min(logHeader.count, room), header?.isClean != true && !isMemoryWhole)
    }
    if count < 1 || (count < 2 && logHeader?.count ?? 0 < 2) { return nil }
  }

  /// Throws `.corrupted`, about the companion, if it is another log's. The scanners keep the bytes that were read, such as the
  /// last record's entry and size field.
  ///
  /// - Parameters:
  ///   - log: the scanner of the log's bytes.
  ///   - entries: the scanner of the companion's entries.
  ///   - paths: where the two files are.
  func check(
    _ log: inout LogScanner, _ entries: inout CompanionScanner?, _ paths: (log: String, companion: String)
  ) throws(ImmutaError) {
    guard let compared = try comparisonWithAnother(&log, &entries) else { return }
    if isPlaced {
      throw .corrupted(Corruption(.segmentMisplaced, path: paths.log, reason: .foreignLog(paths.companion)))
    }
    throw .corrupted(
      Corruption(
        .companionOfAnotherLog, path: paths.companion,
        reason:
          "it belongs to another log: of the \(compared.different + compared.same) records of \(paths.log) that were "
          + "compared with it, \(compared.different) are not what it says. Put the companion back that belongs to the "
          + "log, or repair the log, which sets this one aside and makes another"))
  }

  /// Whether the companion is another log's.
  static func isForeign(_ disk: LogOnDisk) throws(ImmutaError) -> Bool {
    var entries = try CompanionScanner.ofFile(disk.companion)
    let room = entries?.count ?? 0
    guard disk.companion != nil,
      let origin = CompanionOrigin(disk.slots?.current, disk.header, room: room, disk.format)
    else { return false }
    var scanner = LogScanner(disk.log, disk.format, end: disk.status.size)
    return try origin.comparisonWithAnother(&scanner, &entries) != nil
  }

  private struct Comparison {
    var same = 0
    var different = 0

    /// Damage spoils a record or two.
    var isOfAnotherLog: Bool { different >= 2 && different >= 4 * same }

    mutating func add(_ isSame: Bool?) {
      switch isSame {
      case true?: same += 1
      case false?: different += 1
      case nil: break
      }
    }
  }

  /// What was found, if it proves that the companion is another log's; otherwise nil.
  private func comparisonWithAnother(
    _ log: inout LogScanner, _ entries: inout CompanionScanner?
  ) throws(ImmutaError) -> Comparison? {
    var found = Comparison()
    let first = try isSame(0, &log, &entries)
    found.add(first)
    let last = count > 1 ? try isSame(count - 1, &log, &entries) : first
    if count > 1 { found.add(last) }
    let isAtEnd = last == true ? true : try namesLast(&log, &entries)
    if !isAtEnd, let misled = try comparisonByPlaces(&log, &entries) { return misled }
    if count < 2 || (isAtEnd && found.same > 0 && found.different == 0) { return nil }
    // Unflushed records may be torn, but not the first record if it shares a sector with the COUNT that counts it.
    if mayBeTorn, first != false { return nil }
    let others = min(count - 2, Self.mostOthers)
    for position in 0..<others { found.add(try isSame(1 + position * (count - 2) / others, &log, &entries)) }
    if mayBeTorn, found.same > 0 { return nil }
    return found.isOfAnotherLog ? found : nil
  }

  /// Whether the log's last record is what its entry says, or, if it is too large to check, lies there.
  private func namesLast(
    _ log: inout LogScanner, _ entries: inout CompanionScanner?
  ) throws(ImmutaError) -> Bool {
    guard let logHeader, logHeader.count > 0, let lastIndex = logHeader.lastIndex,
      let entry = try entries?.entry(logHeader.count - 1), entry.index == lastIndex,
      let size = try log.size(at: lastIndex)
    else { return false }
    if size > Self.largestCompared { return true }
    return try log.checksum(at: lastIndex, size: size).map(entry.fits) ?? false
  }

  /// Where the size fields lead through all records of the log: how many whole entries name other places or other bytes,
  /// if they prove that the companion is another log's. O(records of the log).
  private func comparisonByPlaces(
    _ log: inout LogScanner, _ entries: inout CompanionScanner?
  ) throws(ImmutaError) -> Comparison? {
    guard let logHeader, try RecordWalk.leads(through: logHeader, in: &log, format) else { return nil }
    var found = Comparison()
    var isLastWrong = false
    var elsewhere = 0
    var walk = RecordWalk(format)
    while walk.number < min(logHeader.count, entries?.count ?? 0), let place = try walk.next(in: &log) {
      guard let entry = try entries?.entry(place.number) else { continue }
      // Only the bytes after it confirm the last size field: damage that ran into it does not prove another log.
      if place.number == logHeader.count - 1, entry.index == place.index {
        let isBorneOut = isClean ? place.end == log.end : try log.isBlank(from: place.end)
        if !isBorneOut { continue }
      }
      isLastWrong = entry.index != place.index
      if isLastWrong {
        elsewhere += 1
        found.different += 1
      } else if place.size <= Self.largestCompared {
        let isSame = try log.checksum(at: place.index, size: place.size).map(entry.fits) ?? false
        isLastWrong = !isSame
        if isSame { found.same += 1 } else { found.different += 1 }
      }
    }
    // It differs up to its end: a few foreign entries inside the log's own companion would not.
    if isLastWrong, elsewhere > 0, found.different > 1 || found.same == 0 { return found }
    if mayBeTorn { return nil }
    // One damage can spoil two small records that follow each other.
    if found.different > 2, found.isOfAnotherLog { return found }
    // Nothing was ever written where the log's last entry would be, and the written entries are of other bytes.
    let isShort = try entries?.isBlank(logHeader.count - 1) ?? true
    return isShort && found.same == 0 && found.different > 0 ? found : nil
  }

  /// Whether a record has the checksum that its entry says; nil where that says nothing.
  private func isSame(
    _ number: Int, _ log: inout LogScanner, _ entries: inout CompanionScanner?
  ) throws(ImmutaError) -> Bool? {
    guard let entry = try entries?.entry(number), entry.index >= format.leastIndex(of: number),
      let size = try log.size(at: entry.index)
    else { return nil }
    let end = format.recordEnd(at: entry.index, size: size)
    if end - entry.index > Self.largestCompared { return nil }
    if mayBeTorn, entry.index / Self.sector != (end - 1) / Self.sector { return nil }
    if let next = try entries?.entry(number + 1) {
      if next.index != end { return nil }
    } else if isClean, logHeader?.count == number + 1, end != log.end {
      return nil
    }
    return try log.checksum(at: entry.index, size: size).map(entry.fits)
  }
}
