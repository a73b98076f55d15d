import ArgumentParser
import Immuta

/// A directory of logs: an option of each subcommand that touches files.
struct DirectoryOption: ParsableArguments {
  @Option(name: .customLong("dir"), help: ArgumentHelp("The directory of the logs.", valueName: "directory"))
  var directory = "./logs"
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

  @Option(
    help: ArgumentHelp(
      """
      The format of the log. It is needed only for a log of the old format, v1, with bytes behind its last record, as a \
      crash leaves them: it cannot be told from a damaged one of v2. Also the format of a new log. (default: as \
      recognised; v2 for a new log)
      """))
  var logFormat: LogFormatOption?

  var directory: String { place.directory }

  /// Opens a namespace for appending, and makes it if it is not there.
  func open(_ namespace: String, _ configuration: Storage.Configuration) throws -> Storage {
    try Storage(directory: directory, namespaces: [namespace], configuration: with(configuration))
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

  /// A configuration with the format that was given.
  func with(_ configuration: Storage.Configuration) -> Storage.Configuration {
    var configuration = configuration.showingProgress
    configuration.format = logFormat?.format
    return configuration
  }

  /// The error for a namespace that does not exist.
  func notFound(_ name: String) -> ToolError {
    ToolError("there is no namespace “\(name)” in \(directory): `immuta info` lists those that are there")
  }

  /// The namespaces named, or all that are there.
  func namespaces(_ named: [String]) throws -> [String] {
    let present = try Storage.namespaces(in: directory)
    return named.isEmpty ? present : named
  }
}
