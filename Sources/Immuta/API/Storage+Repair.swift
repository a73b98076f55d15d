extension Storage {
  /// Says what is wrong with a log, and repairs what can be repaired, if asked to.
  ///
  /// A log that opens for appending needs no repair: what a crash leaves is recovered on opening, and a damaged record
  /// in its middle throws when it is read while the others stay readable. This is for logs that opening refuses: a
  /// damaged header, a damaged or missing end. Records up to the last whole one stay; what comes after is cut off. The
  /// companion's damaged entries are made again where the log tells how.
  ///
  /// Of a log that has rolled, each segment is looked at. One that is refused, because its file is another one's, is reported
  /// as lost and left alone, and the others are repaired. What is wrong with the files themselves is in the report's
  /// ``RepairReport/problems``.
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
    let trust = FileTrust(in: place, acceptsFilesOfOthers: acceptingFilesOfOthers)
    // What a step has staged would be cut off.
    if applying {
      try Settlement(files: files, acceptsFilesOfOthers: acceptingFilesOfOthers, logger: nil).settle(.log) {}
    } else if !files.isPartition {
      try IntentFile.checkVersions(in: place, trust)
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
      // Recognising the layout, opening it on trial, examining it, and once more to write what was found.
      progress.map { ScanProgress(size: size, passCount: applying ? 4 : 3, pause: .milliseconds(100), tell: $0) }
    }
    defer { repair.endProgress() }
    if applying { try repair.apply() }
    return repair.report
  }
}
