/// Where the files of a namespace are.
package struct LogFiles: Sendable {
  package let directory: Directory
  package let namespace: String
  /// Whether the log is a LogStore's partition rather than a storage's log.
  let isPartition: Bool

  package init(directory: Directory, namespace: String, isPartition: Bool = false) {
    self.directory = directory
    self.namespace = namespace
    self.isPartition = isPartition
  }

  /// The same in another directory.
  package func moved(to directory: Directory) -> LogFiles {
    LogFiles(directory: directory, namespace: namespace, isPartition: isPartition)
  }

  // Names in the directory.

  /// The log file: exactly Immuta's, or LogStore's.
  package var log: String { isPartition ? "\(namespace).bilog" : "\(namespace).log" }
  /// The companion. A partition's name ends in neither of a namespace's suffixes, so that no namespace, whatever it is
  /// called, shares a file with a partition.
  package var companion: String { isPartition ? "\(namespace).bilog.companion" : "\(namespace).idx" }
  /// The file whose lock the writer has. A partition may share it with a namespace of a strange name: then only one of
  /// the two is open for writing at a time.
  package var lock: String { isPartition ? "\(namespace).bilog.lock" : "\(namespace).lock" }
  /// A companion that is being made, until it takes the old one's place.
  package var newCompanion: String { companion + ".new" }

  /// What is kept beside the companion as well, so that losing one of them loses nothing. A partition has none: its
  /// payloads are stored as they are.
  package var meta: String? { isPartition ? nil : "\(namespace).meta" }

  /// The names of all files that hold something of the log.
  package var ofLog: [String] { [log, companion] + (meta.map { [$0] } ?? []) }

  /// Folders that belong to the log.
  var folders: [String] {
    let name = isPartition ? log : namespace
    return ["\(name).segments", "\(name).consumers", salvage]
  }

  /// The folder in which a salvage makes the log. It stays only where the salvage did not end.
  package var salvage: String { "\(log).salvage" }

  // Paths, for messages.

  package var logPath: String { directory.path(of: log) }
  package var companionPath: String { directory.path(of: companion) }
}
