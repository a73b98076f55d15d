// Whether the header of a log that was not closed is one that a writer leaves, whenever it dies.
extension Reconciliation {
  /// Throws where it is not, which is damage.
  ///
  /// A writer stores the records, then their entries, LAST INDEX and COUNT; it begins the next commit only then. So the
  /// entries are never more than one commit ahead of COUNT, and their records are whole, as long as the machine stays up.
  /// After a restart COUNT may be older than the entries, but never older than what was flushed.
  mutating func checkHeader(stable: Int) throws(ImmutaError) {
    guard let header else { return }
    if header.count < 0 { throw corrupted(.header, "COUNT is negative (\(header.count)): no writer writes that") }
    if header.count < stable {
      throw corrupted(
        .header,
        "COUNT is \(header.count), but \(Quantity.records(stable)) were on stable storage: no writer takes that back")
    }
    guard isMemoryWhole, let contradiction = try contradictionByEntries(header) else { return }
    // A writer that is at work has moved on meanwhile.
    guard try disk.log.logHeader(format)?.count == header.count else { return }
    throw corrupted(.header, contradiction)
  }

  var isMemoryWhole: Bool { companionHeader?.isMemoryWhole ?? false }

  /// The same where no entry says where the last of the stable records begins, but the size fields do.
  func checkLastIndex(stable first: Cursor, whole: Cursor) throws(ImmutaError) {
    guard isMemoryWhole, let header, header.count == first.number, header.denies(lastIndex: first.lastIndex),
      header.denies(lastIndex: whole.lastIndex), try disk.log.logHeader(format) == header
    else { return }
    throw corrupted(.header, Self.lastIndexOfNobody(header))
  }

  private static func lastIndexOfNobody(_ header: LogHeader) -> String {
    "LAST INDEX is \(header.lastIndex ?? 0), where none of its last records begins: no writer leaves that"
  }

  private mutating func contradictionByEntries(_ header: LogHeader) throws(ImmutaError) -> String? {
    let count = header.count
    let ends = try companion?.commitEnds(from: count, most: 2) ?? []
    if ends.count > 1 {
      return
        "COUNT is \(count), but the companion names records of more than one commit after it: no writer leaves that"
    }
    if let end = ends.first {
      // Bytes that a writer has just stored are read again.
      let number = try companion?.firstTorn(in: disk.log, format, count..<end)
      if let number { return "record \(number) is not what its entry says, and the machine has not been down since" }
    }
    guard header.lastIndex != nil else { return nil }
    for end in [count] + ends {
      // Without its entry, nothing says where a record begins.
      guard end > 0 else { if !header.denies(lastIndex: 0) { return nil } else { continue } }
      guard let last = try companion?.entry(end - 1) else { return nil }
      if !header.denies(lastIndex: last.index) { return nil }
    }
    return Self.lastIndexOfNobody(header)
  }
}

extension CompanionScanner {
  /// The first of some records that does not match its entry; nil if all are whole.
  mutating func firstTorn(
    in log: Descriptor, _ format: LogFormat, _ numbers: Range<Int>
  ) throws(ImmutaError) -> Int? {
    var scanner = LogScanner(log, format, end: try io(log.size))
    for number in numbers {
      guard let entry = try entry(number), entry.index >= format.leastIndex(of: number),
        let size = try scanner.size(at: entry.index),
        try scanner.checksum(at: entry.index, size: size) == entry.recordChecksum
      else { return number }
    }
    return nil
  }
}

extension CompanionHeader {
  /// Whether it was written in this run of the machine.
  var isOfThisRun: Bool { BootIdentity.current != 0 && bootIdentity == BootIdentity.current }

  /// Whether the files hold every byte that was written: the machine has not been down since, and no flush failed, after
  /// which the kernel may let go of pages that never reached the device.
  var isMemoryWhole: Bool { isOfThisRun && !hasFailedFlush }

  /// Whether opening for appending writes the log's header again by its records, whatever it says of the last ones.
  var leavesHeaderInDoubt: Bool { !isClean && !isMemoryWhole }
}
