extension LogFormat {
  /// The layout of a log: what its companion says, or else the one that the file's bytes fit. A file that is empty or
  /// has no records, and one that fits both or none, has the one that is stated, or v2. O(1) with a companion,
  /// O(records) without.
  ///
  /// - Throws: `.invalidConfiguration` when the log is certainly not of the stated layout; `.io`.
  init(of log: Descriptor, _ companion: Descriptor?, stated: LogFormat?) throws(ImmutaError) {
    // Partitions are told by their files' names.
    if stated == .bilog {
      self = .bilog
      return
    }
    let told = try Self.told(by: companion)
    guard let found = try told == nil ? Self.fitting(log) : told else {
      self = stated ?? .v2
      return
    }
    if let stated, stated != found {
      throw .invalidConfiguration(
        "\(log.path) is a log of the layout \(found), and was opened as \(stated); without a format it is recognised")
    }
    self = found
  }

  private static func told(by companion: Descriptor?) throws(ImmutaError) -> LogFormat? {
    guard let companion else { return nil }
    if let format = try companion.companionHeader()?.format { return format == .bilog ? nil : format }
    // Where the header is damaged, the first record's place still tells.
    guard let first = try companion.companionEntry(0) else { return nil }
    return [v1, v2].first { $0.headerSize == first.index }
  }

  /// The only layout whose header leads, by the size fields, through COUNT records of the file; nil if it is not the
  /// only one.
  private static func fitting(_ log: Descriptor) throws(ImmutaError) -> LogFormat? {
    let size = try log.size
    if size == 0 { return nil }
    var fitting: [LogFormat] = []
    for format in [v1, v2] where try format.fits(log, size: size) { fitting.append(format) }
    return fitting.count == 1 ? fitting[0] : nil
  }

  /// What v1 lacks, a LAST INDEX, its file's end must prove: otherwise too many damaged logs of v2 would fit it.
  private func fits(_ log: Descriptor, size: Int) throws(ImmutaError) -> Bool {
    guard size >= headerSize, let header = try log.logHeader(self),
      header.contradiction(format: self, fileSize: size) == nil, header.count > 0
    else { return false }
    var scanner = LogScanner(log, self, end: size)
    var (index, lastIndex) = (headerSize, 0)
    for _ in 0..<header.count {
      guard let payload = try scanner.size(at: index) else { return false }
      lastIndex = index
      index += recordHeaderSize + payload
    }
    return header.lastIndex.map { $0 == lastIndex } ?? (index == size)
  }
}
