import ArgumentParser
import Immuta

/// A subcommand, which does its work on the main thread.
protocol ToolCommand: AsyncParsableCommand, Sendable {
  @MainActor func execute() async throws
}

extension ToolCommand {
  func run() async throws {
    try await execute()
  }
}

/// Where the logs are: an option of each subcommand that touches files.
struct Location: ParsableArguments {
  @Option(name: .customLong("dir"), help: ArgumentHelp("The directory of the logs.", valueName: "directory"))
  var directory = "./logs"

  /// Opens a namespace for reading, whether or not somebody writes it.
  func openForReading(
    _ namespace: String, _ configuration: Storage.Configuration = .init()
  ) throws -> (storage: Storage, log: Log) {
    var configuration = configuration
    configuration.access = .readOnly
    do {
      let storage = try Storage(directory: directory, namespaces: [namespace], configuration: configuration)
      return (storage, try storage.log(namespace))
    } catch ImmutaError.namespaceNotFound(let name) {
      throw notFound(name)
    }
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

/// Throws a usage error for a name that cannot be a namespace's.
func checkNamespace(_ name: String) throws {
  guard Storage.isValidNamespace(name) else {
    throw ValidationError(ImmutaError.invalidNamespace(name).description)
  }
}
