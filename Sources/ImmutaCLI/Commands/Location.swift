import ArgumentParser
import Immuta

/// A directory of logs: an option of each subcommand that touches files.
struct DirectoryOption: ParsableArguments {
  @Option(
    name: .customLong("dir"),
    help: ArgumentHelp("The directory of the logs. (default: \(DirectoryOption.usual))", valueName: "directory"),
    completion: .directory)
  private var given: String?

  /// Where logs are that nobody says otherwise of.
  static let usual = "./logs"

  var directory: String { given ?? Self.usual }
  var isGiven: Bool { given != nil }
}

/// The formats that namespaces have, as the tool names them.
enum LogFormatOption: String, CaseIterable, ExpressibleByArgument {
  case v1
  case v2

  var format: LogFormat {
    switch self {
    case .v1: .v1
    case .v2: .v2
    }
  }
}

extension Storage.Configuration {
  /// For looking at logs without their keys.
  static var storedPayloads: Self {
    var configuration = Self()
    configuration.access = .readOnly
    configuration.deliversStoredPayloads = true
    return configuration
  }
}

/// Where the logs are, and how they are laid out: options of each subcommand that works on namespaces.
struct Location: ParsableArguments {
  @OptionGroup private var place: DirectoryOption
  @OptionGroup private var owners: ForeignOwnerOption

  @Option(
    help: ArgumentHelp(
      """
      The format of the log. It is needed only for a log of the old format, v1, with bytes after its last record, as a \
      crash leaves them: it looks like a damaged one of v2. Also the format of a new log. (default: as \
      recognised; v2 for a new log)
      """))
  var logFormat: LogFormatOption?

  var directory: String { place.directory }
  /// Whether any of the options was given.
  var isGiven: Bool { place.isGiven || allowForeignOwner || logFormat != nil }
  var allowForeignOwner: Bool { owners.allowForeignOwner }

  /// Opens a namespace for appending, and makes it if it is not there, with all directories that it is to lie in.
  func open(_ namespace: String, _ configuration: Storage.Configuration) throws -> Storage {
    try Self.checkIsNoStore(directory, for: namespace)
    try System.makeParents(of: directory)
    return try Storage(directory: directory, namespaces: [namespace], configuration: with(configuration))
  }

  /// Throws where a new namespace would be put among the partitions of a store: hardly anybody means that.
  static func checkIsNoStore(_ directory: String, for namespace: String) throws {
    guard let contents = try? Storage.contents(of: directory), contents.partitions, !contents.logs else { return }
    throw ToolError(
      "\(directory) is a store, and has no namespace “\(namespace)”: append to it with `immuta logstore append "
        + "\(ToolCommandLine.word(directory))`, or give another directory")
  }

  /// Opens a namespace for reading, whether or not somebody writes it.
  func openForReading(
    _ namespace: String, _ configuration: Storage.Configuration = .init()
  ) throws -> (storage: Storage, log: Log) {
    var configuration = with(configuration)
    configuration.access = .readOnly
    do {
      let storage = try Storage(directory: directory, namespaces: [namespace], configuration: configuration)
      return (storage, try storage.log(namespace))
    } catch ImmutaError.namespaceNotFound(let name) {
      throw notFound(name)
    }
  }

  /// A configuration with the format that was given, and with whose files may be used.
  func with(_ configuration: Storage.Configuration) -> Storage.Configuration {
    var configuration = configuration.showingProgress
    configuration.format = logFormat?.format
    configuration.acceptsFilesOfOthers = allowForeignOwner
    return configuration
  }

  /// The error for a namespace that does not exist.
  func notFound(_ name: String) -> ToolError { Self.notFound(name, in: directory) }

  /// The same, where it was looked for in a directory that is known.
  static func notFound(_ name: String, in directory: String?) -> ToolError {
    guard let directory else {
      return .missing("there is no namespace “\(name)”: `immuta info` lists those that exist")
    }
    if let lost = try? Storage.lostNamespaces(in: directory).first(where: { $0.name == name }) {
      return ToolError("damaged: \(lost.damage)", .damaged)
    }
    let contents = try? Storage.contents(of: directory)
    let start = "there is no namespace “\(name)” in \(directory)"
    if let contents, !contents.logs {
      return .missing("\(start), \(whatElse(directory, contents.partitions))")
    }
    let suggestion = Suggestion(for: name, among: (try? Storage.namespaces(in: directory)) ?? [])
    let command = ToolCommandLine.list(directory)
    return .missing("\(start):\(suggestion.asked(after: " ")) `\(command)` lists those that exist", suggestion)
  }

  /// What a directory is that has no logs, and what to do.
  private static func whatElse(_ directory: String, _ isStore: Bool) -> String {
    isStore
      ? "which is a store of partitions: use `immuta logstore` for it, as in `immuta logstore info "
        + "\(ToolCommandLine.word(directory))`"
      : "which has no logs at all: give the right directory with --dir, and see that its disk is mounted"
  }

  /// The namespaces named, or all that exist, and all that were lost.
  ///
  /// - Throws: where none is named and none exists.
  func namespaces(_ named: [String]) throws -> [String] {
    let present = try Storage.namespaces(in: directory)
    if !named.isEmpty { return named }
    let all = try present + Storage.lostNamespaces(in: directory).map(\.name)
    if all.isEmpty { throw noLogs }
    return all.sorted()
  }

  /// The error for a directory in which there is no log to look at.
  var noLogs: ToolError {
    let isStore = (try? Storage.contents(of: directory))?.partitions ?? false
    return ToolError("no namespaces in \(directory), \(Self.whatElse(directory, isStore))")
  }

  /// Whether a file is passed over where all logs are looked at: it is something else, as everybody can see, and never
  /// was a log.
  func isPassedOver(_ error: any Error, _ name: String) -> Bool {
    guard case ImmutaError.corrupted(let damage) = error, damage.isNoLog else { return false }
    return (try? Storage.hasTraces(name, in: directory)) == false
  }
}
