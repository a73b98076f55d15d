/// A log that is an older state of itself: its header is what a writer left, and its companion names what was committed
/// since. It is so where the log was copied first while somebody wrote it. Pages that were copied early lack records, and
/// pages that were copied later may have some that follow those.
///
/// A header that is damaged looks otherwise: here COUNT and LAST INDEX name the same record, and it is whole.
struct OlderState {
  /// Records before this one were counted, or are promised to be stable: where they are not whole, that is damage.
  let floor: Int

  /// Nil where the files do not say that.
  init?(_ disk: LogOnDisk) throws(ImmutaError) {
    guard let header = disk.header, let lastIndex = header.lastIndex, header.count > 0, let companion = disk.companion,
      let known = disk.companionHeader, !known.isClean
    else { return nil }
    let count = header.count
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
}
