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

/// Throws a usage error for a name that cannot be a namespace's.
func checkNamespace(_ name: String) throws {
  guard Storage.isValidNamespace(name) else {
    throw ValidationError(ImmutaError.invalidNamespace(name).description)
  }
}
