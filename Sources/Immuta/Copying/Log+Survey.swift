/// What a log's files show from outside: who has it open, whether it was closed, how much disk space it takes. Works for a
/// damaged log, too. Changes nothing, and waits for nobody.
package struct LogSurvey: Hashable, Sendable {
  /// What is known of the companions; of several segments, the worst state.
  package enum Companion: String, Hashable, Sendable, Comparable {
    case whole
    case missing
    /// Its header is damaged, or it is another log's or another program's file.
    case damaged
    /// Of a version that this library does not know.
    case unknown

    private var rank: Int {
      switch self {
      case .whole: 0
      case .missing: 1
      case .damaged: 2
      case .unknown: 3
      }
    }

    package static func < (one: Companion, other: Companion) -> Bool { one.rank < other.rank }
  }

  /// Who has it open for writing; nil when nobody has.
  package let holder: LockHolder?
  /// Whether the companion says that the log was closed in good order, or no file says otherwise.
  package let wasClosed: Bool
  /// How opening for appending will recover a log that was not closed; nil where the log was closed or is open, and where opening
  /// will refuse it.
  package let recovery: String?
  package let companion: Companion
  /// Bytes that its files take on the disk, including space that was reserved for records to come.
  package let sizeOnDisk: Int

  /// Whether the newest segment's companion says which codec the log is written with, or that there is none.
  package let isCodecKnown: Bool
  /// Records of the segments before the newest whose checksums were made from their bytes, or are gone with the companion.
  package let unverifiableBefore: Int
  /// How many removed segments still have files, which a crash has left.
  package let leftoverCount: Int
  /// What is wrong with a segment before the newest, by its companion and the names of the other segments; nil if nothing is
  /// wrong.
  package let damage: Corruption?
  /// A file that a newer program wrote, and that keeps some of the records from being read, or more from being appended: the
  /// companion of a segment, or the intent of a step; nil where there is none.
  package let newer: UnsupportedVersion?

  /// Looks at the files of a namespace, or of a partition: at all sizes and companions, and at the contents of the newest
  /// segment. O(segments), and after a crash O(records that were not flushed).
  package init(_ namespace: String, in directory: String, isPartition: Bool = false) throws(ImmutaError) {
    let directory = try io(Directory(opening: directory))
    let home = LogFiles(directory: directory, namespace: namespace, isPartition: isPartition)
    sizeOnDisk = try io(home.sizeOnDisk())
    let folder = try SegmentFolder(home, FileTrust(in: directory))
    let files = folder.newest
    let holder = FileLock.holder(files.lock, in: directory, subject: namespace)
    self.holder = holder.map { LockHolder($0) }
    leftoverCount = folder.leftovers.count
    let (state, header, newerEnd) = Self.companion(of: files)
    var (worst, unverifiable, damage, newer) = (state, 0, Corruption?.none, newerEnd)
    for (first, end) in zip(folder.firsts, folder.firsts.dropFirst()) {
      let (state, header, newerSegment) = Self.companion(of: folder.files(of: first))
      worst = max(worst, state)
      newer = newer ?? newerSegment
      // Records of LogStore have checksums of their own.
      let count = isPartition ? 0 : header?.madeCount ?? (end - first)
      unverifiable += min(count, end - first)
      if damage == nil, let header { damage = try Self.damage(of: first..<end, header, in: folder, home) }
    }
    self.damage = damage
    // Nobody knows which logs such an intent is about, so no log of the directory can be opened for appending. A partition takes
    // part in no step.
    if newer == nil, !isPartition { newer = IntentFile.newerVersion(in: directory, FileTrust(in: directory)) }
    self.newer = newer
    (companion, unverifiableBefore) = (worst, unverifiable)
    isCodecKnown = header?.codecName != nil
    wasClosed = header?.isClean ?? true
    let isLeft = holder == nil && header?.isClean == false
    recovery = isLeft ? try? Self.recovery(files, io(FileTrust(in: files.directory).companion(of: files))) : nil
  }

  /// What is wrong with a sealed segment that does not end where the next one begins; nil for any other.
  private static func damage(
    of segment: Range<Int>, _ header: CompanionHeader, in folder: SegmentFolder, _ home: LogFiles
  ) throws(ImmutaError) -> Corruption? {
    let end = segment.lowerBound + header.stableCount
    guard header.isClean, header.firstSequence == segment.lowerBound, end != segment.upperBound else { return nil }
    if end < segment.upperBound { return .missing(end..<segment.upperBound, of: home.logPath) }
    var known = folder
    let identity = try LogKnowledge(home, nil, header.format, FileTrust(in: home.directory)).identity
    if let stray = try known.leaveOutStraysBetween(identity: identity).first { return stray }
    return folder.files(of: segment.lowerBound).goesOn(header.stableCount, after: segment.upperBound)
  }

  /// How many removed segments still have files, which a crash has left: see ``leftoverCount``. Looks only at the files' names.
  package static func leftoverCount(
    _ namespace: String, in directory: String, isPartition: Bool = false
  ) throws(ImmutaError) -> Int {
    let directory = try io(Directory(opening: directory))
    let home = LogFiles(directory: directory, namespace: namespace, isPartition: isPartition)
    return try SegmentFolder(home, FileTrust(in: directory)).leftovers.count
  }

  /// The state of a segment's companion, its header, and its version if that is too new.
  private static func companion(of files: LogFiles) -> (Companion, CompanionHeader?, UnsupportedVersion?) {
    do throws(ImmutaError) {
      guard let file = try io(FileTrust(in: files.directory).companion(of: files)) else { return (.missing, nil, nil) }
      guard let header = try file.companionHeader() else { return (.damaged, nil, nil) }
      return (.whole, header, nil)
    } catch .unsupportedVersion(let version) {
      return (.unknown, nil, version)
    } catch {
      return (.damaged, nil, nil)
    }
  }

  private static func recovery(
    _ files: LogFiles, _ companion: Descriptor?
  ) throws(ImmutaError) -> String? {
    guard let log = try io(files.directory.openIfPresent(files.log, .read)) else { return nil }
    let disk = try LogOnDisk(log: log, companion: companion, stated: files.isPartition ? .bilog : nil)
    var reconciliation = try Reconciliation(disk)
    let note = try reconciliation.run().note
    return files.note(note)
  }
}

extension Storage {
  /// Namespaces whose logs are missing while their other files say that they existed, sorted.
  package static func lostNamespaces(in directory: String) throws(ImmutaError) -> [(name: String, damage: Corruption)] {
    let place = try io(Directory(opening: directory))
    let names = try io(place.names())
    let logs = try io(LogFiles.names(in: place))
    let partitions = Set(try io(LogFiles.names(in: place, arePartitions: true)))
    let hasLayout = names.contains("logstore.layout")
    // A partition that has rolled has a meta file, which belongs to no namespace.
    func isOfPartition(_ name: String) -> Bool {
      guard name.hasSuffix(".bilog") else { return false }
      let partition = String(name.dropLast(".bilog".utf8.count))
      return partitions.contains(partition) || (hasLayout && Int(partition) != nil)
    }
    let others = Set(
      [".idx", ".meta"].flatMap { suffix in
        names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.utf8.count)) }
          .filter { suffix == ".idx" || !isOfPartition($0) }
      })
    var lost: [(name: String, damage: Corruption)] = []
    for name in others.subtracting(logs).sorted() where isValidNamespace(name) {
      // A file that cannot be read says nothing.
      if let damage = (try? LogFiles(directory: place, namespace: name).lostLog()) ?? nil {
        lost.append((name, damage))
      }
    }
    return lost
  }

  /// What a directory holds, by the names of its files.
  package static func contents(of directory: String) throws(ImmutaError) -> (logs: Bool, partitions: Bool) {
    let place = try io(Directory(opening: directory))
    let hasLayout = try io(place.status(of: "logstore.layout")) != nil
    return (
      try io(LogFiles.names(in: place)).isEmpty == false,
      try io(LogFiles.names(in: place, arePartitions: true)).isEmpty == false || hasLayout
    )
  }

  /// Whether files exist beside a file with a log's name that only a log leaves there.
  package static func hasTraces(_ namespace: String, in directory: String) throws(ImmutaError) -> Bool {
    LogFiles(directory: try io(Directory(opening: directory)), namespace: namespace).hasTraces
  }
}

extension Log {
  /// Compares the last record with its checksum, as a crash or a bad copy damages that record first. O(bytes of the record).
  ///
  /// - Throws: `.corrupted` naming the record, `.storageClosed`, `.io`.
  package func checkLastRecord() throws(ImmutaError) {
    let count = count
    if count > 0 { _ = try readRecord(count - 1) }
  }
}
