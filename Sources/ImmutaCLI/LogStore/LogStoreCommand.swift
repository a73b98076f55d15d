import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore`: partitioned stores, as the Go program LogStore keeps them.
struct LogStoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logstore",
    abstract: "Work with a partitioned store: append, cat, info, verify, repair, trim, consumers.",
    discussion: """
      A store is a directory of partitions, 0.bilog, 1.bilog and so on. A key picks the partition, and order holds within \
      one. Directories of the Go program LogStore are opened as they are.

      Make a store of four partitions, and append to it:
        printf 'alice\\thello\\nbob\\thi\\n' | immuta logstore append chat --partitions 4

      Read it back, all partitions or one:
        immuta logstore cat chat
        immuta logstore cat chat --partition 2 --follow
      """,
    subcommands: [
      LogStoreAppend.self, LogStoreCat.self, LogStoreInfo.self, LogStoreVerify.self, LogStoreRepair.self,
      LogStoreTrim.self, LogStoreConsumers.self,
    ])
}

/// Where the store is.
struct StoreLocation: ParsableArguments {
  @Argument(help: ArgumentHelp("The store's directory.", valueName: "dir"), completion: .directory)
  var directory: String

  @OptionGroup private var owners: ForeignOwnerOption

  var allowForeignOwner: Bool { owners.allowForeignOwner }

  func validate() throws {
    if directory.isEmpty { throw ValidationError("the store's directory is empty; for the current one, write .") }
  }

  /// Opens the store for reading, whether or not somebody writes it.
  func openForReading() throws -> LogStore {
    try Self.openForReading(directory, allowForeignOwner: allowForeignOwner)
  }

  static func openForReading(_ directory: String, allowForeignOwner: Bool) throws -> LogStore {
    var configuration = Storage.Configuration().showingProgress
    configuration.access = .readOnly
    configuration.acceptsFilesOfOthers = allowForeignOwner
    do {
      return try LogStore(directory: directory, configuration: configuration)
    } catch {
      guard case .invalidConfiguration(let reason) = error, !isStore(directory) else { throw error }
      throw ToolError.missing("\(reason); \(whatElse(directory))")
    }
  }

  static func isStore(_ directory: String) -> Bool { (try? Storage.contents(of: directory))?.partitions ?? false }

  /// What a directory is that has no partitions, and what to do.
  static func whatElse(_ directory: String) -> String {
    let hasLogs = (try? Storage.contents(of: directory))?.logs ?? false
    return hasLogs
      ? "it holds namespaces: `immuta info --dir \(ToolCommandLine.word(directory))` lists them"
      : "give the right directory, and see that its disk is mounted"
  }
}
