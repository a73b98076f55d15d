extension Storage {
  /// Reports what is wrong with a log, and repairs what can be repaired, if asked to.
  ///
  /// A log that opens for appending needs no repair: opening recovers it after a crash, and a damaged record in its middle throws
  /// when it is read while the others stay readable. Repair is for logs that opening refuses: those with a damaged header, or a
  /// damaged or missing end. Records up to the last whole one stay; the bytes after it are cut off. Damaged entries of the
  /// companion are made again where the log has what they need.
  ///
  /// Of a log that has rolled, each segment is examined. A segment that is refused, because its file belongs elsewhere, is
  /// reported as lost and left alone, and the others are repaired. Faults of the files themselves are in the report's
  /// ``RepairReport/problems``.
  ///
  /// Nothing is removed without a copy: the old header, the bytes that are cut off and the old companion are saved beside the log
  /// first, under names that end in `.saved-` and a number. To have the sound records of a log without the damaged ones between
  /// them, see ``salvage(_:in:into:configuration:)``.
  ///
  /// O(bytes of the log), in bounded memory; blocks the calling thread. The namespace must not be open for writing.
  ///
  /// - Parameters:
  ///   - namespace: the log's name.
  ///   - directory: where its files are.
  ///   - format: `.bilog` for a log of LogStore's; for others the layout is found in the file. Needed where the report has a
  ///     `possibleFormat`.
  ///   - applying: whether to repair; by default this only reports what it would do, changes nothing, and needs no right to
  ///     write.
  /// - Throws: `.namespaceNotFound`, `.invalidNamespace`, `.locked`, `.foreignOwner`, `.io`; `.corrupted` when nothing of the log
  ///   is left, or when applying would cut records off a log that may be sound in a format that was not stated.
  public static func repair(
    _ namespace: String, in directory: String = "./logs", format: LogFormat? = nil, applying: Bool = false
  ) throws(ImmutaError) -> RepairReport {
    try repair(namespace, in: directory, format: format, applying: applying, acceptingFilesOfOthers: false)
  }

  /// The same, where files of other users may be trusted: see ``Configuration/acceptsFilesOfOthers``.
  public static func repair(
    _ namespace: String, in directory: String = "./logs", format: LogFormat? = nil, applying: Bool = false,
    acceptingFilesOfOthers: Bool
  ) throws(ImmutaError) -> RepairReport {
    try repair(
      namespace, in: directory, format: format, applying: applying, acceptingFilesOfOthers: acceptingFilesOfOthers,
      progress: nil)
  }

  /// The same, reporting now and then how much of how much is done.
  package static func repair(
    _ namespace: String, in directory: String, format: LogFormat?, applying: Bool, acceptingFilesOfOthers: Bool,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  ) throws(ImmutaError) -> RepairReport {
    guard isValidNamespace(namespace) else { throw .invalidNamespace(namespace) }
    let place = try io(Directory(opening: directory))
    let files = LogFiles(directory: place, namespace: namespace, isPartition: format == .bilog)
    let trust = FileTrust(in: place, acceptsFilesOfOthers: acceptingFilesOfOthers)
    // Otherwise what a step has staged would be cut off.
    if applying {
      try Settlement(files: files, acceptsFilesOfOthers: acceptingFilesOfOthers, logger: nil).settle(.log) {}
    } else if !files.isPartition, let newer = IntentFile.newerVersion(in: place, trust) {
      throw .unsupportedVersion(newer)
    }
    let segments = try LogSegments(files, trust)
    let purpose: Repair.Purpose = applying ? .applying : .looking
    let lock = try segments.lock(for: purpose, trust)
    defer { lock?.unlock() }
    let reports = try segments.reports { (files, place) throws(ImmutaError) in
      try repair(files, place, format: format, applying: applying, acceptingFilesOfOthers, progress)
    }
    return segments.report(reports)
  }

  /// One segment.
  private static func repair(
    _ files: LogFiles, _ place: SegmentPlace, format: LogFormat?, applying: Bool, _ acceptingFilesOfOthers: Bool,
    _ progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  ) throws(ImmutaError) -> RepairReport {
    var repair = try Repair(
      files, stated: format, for: applying ? .applying : .looking,
      trust: FileTrust(in: files.directory, acceptsFilesOfOthers: acceptingFilesOfOthers), in: place
    ) { size in
      // One pass each for recognising the layout, opening it on trial, examining it, and writing what was found.
      progress.map { ScanProgress(size: size, passCount: applying ? 4 : 3, pause: .milliseconds(100), tell: $0) }
    }
    defer { repair.endProgress() }
    if applying { try repair.apply() }
    return repair.report
  }
}
