/// Where the files of a namespace are.
package struct LogFiles: Hashable, Sendable {
  package let directory: String
  package let namespace: String
  /// Whether the log is a LogStore's partition rather than a storage's log.
  private let isPartition: Bool

  package init(directory: String, namespace: String, isPartition: Bool = false) {
    self.directory = directory.isEmpty ? "." : directory
    self.namespace = namespace
    self.isPartition = isPartition
  }

  /// The log file: exactly Immuta's, or LogStore's.
  package var log: String { path(isPartition ? "bilog" : "log") }
  /// The companion. A partition's name ends in neither of a namespace's suffixes, so that no namespace, whatever it is
  /// called, shares a file with a partition.
  package var companion: String { path(isPartition ? "bilog.companion" : "idx") }
  /// A companion that is being made, until it takes the old one's place.
  package var newCompanion: String { companion + ".new" }

  /// The directory that holds the entry of the file or directory at a path.
  static func parent(of path: String) -> String {
    var components = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
    components.removeLast(components.isEmpty ? 0 : 1)
    let parent = components.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    return path.hasPrefix("/") ? "/\(parent)" : parent.isEmpty ? "." : parent
  }

  private func path(_ suffix: String) -> String {
    directory.hasSuffix("/") ? "\(directory)\(namespace).\(suffix)" : "\(directory)/\(namespace).\(suffix)"
  }
}
