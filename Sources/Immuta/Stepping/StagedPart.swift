/// What a log has of a step that was decided on, as its files say.
///
/// Looks at them by themselves: the log is not open for writing while a step is settled.
struct StagedPart {
  let part: StepIntent.LogPart
  private let files: LogFiles
  private let trust: FileTrust

  enum State: Equatable {
    /// The records are part of the log, or were and are removed by now.
    case done
    /// They are in the file, whole, and not yet, or not for certain, part of the log.
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

  /// Takes the log's lock; nil where there is no log.
  func lock() throws(ImmutaError) -> FileLock? {
    guard try io(files.isThere()) else { return nil }
    let log = try io(files.directory.statusOfFile(files.log))
    return try io(
      FileLock.take(
        files.lock, in: files.directory, subject: files.namespace, rights: log?.rights, trust: trust, of: log))
  }

  /// What the log has of the step.
  ///
  /// - Parameter isMemoryWhole: whether what the processes stored last is what the files say, as the machine has not been down
  ///   since. Otherwise COUNT may have reached the device, and the entries that it vouches for not.
  func state(isMemoryWhole: Bool) throws(ImmutaError) -> State {
    guard try io(files.isThere()), let segment = try segment else { return .gone }
    guard let log = try io(segment.directory.openIfPresent(segment.log, .read)) else {
      // A segment that was sealed, and removed since.
      let names = try io(files.openFolder()?.names()) ?? []
      return names.contains { (files.first(ofLog: $0) ?? 0) > part.first } ? .done : .gone
    }
    if let identity = try identity(of: segment), identity != part.identity { return .gone }
    guard try io(log.size) >= part.format.headerSize, let header = try log.logHeader(part.format),
      header.count >= before
    else { return .gone }
    if header.count >= after, isMemoryWhole { return .done }
    if header.count > before, header.count < after { return .gone }
    if try records(in: log) != nil { return .staged }
    return header.count >= after ? .done : .gone
  }

  /// Nil where nothing says it.
  private func identity(of segment: LogFiles) throws(ImmutaError) -> LogIdentity? {
    let companion = try io(segment.directory.openIfPresent(segment.companion, .read))
    return try LogKnowledge(segment, companion?.companionHeader(), part.format, trust).identity
  }

  /// The step's records, where they are whole in the file.
  private func records(in log: Descriptor) throws(ImmutaError) -> [StagedRecord]? {
    var scanner = LogScanner(log, part.format, end: try io(log.size))
    var walk = RecordWalk(part.format, number: before, index: part.bytes.lowerBound)
    var records: [StagedRecord] = []
    var checksum: UInt32 = 0
    while walk.number < after {
      guard let place = try walk.next(in: &scanner), place.end <= part.bytes.upperBound,
        let ofRecord = try scanner.checksum(at: place.index, size: place.size)
      else { return nil }
      records.append(StagedRecord(index: place.index, checksum: ofRecord))
      checksum = StepIntent.LogPart.extend(checksum, with: ofRecord)
    }
    return walk.index == part.bytes.upperBound && checksum == part.checksum ? records : nil
  }

  /// Makes the records part of the log, as committing them would have. Its lock is held; they are staged.
  func commit() throws(ImmutaError) {
    guard let segment = try segment, let log = try io(segment.directory.openIfPresent(segment.log, .readWrite)),
      let records = try records(in: log)
    else { return }
    try io(trust.check(log.status(), segment.log))
    if let companion = try io(segment.directory.openIfPresent(segment.companion, .readWrite)) {
      try io(trust.check(companion.status(), segment.companion))
      try writeEntries(of: records, to: companion)
    }
    guard let last = records.last, let header = try log.logHeader(part.format), header.count < after else { return }
    try io(log.write(LogHeader(part.format, count: after, lastIndex: last.index).encoded(format: part.format), at: 0))
  }

  private func writeEntries(of records: [StagedRecord], to companion: Descriptor) throws(ImmutaError) {
    for first in stride(from: 0, to: records.count, by: StagedRecords.pieceCount) {
      let piece = records[first..<min(records.count, first + StagedRecords.pieceCount)]
      var bytes = [UInt8](repeating: 0, count: piece.count * CompanionEntry.size)
      unsafe bytes.withMutableBytes { bytes in
        for (place, record) in zip(piece.indices, piece) {
          let entry = CompanionEntry(
            index: record.index, time: part.time, recordChecksum: record.checksum,
            endsCommit: place == records.count - 1)
          let start = (place - first) * CompanionEntry.size
          unsafe entry.encode(
            into: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + CompanionEntry.size]),
            number: before + place)
        }
      }
      try io(companion.write(bytes, at: CompanionEntry.offset(of: before + first)))
    }
  }

  /// Puts the segment's files on stable storage. Blocks.
  func flush() throws(ImmutaError) {
    if let segment = try segment { try io(segment.flush()) }
  }
}
