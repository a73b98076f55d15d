import ArgumentParser
import Immuta

/// Where records are, as the arguments of `migrate` name it.
enum Place: Equatable {
  /// `log:DIR/NAMESPACE`
  case log(directory: String, namespace: String)
  /// `store:DIR`
  case store(directory: String)
  /// `lines:FILE`
  case lines(file: String)

  init(_ argument: String) throws {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = parts.dropFirst().first.map(String.init), !path.isEmpty else { throw Self.unreadable(argument) }
    switch parts[0] {
    case "log":
      let slash = path.lastIndex(of: "/")
      let namespace = slash.map { String(path[path.index(after: $0)...]) } ?? path
      try checkNamespace(namespace)
      let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
      self = .log(directory: directory, namespace: namespace)
    case "store": self = .store(directory: path)
    case "lines": self = .lines(file: path)
    default: throw Self.unreadable(argument)
    }
  }

  private static func unreadable(_ argument: String) -> ValidationError {
    let isLog = !argument.contains(":") && (try? Place("log:\(argument)")) != nil
    let guess = isLog ? "; for a log, that may be log:\(argument)" : ""
    return ValidationError("a place is log:DIR/NAMESPACE, store:DIR or lines:FILE\(guess)")
  }

  /// The files that hold its records, as far as they exist.
  private var files: [String] {
    get throws {
      switch self {
      case .log(let directory, let namespace):
        try io(LogFiles(directory: Directory(opening: directory), namespace: namespace).logPaths())
      case .store(let directory):
        try files(ofStoreIn: Directory(opening: directory))
      case .lines(let file): [file]
      }
    }
  }

  private func files(ofStoreIn directory: Directory) throws -> [String] {
    try LogFiles.names(in: directory, arePartitions: true).flatMap { partition in
      try LogFiles(directory: directory, namespace: partition, isPartition: true).logPaths()
    }
  }

  /// Whether two places share a file, however they are spelled: then a record that is written to one is one more to
  /// read from the other. What is not there shares nothing.
  func overlaps(_ other: Place) -> Bool {
    let identities = identities
    return other.identities.contains { identities.contains($0) }
  }

  private var identities: [System.Identity] {
    ((try? files) ?? []).compactMap { try? System.info($0).identity }
  }
}
