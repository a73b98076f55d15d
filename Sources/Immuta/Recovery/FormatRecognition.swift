extension LogFormat {
  /// The same where the companion's header was not read yet.
  init(of log: Descriptor, _ companion: Descriptor?, stated: LogFormat?) throws(ImmutaError) {
    try self.init(of: log, companion, companion?.companionHeader(), stated: stated)
  }

  /// The layout of a log: what its companion says, or else the one that the file's bytes fit. A file that is empty or
  /// has no records, and one that fits none, has the one that is stated, or v2. O(1) with a companion, O(records)
  /// without.
  ///
  /// Few files fit both: a log of v1 whose only record begins with eight bytes that make a small number. Then the
  /// stated layout decides; without one it is v2 if that explains the file to its last byte.
  ///
  /// - Throws: `.invalidConfiguration` when the log is certainly not of the stated layout, or may be of either and none
  ///   is stated; `.io`.
  init(
    of log: Descriptor, _ companion: Descriptor?, _ header: CompanionHeader?, stated: LogFormat?,
    progress: ScanProgress? = nil
  ) throws(ImmutaError) {
    // Partitions are told by their files' names.
    if stated == .bilog {
      self = .bilog
      return
    }
    let told = try Self.told(by: companion, header)
    guard let found = try told == nil ? Self.fitting(log, stated: stated, progress) : told else {
      self = stated ?? .v2
      return
    }
    if let stated, stated != found {
      throw .invalidConfiguration(
        "\(log.path) is a log of the layout \(found), and was opened as \(stated); without a format it is recognised")
    }
    self = found
  }

  private static func told(by companion: Descriptor?, _ header: CompanionHeader?) throws(ImmutaError) -> LogFormat? {
    guard let companion else { return nil }
    if let format = header?.format { return format == .bilog ? nil : format }
    // Where the header is damaged, the first record's place still tells.
    guard let first = try companion.companionEntry(0) else { return nil }
    return [v1, v2].first { $0.headerSize == first.index }
  }

  /// The layout whose header leads, by the size fields, through COUNT records of the file; nil if none does. What v1
  /// lacks, a LAST INDEX, its file's end must prove: otherwise too many damaged logs of v2 would fit it.
  private static func fitting(
    _ log: Descriptor, stated: LogFormat?, _ progress: ScanProgress?
  ) throws(ImmutaError) -> LogFormat? {
    let size = try io(log.size)
    // Nothing but a COUNT of 0.
    if size == v1.headerSize, try log.logHeader(v1)?.count == 0 { return .v1 }
    let isFirst = try v1.last(of: log)?.upperBound == size
    progress?.beginPass()
    guard let end = try v2.last(of: log, progress)?.upperBound else { return isFirst ? .v1 : nil }
    if !isFirst { return .v2 }
    if let stated { return stated }
    if end == size { return .v2 }
    throw .invalidConfiguration(
      "\(log.path) can be read as a log of the layout v1 and as one of v2: state its format when opening it")
  }

  /// Whether what is damaged as a log of v2 may be one of v1: COUNT records, and more bytes, as one that was not closed
  /// has; or one that was cut off or damaged, if v1's size fields lead through more of its records than v2's, or neither
  /// lead anywhere. Space that was reserved reads as records of no bytes, so one of those proves nothing.
  static func mayBeFirst(_ log: Descriptor) throws(ImmutaError) -> Bool {
    let size = try io(log.size)
    if let last = try v1.last(of: log), last.count > v1.recordHeaderSize, last.upperBound < size { return true }
    let (first, second) = (try v1.reach(in: log), try v2.reach(in: log))
    if first == 0, second == 0, let header = try log.logHeader(v1), header.count > 0 {
      return header.contradiction(format: v1, fileSize: size) == nil
    }
    return first > second
  }

  /// Through how many records the size fields lead, up to the last that has bytes; not beyond a COUNT that says
  /// something.
  private func reach(in log: Descriptor) throws(ImmutaError) -> Int {
    guard try io(log.size >= headerSize), let header = try log.logHeader(self) else { return 0 }
    return try walk(log, through: header.count > 0 ? header.count : .max).reach
  }

  /// Where the last of COUNT records lies in a file; nil where header and size fields don't agree, and without records.
  private func last(of log: Descriptor, _ progress: ScanProgress? = nil) throws(ImmutaError) -> Range<Int>? {
    let size = try io(log.size)
    guard size >= headerSize, let header = try log.logHeader(self),
      header.contradiction(format: self, fileSize: size) == nil, header.count > 0
    else { return nil }
    let walk = try walk(log, through: header.count, progress)
    guard walk.number == header.count, !header.denies(lastIndex: walk.lastIndex) else { return nil }
    return walk.lastIndex..<walk.end
  }

  /// Records that the size fields lead through, and where the last of them lies.
  private struct Walk {
    var number = 0
    /// Up to the last that has bytes.
    var reach = 0
    var lastIndex = 0
    var end: Int
  }

  private func walk(
    _ log: Descriptor, through count: Int, _ progress: ScanProgress? = nil
  ) throws(ImmutaError) -> Walk {
    var scanner = LogScanner(log, self, end: try io(log.size), progress: progress)
    var walk = Walk(end: headerSize)
    while walk.number < count, let payload = try scanner.size(at: walk.end) {
      if payload == 0, LogScanner.isHoleDue(walk.number) {
        let skipped = min(count - walk.number, scanner.emptyRecords(inHoleAt: walk.end))
        if skipped > 1 {
          walk.number += skipped
          walk.end += skipped * recordHeaderSize
          walk.lastIndex = walk.end - recordHeaderSize
          continue
        }
      }
      walk.number += 1
      if payload > 0 { walk.reach = walk.number }
      walk.lastIndex = walk.end
      walk.end += recordHeaderSize + payload
    }
    return walk
  }
}
