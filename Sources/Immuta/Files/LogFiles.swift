/// Where the files of a namespace are: those of one of its segments, and those that exist once.
package struct LogFiles: Sendable {
  /// Where the segment's files are: the namespace's directory, or the folder of its other segments.
  package let directory: Directory
  package let namespace: String
  /// Whether the log is a LogStore's partition rather than a storage's log.
  let isPartition: Bool
  /// The number of the segment's first record.
  let first: Int
  /// The namespace's directory, for a segment in the folder.
  private let homeDirectory: Directory?

  package init(directory: Directory, namespace: String, isPartition: Bool = false) {
    self.init(directory: directory, namespace: namespace, isPartition: isPartition, first: 0, home: nil)
  }

  private init(directory: Directory, namespace: String, isPartition: Bool, first: Int, home: Directory?) {
    self.directory = directory
    self.namespace = namespace
    self.isPartition = isPartition
    self.first = first
    homeDirectory = home
  }

  /// The same in another directory.
  package func moved(to directory: Directory) -> LogFiles {
    LogFiles(directory: directory, namespace: namespace, isPartition: isPartition)
  }

  // MARK: Segments

  /// The segment with the namespace's first record: its directory has the files that exist once for the log.
  var home: LogFiles {
    guard let homeDirectory else { return self }
    return LogFiles(directory: homeDirectory, namespace: namespace, isPartition: isPartition)
  }

  /// The segment that begins with record `first`, which is in the folder.
  func segment(_ first: Int, in folder: Directory) -> LogFiles {
    precondition(first > 0, "the segment with the first record is not in the folder")
    return LogFiles(
      directory: folder, namespace: namespace, isPartition: isPartition, first: first, home: home.directory)
  }

  /// The segment that begins with a record; nil where it is one of the folder, and there is none.
  func segment(_ first: Int, inFolder folder: Directory?) -> LogFiles? {
    first == 0 ? home : folder.map { segment(first, in: $0) }
  }

  /// The folder of the other segments; nil where there is none.
  func openFolder() throws(FileError) -> Directory? { try home.directory.folder(segmentsFolder) }

  /// Bytes of the segment's log file; nil where there is none.
  func logSize() throws(FileError) -> Int? { try directory.status(of: log)?.size }

  /// The name, in the folder, of the log file that begins with record `first`.
  func segmentLog(_ first: Int) -> String { Self.digits(first) + logSuffix }

  /// The folder of the other segments.
  var segmentsFolder: String { "\(namespace).segments" }

  /// That folder's name once the log is removed: see ``isBeingRemoved()``.
  var removedFolder: String { "\(segmentsFolder).removed" }

  /// How the name of a log file ends.
  private var logSuffix: String { isPartition ? ".bilog" : ".log" }
  /// How the name of a companion ends. A partition's name ends in neither of a namespace's suffixes, so that no namespace,
  /// whatever it is called, shares a file with a partition.
  private var companionSuffix: String { isPartition ? ".bilog.companion" : ".idx" }

  /// The first part of the names of a segment's files.
  private var stem: String { first == 0 ? namespace : Self.digits(first) }

  /// 20 digits: names in their order are segments in theirs.
  static func digits(_ first: Int) -> String {
    let digits = String(first)
    return String(repeating: "0", count: 20 - digits.count) + digits
  }

  /// The first record of the segment whose log, or companion, has this name in the folder; nil for other files.
  func first(ofLog name: String) -> Int? { first(of: name, logSuffix) }
  func first(ofCompanion name: String) -> Int? { first(of: name, companionSuffix) }

  private func first(of name: String, _ suffix: String) -> Int? {
    guard name.utf8.count == 20 + suffix.utf8.count, name.hasSuffix(suffix),
      name.utf8.prefix(20).allSatisfy({ (48...57).contains($0) }), let first = Int(name.prefix(20)), first > 0,
      first < Self.limit
    else { return nil }
    return first
  }

  /// No log has so many records. The sum of two such numbers can still be named.
  private static var limit: Int { 1 << 58 }

  /// The names of the next segment's files, in the folder, until the log rolls.
  var nextLog: String { "next" + logSuffix }
  var nextCompanion: String { "next" + companionSuffix }

  // MARK: Names of the segment's files, in `directory`

  /// The log file: exactly Immuta's, or LogStore's.
  package var log: String { stem + logSuffix }
  /// The companion.
  package var companion: String { stem + companionSuffix }
  /// A companion that is being made, until it takes the old one's place.
  package var newCompanion: String { companion + ".new" }

  // MARK: Names of what the log has once, in the directory of `home`

  /// The file whose lock the writer has. A partition may share it with a namespace of a strange name: then only one of
  /// the two is open for writing at a time.
  package var lock: String { isPartition ? "\(namespace).bilog.lock" : "\(namespace).lock" }

  /// Holds facts that the companion holds, too, so that losing one of them loses nothing. The meta file of a partition, whose
  /// payloads are stored as they are, exists once it has rolled.
  package var meta: String { isPartition ? "\(namespace).bilog.meta" : "\(namespace).meta" }

  /// The names of all files that hold something of the log and are not in a folder.
  package var ofLog: [String] { [log, companion, meta] }

  /// The folder of states that were computed from the log's records.
  var projectionsFolder: String { isPartition ? "\(namespace).bilog.projections" : "\(namespace).projections" }

  /// Folders that belong to the log.
  var folders: [String] {
    [segmentsFolder, consumersFolder, projectionsFolder, keysFolder, salvage]
  }

  /// The folder of the indexes of keys.
  var keysFolder: String { isPartition ? "\(namespace).bilog.keys" : "\(namespace).keys" }

  /// The folder of its consumers' positions, in the directory of `home`.
  var consumersFolder: String { isPartition ? "\(namespace).bilog.consumers" : "\(namespace).consumers" }

  /// The folder in which a salvage makes the log. It stays only where the salvage did not end.
  package var salvage: String { "\(home.log).salvage" }

  /// Whether the log was removed, and files are left of it because the removal did not end: no segment of it counts any more.
  /// A log that has rolled is removed by giving its folder another name, which is one step; its files go after that.
  ///
  /// Where others make files in the directory, too, anybody can make a folder of that name: another user's says nothing.
  func isBeingRemoved() throws(FileError) -> Bool {
    guard let found = try home.directory.status(of: removedFolder), found.isDirectory else { return false }
    return try FileTrust(in: home.directory).holds(found, in: home.directory, of: home)
  }

  /// Whether there is a log of the name: the segment with its first record, or, where that was removed, another one.
  package func isThere() throws(FileError) -> Bool {
    let home = home
    if try isBeingRemoved() { return false }
    if try home.directory.status(of: home.log) != nil { return true }
    return try openFolder()?.names().contains { first(ofLog: $0) != nil } ?? false
  }

  /// Puts the segment's files on stable storage, whichever process has them open. Blocks.
  func flush() throws(FileError) {
    for name in [log, companion] {
      if let file = try directory.openIfPresent(name, .readWrite) { try file.flush() }
    }
  }

  // MARK: Paths, for messages

  package var logPath: String { directory.path(of: log) }
  package var companionPath: String { directory.path(of: companion) }
}
