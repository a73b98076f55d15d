/// A log that is older than its companion, which names records that were committed since. This happens when the log was copied
/// first while somebody wrote it. Pages that were copied early lack records, and pages that were copied later may have records
/// that follow those.
///
/// Damage looks different. In v2, COUNT and LAST INDEX name the same record, and it is whole. The older layouts have no LAST
/// INDEX. There, the place of the first missing record must be one that was not written yet: see ``lacks(at:)``.
struct OlderState {
  /// Records before this one were counted, or are promised to be stable: where they are not whole, that is damage.
  let floor: Int
  private let disk: LogOnDisk

  /// Nil where the files do not say that.
  init?(_ disk: LogOnDisk) throws(ImmutaError) {
    guard let companion = disk.companion, let known = disk.companionHeader, !known.isClean else { return nil }
    self.disk = disk
    guard let lastIndex = disk.header?.lastIndex else {
      let count = disk.header?.count ?? 0
      guard count >= 0, count <= (try CompanionScanner(companion).count) else { return nil }
      floor = max(count, known.stableCount)
      return
    }
    guard let count = disk.header?.count, count > 0 else { return nil }
    var entries = try CompanionScanner(companion)
    guard count <= entries.count, try entries.firstTorn(in: disk.log, disk.format, count - 1..<count) == nil else {
      return nil
    }
    // LAST INDEX is stored before COUNT, and may be that of the next commit.
    var isBorneOut = false
    for end in try [count] + entries.commitEnds(from: count, most: 1) {
      if try entries.entry(end - 1)?.index == lastIndex { isBorneOut = true }
    }
    if !isBorneOut { return nil }
    floor = max(count, known.stableCount)
  }

  /// Whether the log lacks a record that is not whole, rather than that it is damaged: then nothing was at its place when
  /// the page was copied.
  ///
  /// A device loses whole sectors. Where a sector begins with whole records that are not all zeros, it was not lost; so the
  /// zeros that follow them, to the end of the page, are what the file had before the record was stored.
  ///
  /// - Parameter index: where the record before ends, which is whole.
  func lacks(at index: Int) throws(ImmutaError) -> Bool {
    if disk.format.hasLastIndex { return true }
    let sector = index / Self.sectorSize * Self.sectorSize
    let pageEnd = (index / Self.pageSize + 1) * Self.pageSize
    // A size field in two sectors may have lost one of them.
    guard index > sector, index + MemoryLayout<Int64>.size <= sector + Self.sectorSize, pageEnd <= disk.status.size
    else {
      return false
    }
    var bytes = [UInt8](repeating: 0, count: pageEnd - sector)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe io(disk.log.read(into: bytes, at: sector))
    }
    return count == bytes.count && bytes[..<(index - sector)].contains { $0 != 0 }
      && bytes[(index - sector)...].allSatisfy { $0 == 0 }
  }

  private static var sectorSize: Int { 512 }
  private static var pageSize: Int { 4096 }
}
