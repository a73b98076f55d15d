/// What a log's files say from outside: who has it, whether it was closed, what it takes on the disk. Of a log that is
/// damaged, too. Changes nothing, and waits for nobody.
package struct LogSurvey: Hashable, Sendable {
  /// What is known of the companion.
  package enum Companion: String, Hashable, Sendable {
    case whole
    case missing
    /// Its header is damaged, or it is another log's or another program's file.
    case damaged
    /// Of a version that this library does not know.
    case unknown
  }

  /// Who has it open for writing; nil when nobody has.
  package let holder: LockHolder?
  /// Whether the companion says that the log was closed in good order, or nothing says that it was not.
  package let wasClosed: Bool
  /// What opening a log for appending will do that was not closed; nil where it was closed or is open, and where opening
  /// will refuse it.
  package let recovery: String?
  package let companion: Companion
  /// Bytes that its files take on the disk: with space that was reserved for records to come.
  package let sizeOnDisk: Int

  /// Looks at the files of a namespace, or of a partition: at all sizes, and at what the newest segment says. O(segments), and
  /// after a crash O(records that were not flushed).
  package init(_ namespace: String, in directory: String, isPartition: Bool = false) throws(ImmutaError) {
    let directory = try io(Directory(opening: directory))
    let home = LogFiles(directory: directory, namespace: namespace, isPartition: isPartition)
    sizeOnDisk = try io(home.sizeOnDisk())
    // The others are sealed.
    let files = try SegmentFolder(home).newest
    let holder = FileLock.holder(files.lock, in: directory, subject: namespace)
    self.holder = holder.map { LockHolder($0) }
    let file: Descriptor?
    do throws(FileError) {
      file = try files.directory.openIfPresent(files.companion, .read)
    } catch {
      (wasClosed, recovery, companion) = (true, nil, .damaged)
      return
    }
    guard let file else {
      (wasClosed, recovery, companion) = (true, nil, .missing)
      return
    }
    let header: CompanionHeader?
    do throws(ImmutaError) {
      header = try file.companionHeader()
    } catch .unsupportedVersion {
      (wasClosed, recovery, companion) = (true, nil, .unknown)
      return
    }
    guard let header else {
      (wasClosed, recovery, companion) = (true, nil, .damaged)
      return
    }
    companion = .whole
    wasClosed = header.isClean
    recovery = holder == nil && !header.isClean ? try? Self.recovery(files, file) : nil
  }

  private static func recovery(
    _ files: LogFiles, _ companion: Descriptor
  ) throws(ImmutaError) -> String? {
    guard let log = try io(files.directory.openIfPresent(files.log, .read)) else { return nil }
    let disk = try LogOnDisk(log: log, companion: companion, stated: files.isPartition ? .bilog : nil)
    var reconciliation = try Reconciliation(disk)
    let note = try reconciliation.run().note
    // What it says is of this segment alone.
    return files.first == 0 ? note : note.map { "in its newest segment, from record \(files.first) on: \($0)" }
  }
}

extension Storage {
  /// Namespaces whose logs are missing while other files of theirs say that there were some, sorted.
  package static func lostNamespaces(in directory: String) throws(ImmutaError) -> [(name: String, damage: Corruption)] {
    let place = try io(Directory(opening: directory))
    let names = try io(place.names())
    let logs = try io(LogFiles.names(in: place))
    let others = Set(
      [".idx", ".meta"].flatMap { suffix in
        names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.utf8.count)) }
      })
    var lost: [(name: String, damage: Corruption)] = []
    for name in others.subtracting(logs).sorted() where isValidNamespace(name) {
      // One that cannot be read says nothing.
      if let damage = (try? LogFiles(directory: place, namespace: name).lostLog()) ?? nil {
        lost.append((name, damage))
      }
    }
    return lost
  }

  /// What a directory holds, by the names in it.
  package static func contents(of directory: String) throws(ImmutaError) -> (logs: Bool, partitions: Bool) {
    let place = try io(Directory(opening: directory))
    let hasLayout = try io(place.status(of: "logstore.layout")) != nil
    return (
      try io(LogFiles.names(in: place)).isEmpty == false,
      try io(LogFiles.names(in: place, arePartitions: true)).isEmpty == false || hasLayout
    )
  }

  /// Whether something is beside a file of a log's name that only a log leaves there.
  package static func hasTraces(_ namespace: String, in directory: String) throws(ImmutaError) -> Bool {
    LogFiles(directory: try io(Directory(opening: directory)), namespace: namespace).hasTraces
  }
}

extension Log {
  /// Compares the last record with its checksum: what a crash or a bad copy damages first. O(bytes of the record).
  ///
  /// - Throws: `.corrupted` naming the record, `.storageClosed`, `.io`.
  package func checkLastRecord() throws(ImmutaError) {
    let count = count
    if count > 0 { _ = try readRecord(count - 1) }
  }
}
