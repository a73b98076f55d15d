// Copying what is whole of a log into another.

extension Storage {
  /// Copies the sound records of a log, damaged or not, in their order, into a new namespace, and reports which are lost.
  ///
  /// The records get new numbers, without gaps, and new times. With a codec they are decoded, and encoded for their new place;
  /// records that cannot be decoded are lost.
  ///
  /// - Warning: Only the companion records which codec a log was written with. Where it is lost, give the codec: without one the
  ///   stored bytes are copied as if they were payloads. Encrypted payloads cannot be decoded in the new log, as they are bound
  ///   to the numbers and the namespace that they had. The report says so when the codec was not known.
  ///
  /// The damaged log stays as it is. O(bytes of the log), in bounded memory; blocks the calling thread. When it returns, all
  /// sound records are in the new namespace, on stable storage; if it throws, none.
  ///
  /// The new log is made in a folder beside the others, whose name ends in `.salvage`, and gets its own name when it is complete.
  /// If the process ends before that, the folder stays. The next salvage into the same namespace removes it, and says so in its
  /// report; ``remove(_:)`` removes it, too.
  ///
  /// - Parameters:
  ///   - namespace: the damaged log's name.
  ///   - directory: where its files are.
  ///   - newNamespace: the name of the log to be made.
  ///   - configuration: the codec that the log was written with, if any; see the warning.
  /// - Throws: as ``repair(_:in:format:applying:)``; `.duplicateNamespace` when the new namespace exists, `.locked` also while
  ///   another salvage into it runs, `.codecMismatch`.
  public static func salvage(
    _ namespace: String, in directory: String = "./logs", into newNamespace: String,
    configuration: Configuration = .init()
  ) throws -> RepairReport {
    for name in [namespace, newNamespace] where !isValidNamespace(name) { throw ImmutaError.invalidNamespace(name) }
    let place = try io(Directory(opening: directory))
    let files = configuration.files(of: namespace, in: place)
    let newFiles = configuration.files(of: newNamespace, in: place)
    let trust = FileTrust(in: place, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
    // What a step has staged counts as records once the step was decided on.
    try Settlement(
      files: files, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers, logger: configuration.logger
    ).settle(.log) {}
    let segments = try LogSegments(files, trust)
    // Taken before anything is made, so that nobody changes the log meanwhile.
    let lock = try segments.lock(for: .copying, trust)
    defer { lock?.unlock() }
    var first: (start: Int, source: SalvageSource)? = try firstSource(segments, configuration, trust)
    guard let original = first?.source.repair.disk.log else { preconditionFailure("it was opened") }
    let takesAsStored = first?.source.repair.codecName == nil && configuration.codecName.isEmpty
    try Removal(files: newFiles, trust: trust).finish()
    var made = try SalvagePlace(newFiles, like: original, trust)
    var report: RepairReport
    do {
      let storage = try newStorage(newNamespace, configuration, in: made.folder, like: original)
      defer { storage.close() }
      report = try storage.transaction(in: newNamespace) { transaction in
        let reports = try segments.reports { (files, place) throws(ImmutaError) in
          let isOpen = first?.start == files.first
          let source =
            if isOpen, let first { first.source } else { try SalvageSource(files, place, configuration, trust) }
          if isOpen { first = nil }
          return try source.copySoundRecords(to: transaction.writer)
        }
        return segments.report(reports)
      }
      try storage.closeReporting()
      try made.install()
    } catch {
      // All records or none: the new namespace holds nothing.
      made.abandon()
      throw error
    }
    report.actions = made.hasCleared ? [.removeUnfinishedSalvage] : []
    report.actions.append(.copyRecords(report.sound, into: newNamespace))
    if takesAsStored { report.actions.append(.takePayloadsAsStored) }
    report.isApplied = true
    return report
  }

  private static func newStorage(
    _ namespace: String, _ configuration: Configuration, in folder: Directory, like log: Descriptor
  ) throws -> Storage {
    var configuration = configuration
    configuration.access = .readWrite
    // The copy is one transaction, and none of it is removed.
    (configuration.segments, configuration.retention) = (SegmentLimits(), Retention())
    let storage = try Storage(in: io(folder.duplicate()), configuration: configuration)
    // Empty, with the access rights of the original; the storage goes on with it.
    _ = try io(folder.create(configuration.files(of: namespace, in: folder).log, like: log))
    _ = try storage.log(namespace, creating: true)
    return storage
  }

  /// The first segment whose records can be copied.
  private static func firstSource(
    _ segments: LogSegments, _ configuration: Configuration, _ trust: FileTrust
  ) throws(ImmutaError) -> (start: Int, source: SalvageSource) {
    var refusal: Corruption?
    for (number, start) in segments.firsts.enumerated() {
      do throws(ImmutaError) {
        return (start, try SalvageSource(segments.files(of: start), segments.place(number), configuration, trust))
      } catch .corrupted(let damage) {
        refusal = refusal ?? damage
      }
    }
    guard let refusal else { preconditionFailure("a log has a segment") }
    throw .corrupted(refusal)
  }
}

/// A segment whose whole records are copied, while the log's lock is held.
private struct SalvageSource {
  let repair: Repair
  private let opening: Opening

  init(
    _ files: LogFiles, _ place: SegmentPlace, _ configuration: Storage.Configuration, _ trust: FileTrust
  ) throws(ImmutaError) {
    repair = try Repair(files, stated: configuration.format, for: .copying, trust: trust, in: place) { size in
      configuration.scanProgress(files, size: size, passCount: 3)
    }
    opening = Opening(
      files: files, options: configuration.opening(nil),
      pools: TransformPools(encoding: configuration.encoding, decoding: configuration.decoding))
    let codecs = opening.codecs(repair.format)
    try codecs.checkName(repair.codecName)
    if repair.codecName == nil { try repair.checkPayloads(codecs) }
  }

  /// Adds the whole records to what is staged. Reports which records were whole, and which were not.
  func copySoundRecords(to writer: LogWriter) throws(ImmutaError) -> RepairReport {
    var report = repair.report
    // A companion that belongs to another log was set aside.
    let (log, format) = (repair.disk.log, repair.format)
    var examination = try Examination(repair.disk, count: report.promised)
    // The examination compares the checksums.
    let check = opening.check(format).verifyingChecksums(false)
    var undecodable: [RepairReport.LostRange] = []
    var lostCount = 0
    // Small payloads are taken from a buffer: a system call for each would take longer than all the rest.
    var payloads = LogScanner(log, format, end: try io(log.size))
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
          ? try LargeRecord.readWhole(check.first + number, entry, size: finding.size, from: log, check)
          : try LargeRecord.read(check.first + number, entry, size: finding.size, from: log, check)
        try copy(record.payload, to: writer)
      } catch .undecodable(let corruption) {
        let reason = RepairReport.LossReason.undecodable(corruption.reason.description)
        // With another key, that is all of them.
        if let last = undecodable.last, last.sequences.upperBound == number, last.reason == reason {
          undecodable[undecodable.count - 1].sequences = last.sequences.lowerBound..<number + 1
        } else {
          undecodable.append(
            RepairReport.LostRange(sequences: number..<number + 1, index: entry.index, reason: reason))
        }
        lostCount += 1
      }
    }
    report.sound -= lostCount
    report.lost = (report.lost + undecodable).sorted { $0.sequences.lowerBound < $1.sequences.lowerBound }
    return report
  }

  /// Adds a record with this payload, or nothing: a large payload may turn out half-way not to be decodable.
  private func copy(_ payload: Payload, to writer: LogWriter) throws(ImmutaError) {
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
