extension LogFormat {
  /// The layout of a log: what its companion says, or else the one that the file's bytes fit. A file that is empty or has no
  /// records, or that fits no layout, has the stated layout, or v2. O(1) with a companion, O(records) without.
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
    // Partitions are known by their files' names.
    if stated == .bilog {
      self = .bilog
      return
    }
    let said = try Self.said(by: companion, header)
    guard let found = try said == nil ? Self.fitting(log, stated: stated, progress) : said else {
      self = stated ?? .v2
      return
    }
    if let stated, stated != found {
      throw .invalidConfiguration(
        "\(log.path) is a log of the layout \(found), and was opened as \(stated); without a format it is recognised")
    }
    self = found
  }

  private static func said(by companion: Descriptor?, _ header: CompanionHeader?) throws(ImmutaError) -> LogFormat? {
    guard let companion else { return nil }
    if let format = header?.format { return format == .bilog ? nil : format }
    // Where the header is damaged, the first record's place still says it.
    guard let first = try companion.companionEntry(0) else { return nil }
    return [v1, v2].first { $0.headerSize == first.index }
  }

  /// The layout whose header leads, by the size fields, through COUNT records of the file; nil if none does. v1 has no LAST
  /// INDEX, so the file's end must confirm it: otherwise too many damaged logs of v2 would fit.
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
    let (first, second) = (try v1.countOfRecordsWithBytes(in: log), try v2.countOfRecordsWithBytes(in: log))
    if first == 0, second == 0, let header = try log.logHeader(v1), header.count > 0 {
      return header.contradiction(format: v1, fileSize: size) == nil
    }
    return first > second
  }

  /// Through how many records the size fields lead, up to the last that has bytes; not beyond a COUNT that says
  /// something.
  private func countOfRecordsWithBytes(in log: Descriptor) throws(ImmutaError) -> Int {
    let size = try io(log.size)
    guard size >= headerSize, let header = try log.logHeader(self) else { return 0 }
    var scanner = LogScanner(log, self, end: size)
    var walk = RecordWalk(self)
    return try walk.run(in: &scanner, below: header.count > 0 ? header.count : .max).countWithBytes
  }

  /// Where the last of COUNT records lies in a file; nil where header and size fields don't agree, and without records.
  private func last(of log: Descriptor, _ progress: ScanProgress? = nil) throws(ImmutaError) -> Range<Int>? {
    let size = try io(log.size)
    guard size >= headerSize, let header = try log.logHeader(self),
      header.contradiction(format: self, fileSize: size) == nil, header.count > 0
    else { return nil }
    var scanner = LogScanner(log, self, end: size, progress: progress)
    var walk = RecordWalk(self)
    _ = try walk.run(in: &scanner, below: header.count)
    guard walk.number == header.count, !header.denies(lastIndex: walk.lastIndex) else { return nil }
    return walk.lastIndex..<walk.index
  }
}
