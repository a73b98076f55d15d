import ArgumentParser
import Immuta
import ImmutaLogStore

/// How the tool names the routings that it knows.
enum RoutingOption: String, CaseIterable, ExpressibleByArgument {
  case modulo
  case goCompatible = "go-compatible"

  var routing: Routing {
    switch self {
    case .modulo: .modulo
    case .goCompatible: .goCompatible
    }
  }
}

/// What a new store is to be; one that exists must be the same.
struct NewStoreOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("How many partitions a new store gets.", valueName: "n"))
  var partitions: Int?

  @Option(help: "How keys pick their partition: the store remembers it.")
  var routing: RoutingOption?

  func validate() throws {
    if let partitions { try checkNumber("--partitions", partitions, isIn: 1...Int.max) }
  }

  /// Whether anything was said.
  var isGiven: Bool { partitions != nil || routing != nil }

  /// Opens a store for appending; makes it if it is not there, with all directories that it is to lie in.
  func open(
    _ directory: String, acceptsFilesOfOthers: Bool = false, appending options: AppendOptions? = nil
  ) throws -> LogStore {
    var configuration = Storage.Configuration().showingProgress
    configuration.acceptsFilesOfOthers = acceptsFilesOfOthers
    options?.set(in: &configuration)
    if let contents = try? Storage.contents(of: directory), contents.logs, !contents.partitions {
      throw ToolError(
        "\(directory) is no store; \(StoreLocation.whatElse(directory)), and a store gets a directory of its own")
    }
    if partitions != nil { try System.makeParents(of: directory) }
    do {
      return try LogStore(
        directory: directory, partitions: partitions, routing: routing?.routing, configuration: configuration)
    } catch ImmutaError.invalidConfiguration(let reason) {
      // The library speaks to programmers.
      throw ToolError("\(reason) (--partitions, --routing)")
    }
  }
}
