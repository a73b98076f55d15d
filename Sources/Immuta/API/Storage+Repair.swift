extension Storage {
  /// Says what is wrong with a log, and repairs what can be repaired, if asked to.
  ///
  /// A log that opens for appending needs no repair: what a crash leaves is recovered on opening, and a damaged record
  /// in its middle throws when it is read while the others stay readable. This is for logs that opening refuses: a
  /// damaged header, a damaged or missing end. Records up to the last whole one stay; what is behind is cut off. The
  /// companion's damaged entries are made again where the log tells how.
  ///
  /// Nothing is taken away without a copy: the old header, the bytes that are cut off and the old companion are saved
  /// beside the log first, under names that end in `.saved-` and a number. To have the sound records of a log without
  /// the damaged ones between them, see ``salvage(_:in:into:configuration:)``.
  ///
  /// O(bytes of the log), in bounded memory; blocks the calling thread. The namespace must not be open for writing.
  ///
  /// - Parameters:
  ///   - namespace: the log's name.
  ///   - directory: where its files are.
  ///   - format: `.bilog` for a log of LogStore's; others tell their layout themselves. Needed where the report has a
  ///     `possibleFormat`.
  ///   - applying: whether to do it; by default it only says what it would do, changes nothing, and needs no right to
  ///     write.
  /// - Throws: `.namespaceNotFound`, `.invalidNamespace`, `.locked`, `.foreignOwner`, `.io`; `.corrupted` when nothing of
  ///   the log is left, or when applying would cut records off a log that may be a sound one of a format that was not
  ///   stated.
  public static func repair(
    _ namespace: String, in directory: String = "./logs", format: LogFormat? = nil, applying: Bool = false
  ) throws(ImmutaError) -> RepairReport {
    try repair(namespace, in: directory, format: format, applying: applying, acceptingFilesOfOthers: false)
  }

  /// The same, where files that another user put there may be trusted: see ``Configuration/acceptsFilesOfOthers``.
  public static func repair(
    _ namespace: String, in directory: String = "./logs", format: LogFormat? = nil, applying: Bool = false,
    acceptingFilesOfOthers: Bool
  ) throws(ImmutaError) -> RepairReport {
    try repair(
      namespace, in: directory, format: format, applying: applying, acceptingFilesOfOthers: acceptingFilesOfOthers,
      progress: nil)
  }

  /// The same, telling now and then how much of how much is done.
  package static func repair(
    _ namespace: String, in directory: String, format: LogFormat?, applying: Bool, acceptingFilesOfOthers: Bool,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  ) throws(ImmutaError) -> RepairReport {
    guard isValidNamespace(namespace) else { throw .invalidNamespace(namespace) }
    let place = try io(Directory(opening: directory))
    let files = LogFiles(directory: place, namespace: namespace, isPartition: format == .bilog)
    let folder = try SegmentFolder(files)
    func repaired(_ files: LogFiles) throws(ImmutaError) -> RepairReport {
      try repair(files, format: format, applying: applying, acceptingFilesOfOthers, progress)
    }
    if folder.firsts == [0] { return try repaired(files) }
    var reports: [(first: Int, report: RepairReport)] = []
    for first in folder.firsts { reports.append((first, try repaired(folder.files(of: first)))) }
    return RepairReport(namespace, of: reports, from: try firstSequence(folder, acceptingFilesOfOthers))
  }

  /// The first record that was not removed from a log that has rolled.
  private static func firstSequence(
    _ folder: SegmentFolder, _ acceptingFilesOfOthers: Bool
  ) throws(ImmutaError) -> Int {
    let newest = folder.newest
    let trust = FileTrust(in: newest.directory, acceptsFilesOfOthers: acceptingFilesOfOthers)
    let header = try io(newest.directory.openIfPresent(newest.companion, .read))?.companionHeader()
    let knowledge = try LogKnowledge(newest, header, header?.format ?? .v2, trust)
    return max(header?.removedCount ?? 0, knowledge.removedCount)
  }

  /// One segment.
  private static func repair(
    _ files: LogFiles, format: LogFormat?, applying: Bool, _ acceptingFilesOfOthers: Bool,
    _ progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  ) throws(ImmutaError) -> RepairReport {
    var repair = try Repair(
      files, stated: format, for: applying ? .applying : .looking,
      trust: FileTrust(in: files.directory, acceptsFilesOfOthers: acceptingFilesOfOthers)
    ) { size in
      // Recognising the layout, opening it on trial, examining it, and once more to write what was found.
      progress.map { ScanProgress(size: size, passCount: applying ? 4 : 3, pause: .milliseconds(100), tell: $0) }
    }
    defer { repair.endProgress() }
    if applying { try repair.apply() }
    return repair.report
  }

  /// Copies the sound records of a log, damaged or not, in their order, into a new namespace, and says which are lost.
  ///
  /// The records get new numbers, without gaps, and new times. With a codec they are decoded, and encoded for their new
  /// place; those that cannot be decoded are lost.
  ///
  /// - Warning: Only the companion tells which codec a log was written with. Where it is lost, give the codec: without
  ///   one the stored bytes are copied as if they were payloads. Encrypted ones cannot be decoded in the new log, as
  ///   they are bound to the numbers and the namespace they had. The report says so when it was not known.
  ///
  /// The damaged log stays as it is. O(bytes of the log), in bounded memory; blocks the calling thread. Either all
  /// sound records are in the new namespace when it returns, or, if it throws, none.
  ///
  /// - Parameters:
  ///   - namespace: the damaged log's name.
  ///   - directory: where its files are.
  ///   - newNamespace: the name of the log to be made.
  ///   - configuration: the codec that the log was written with, if any; see the warning.
  /// - Throws: as ``repair(_:in:format:applying:)``; `.duplicateNamespace` when the new namespace exists,
  ///   `.codecMismatch`.
  public static func salvage(
    _ namespace: String, in directory: String = "./logs", into newNamespace: String,
    configuration: Configuration = .init()
  ) throws -> RepairReport {
    for name in [namespace, newNamespace] where !isValidNamespace(name) { throw ImmutaError.invalidNamespace(name) }
    let place = try io(Directory(opening: directory))
    let files = configuration.files(of: namespace, in: place)
    let newFiles = configuration.files(of: newNamespace, in: place)
    // Any file of it: what the new log would replace, or go on with, is somebody's.
    for name in newFiles.ofLog where try io(place.status(of: name) != nil) {
      throw ImmutaError.duplicateNamespace(newNamespace)
    }
    let trust = FileTrust(in: place, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
    let repair = try Repair(files, stated: configuration.format, for: .copying, trust: trust) { size in
      configuration.scanProgress(files, size: size, passCount: 3)
    }
    let opening = Opening(
      files: files, options: configuration.opening,
      pools: TransformPools(encoding: configuration.encoding, decoding: configuration.decoding))
    let codecs = opening.codecs(repair.format)
    try codecs.checkName(repair.codecName)
    if repair.codecName == nil { try repair.checkPayloads(codecs) }
    var report = repair.report
    var made: FileIdentity?
    // The repair holds the log's lock: nobody changes it meanwhile.
    do {
      try withExtendedLifetime(repair) {
        try copySoundRecords(of: opening, configuration, repair, &report, into: newNamespace, &made)
      }
    } catch {
      // None, if not all: the new namespace holds nothing. What somebody else made meanwhile stays.
      if let made, (try? place.status(of: newFiles.log))?.identity == made {
        for name in newFiles.ofLog { try? place.remove(name) }
      }
      throw error
    }
    report.actions = [.copyRecords(report.sound, into: newNamespace)]
    if repair.codecName == nil, configuration.codecName.isEmpty {
      report.actions.append(.takePayloadsAsStored)
    }
    report.isApplied = true
    return report
  }

  private static func copySoundRecords(
    of opening: Opening, _ configuration: Configuration, _ repair: Repair, _ report: inout RepairReport,
    into newNamespace: String,
    _ made: inout FileIdentity?
  ) throws {
    let files = opening.files
    // One that belongs to another log was set aside.
    let (log, format) = (repair.disk.log, repair.format)
    var examination = try Examination(repair.disk, count: report.promised)
    var configuration = configuration
    configuration.access = .readWrite
    // The examination compares the checksums.
    let check = opening.check(format).verifyingChecksums(false)
    let storage = try Storage(in: io(files.directory.duplicate()), configuration: configuration)
    defer { storage.close() }
    made = try begin(newNamespace, configuration.files(of: newNamespace, in: files.directory), like: log)
    _ = try storage.log(newNamespace, creating: true)
    var undecodable: [RepairReport.LostRange] = []
    var lostCount = 0
    // Small payloads are taken from a buffer: a call for each would take longer than all the rest.
    var payloads = LogScanner(log, format, end: try io(log.size))
    try storage.transaction(in: newNamespace) { transaction in
      let writer = transaction.writer
      try examination.run { (finding) throws(ImmutaError) in
        guard finding.damage == nil, let entry = finding.entry else { return }
        if check.decoder == nil,
          try unsafe payloads.withPayload(
            at: entry.index, size: finding.size,
            { (bytes) throws(ImmutaError) in _ = try unsafe writer.stage(bytes) })
        {
          return
        }
        let number = finding.sequence
        do throws(ImmutaError) {
          let isSmall = finding.size <= LogReader.largestInMemory
          let record =
            isSmall
            ? try LargeRecord.readWhole(number, entry, size: finding.size, from: log, check)
            : try LargeRecord.read(number, entry, size: finding.size, from: log, check)
          try copy(record.payload, to: writer)
        } catch .undecodable(let corruption) {
          let reason = RepairReport.LossReason.undecodable(corruption.reason)
          // All of them, with another key.
          if let last = undecodable.last, last.sequences.upperBound == number, last.reason == reason {
            undecodable[undecodable.count - 1].sequences = last.sequences.lowerBound..<number + 1
          } else {
            undecodable.append(
              RepairReport.LostRange(sequences: number..<number + 1, index: entry.index, reason: reason))
          }
          lostCount += 1
        }
      }
    }
    try storage.sync()
    report.sound -= lostCount
    report.lost = (report.lost + undecodable).sorted { $0.sequences.lowerBound < $1.sequences.lowerBound }
  }

  /// Makes an empty log with the rights of the one it comes from; the storage goes on with it, as with any that is empty.
  /// Returns which file that is.
  private static func begin(
    _ name: String, _ files: LogFiles, like log: Descriptor
  ) throws(ImmutaError) -> FileIdentity {
    do throws(FileError) {
      return try files.directory.create(files.log, like: log).status().identity
    } catch {
      throw error.errorNumber == ErrorNumber.exists ? .duplicateNamespace(name) : ImmutaError(error)
    }
  }

  /// Adds a record of this payload, or nothing: a large one may turn out not to be decodable half-way.
  private static func copy(_ payload: Payload, to writer: LogWriter) throws(ImmutaError) {
    var chunks = payload.chunks().makeIterator()
    try writer.beginRecord()
    do throws(ImmutaError) {
      while let chunk = try chunks.nextOrThrow() {
        try unsafe chunk.withUnsafeBytes { (bytes) throws(ImmutaError) in try unsafe writer.extendRecord(bytes) }
      }
      _ = try writer.endRecord()
    } catch {
      writer.abandonRecord()
      throw error
    }
  }
}
