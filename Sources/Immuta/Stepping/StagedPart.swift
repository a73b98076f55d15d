/// How much a log has of a step that was decided on, by its files.
///
/// It looks only at the files: the log is not open for writing while a step is settled.
struct StagedPart {
  let part: StepIntent.LogPart
  private let files: LogFiles
  private let trust: FileTrust

  enum State: Equatable {
    /// The records are part of the log, or were part of it and are removed by now.
    case done
    /// They are in the file, whole, but not yet, or not for certain, part of the log.
    case staged
    /// The log is not the one that they were staged in, or does not have them any more.
    case gone
  }

  init(_ part: StepIntent.LogPart, in directory: Directory, acceptsFilesOfOthers: Bool) {
    self.part = part
    files = LogFiles(directory: directory, namespace: part.namespace)
    trust = FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }

  private var segment: LogFiles? {
    get throws(ImmutaError) { files.segment(part.first, inFolder: try io(files.openFolder())) }
  }

  /// The number, in the segment, of the first of the step's records.
  private var before: Int { part.counts.lowerBound - part.first }
  private var after: Int { part.counts.upperBound - part.first }

  /// Takes the log's lock; nil where the log does not exist.
  func lock() throws(ImmutaError) -> FileLock? {
    guard try io(files.isThere()) else { return nil }
    let log = try io(files.directory.statusOfFile(files.log))
    return try io(
      FileLock.take(
        files.lock, in: files.directory, subject: files.namespace, rights: log?.rights, trust: trust, of: log))
  }

  /// How much the log has of the step.
  ///
  /// - Parameter isMemoryWhole: whether the files hold what the processes stored last, because the machine has been up since.
  ///   Otherwise COUNT may have reached the device without the entries that it vouches for.
  func state(isMemoryWhole: Bool) throws(ImmutaError) -> State {
    guard try io(files.isThere()), let segment = try segment else { return .gone }
    guard let log = try io(segment.directory.openIfPresent(segment.log, .read)) else {
      // The segment may have been sealed, and removed since.
      let names = try io(files.openFolder()?.names()) ?? []
      return names.contains { (files.first(ofLog: $0) ?? 0) > part.first } ? .done : .gone
    }
    try io(trust.check(log.status(), segment.log))
    let companion = try io(trust.companion(of: segment))
    guard try isSame(segment, companion?.companionHeader()) else { return .gone }
    guard try io(log.size) >= part.format.headerSize, let header = try log.logHeader(part.format),
      header.count >= before
    else { return .gone }
    if header.count >= after, isMemoryWhole { return .done }
    if header.count > before, header.count < after { return .gone }
    if try follows(companion, in: log), try areWhole(in: log) { return .staged }
    return header.count >= after ? .done : .gone
  }

  /// Whether the log is the one that the step is of, as far as a file holds it.
  private func isSame(_ segment: LogFiles, _ header: CompanionHeader?) throws(ImmutaError) -> Bool {
    if let header, header.format != part.format { return false }
    guard let identity = try LogKnowledge(segment, header, part.format, trust).identity else { return true }
    return identity == part.identity
  }

  /// Whether the step's records begin where the record before them ends, where its entry is whole: a log has no gaps, and no
  /// record lies in another.
  private func follows(_ companion: Descriptor?, in log: Descriptor) throws(ImmutaError) -> Bool {
    if before == 0 { return part.bytes.lowerBound == part.format.headerSize }
    guard let entry = try companion?.companionEntry(before - 1) else { return true }
    return try log.recordEnd(at: entry.index, part.format) == part.bytes.lowerBound
  }

  /// Whether the step's records are whole in the file.
  private func areWhole(in log: Descriptor) throws(ImmutaError) -> Bool {
    var checksum: UInt32 = 0
    let end = try forEachRecord(in: log) { (record) throws(ImmutaError) in
      checksum = StepIntent.LogPart.extend(checksum, with: record.checksum)
    }
    return end == part.bytes.upperBound && checksum == part.checksum
  }

  /// Returns where the last one ends; nil if some are missing.
  private func forEachRecord(
    in log: Descriptor, _ body: (StagedRecord) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> Int? {
    // However many the intent claims, they lie between START and END.
    guard part.counts.count <= part.bytes.count / part.format.recordHeaderSize else { return nil }
    var scanner = LogScanner(log, part.format, end: try io(log.size))
    var walk = RecordWalk(part.format, number: before, index: part.bytes.lowerBound)
    while walk.number < after {
      guard let place = try walk.next(in: &scanner), place.end <= part.bytes.upperBound,
        let checksum = try scanner.checksum(at: place.index, size: place.size)
      else { return nil }
      try body(StagedRecord(index: place.index, checksum: checksum))
    }
    return walk.index
  }

  /// Makes the records part of the log, as committing them would have. Its lock is held; they are staged.
  func commit() throws(ImmutaError) {
    guard let segment = try segment, let log = try io(segment.directory.openIfPresent(segment.log, .readWrite)) else {
      return
    }
    try io(trust.check(log.status(), segment.log))
    try io(log.checkUnclaimed(for: files.namespace))
    let companion = try io(segment.directory.openIfPresent(segment.companion, .readWrite))
    if let companion { try io(trust.check(companion.status(), segment.companion)) }
    // Times never go down within a log, whatever the intent says.
    let time = max(part.time, try companion?.companionEntry(before - 1)?.time ?? .min)
    var piece: [StagedRecord] = []
    var number = before
    var lastIndex = 0
    let end = try forEachRecord(in: log) { (record) throws(ImmutaError) in
      piece.append(record)
      lastIndex = record.index
      if piece.count == StagedRecords.pieceCount {
        try writeEntries(of: piece, from: number, time, to: companion)
        number += piece.count
        piece.removeAll(keepingCapacity: true)
      }
    }
    // `state` found the records whole before. If they cannot be read now, COUNT must not count them.
    guard end == part.bytes.upperBound, number + piece.count == after else {
      throw .corrupted(
        Corruption(
          .sizeField, path: segment.logPath, sequence: part.counts.lowerBound,
          reason: "the records of a step changed while it was being finished: nothing was added; open the log again"))
    }
    try writeEntries(of: piece, from: number, time, to: companion)
    guard let header = try log.logHeader(part.format), header.count < after else { return }
    try io(log.write(LogHeader(part.format, count: after, lastIndex: lastIndex).encoded(format: part.format), at: 0))
  }

  private func writeEntries(
    of records: [StagedRecord], from number: Int, _ time: Int64, to companion: Descriptor?
  ) throws(ImmutaError) {
    precondition(number >= before && number + records.count <= after, "a step makes entries of its own records only")
    guard let companion, !records.isEmpty else { return }
    var bytes = [UInt8](repeating: 0, count: records.count * CompanionEntry.size)
    unsafe bytes.withMutableBytes { bytes in
      for (place, record) in records.enumerated() {
        let entry = CompanionEntry(
          index: record.index, time: time, recordChecksum: record.checksum,
          endsCommit: number + place == after - 1)
        unsafe entry.encode(into: bytes.companionEntry(place), number: number + place)
      }
    }
    try io(companion.write(bytes, at: CompanionEntry.offset(of: number)))
  }

  /// Puts the segment's files on stable storage. Blocks.
  func flush() throws(ImmutaError) {
    if let segment = try segment { try io(segment.flush()) }
  }
}
