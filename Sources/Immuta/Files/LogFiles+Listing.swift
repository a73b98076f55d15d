// Which logs a directory has, and which files one has.

extension LogFiles {
  /// The names of the logs in a directory, in no order: logs whose first segment exists, and logs that have only later segments.
  /// O(files in the directory, and in the folders of the latter).
  ///
  /// Files that only have a log's name, or a name like its folder, may be among them or not: opening them finds out what they
  /// are.
  package static func names(in directory: Directory, arePartitions: Bool = false) throws(FileError) -> [String] {
    let suffix = arePartitions ? ".bilog" : ".log"
    let names = try directory.names()
    var logs = Set(names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.utf8.count)) })
    for name in names where name.hasSuffix(foldersSuffix) {
      let log = String(name.dropLast(foldersSuffix.utf8.count))
      if logs.contains(log) || log.isEmpty { continue }
      let files = LogFiles(directory: directory, namespace: log, isPartition: arePartitions)
      // A folder that cannot be read, or something else of that name, has no segments that could be opened.
      if (try? files.isThere()) == true { logs.insert(log) }
    }
    for name in names where name.hasSuffix(removedSuffix) {
      let log = String(name.dropLast(removedSuffix.utf8.count))
      if try LogFiles(directory: directory, namespace: log, isPartition: arePartitions).isBeingRemoved() {
        logs.remove(log)
      }
    }
    return Array(logs)
  }

  /// How the name ends of the folder of a log that is being removed.
  private static var removedSuffix: String { "\(foldersSuffix).removed" }

  /// How the name of a folder of segments ends.
  private static var foldersSuffix: String { ".segments" }

  /// The paths of the log files of all existing segments, sorted by their first records. O(segments).
  package func logPaths() throws(FileError) -> [String] {
    let home = home
    if try isBeingRemoved() { return [] }
    var paths: [String] = []
    if try home.directory.status(of: home.log) != nil { paths.append(home.logPath) }
    guard let folder = try openFolder() else { return paths }
    let names = try folder.names().filter { first(ofLog: $0) != nil }.sorted()
    return paths + names.map { folder.path(of: $0) }
  }

  /// Bytes that all files of the log take on the disk: with space that was reserved for records to come. O(files).
  func sizeOnDisk() throws(FileError) -> Int {
    var size = 0
    for name in ofLog { size += try home.directory.status(of: name)?.sizeOnDisk ?? 0 }
    for name in folders + [removedFolder] {
      // A folder that is being removed, or may not be read, does not count.
      if let folder = try? home.directory.folder(name) { size += Self.sizeOnDisk(of: folder) }
    }
    return size
  }

  /// With the folders in it: the state of a work queue may have rolled.
  private static func sizeOnDisk(of folder: Directory) -> Int {
    var size = 0
    for file in (try? folder.names()) ?? [] where file != "." && file != ".." {
      guard let status = try? folder.status(of: file) else { continue }
      size += status.sizeOnDisk
      if status.isDirectory, let inner = try? folder.folder(file) { size += sizeOnDisk(of: inner) }
    }
    return size
  }
}
