import Immuta

/// Logs of a directory, of one kind, open for reading as they are stored.
struct SourceLogs {
  let kind: LogKind
  private(set) var logs: [Log] = []
  private(set) var failures: [(name: String, error: any Error)] = []
  /// They are closed when nobody holds them any more.
  private var storages: [Storage] = []

  /// Opens logs.
  ///
  /// - Parameters:
  ///   - names: which.
  ///   - passingOver: whether an error says that a file is no log at all.
  init(
    _ names: [String], _ kind: LogKind, in directory: String, format: LogFormat? = nil, acceptsFilesOfOthers: Bool,
    passingOver: (any Error, _ name: String) -> Bool = { _, _ in false }
  ) {
    self.kind = kind
    var configuration = Storage.Configuration.storedPayloads.showingProgress
    configuration.format = kind == .partition ? .bilog : format
    configuration.acceptsFilesOfOthers = acceptsFilesOfOthers
    for name in names {
      do {
        let storage = try Storage(directory: directory, namespaces: [name], configuration: configuration)
        logs.append(try storage.log(name))
        storages.append(storage)
      } catch {
        if kind == .namespace, case ImmutaError.namespaceNotFound(let name) = error {
          failures.append((name, Location.notFound(name, in: directory)))
        } else if !passingOver(error, name) {
          failures.append((name, error))
        }
      }
    }
  }

  /// The partitions that a directory has, by their numbers.
  static func partitions(in place: Directory) throws -> [String] {
    try io(LogFiles.names(in: place, arePartitions: true)).filter(Manifest.isPartition).sorted {
      Int($0) ?? 0 < Int($1) ?? 0
    }
  }
}
