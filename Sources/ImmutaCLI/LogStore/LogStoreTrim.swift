import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore trim`: removes the oldest messages of a partition, with whole segments.
struct LogStoreTrim: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "trim",
    abstract: "Remove a partition's oldest messages, whole segments at a time.",
    discussion: """
      Says what would go; changes nothing without --apply. A partition has segments, files of their own, if the store was \
      appended to with --segment-bytes or --segment-age. They go from the oldest on, only whole, and never the newest.

      What would go if partition 2 were to keep at most ten gigabytes:
        immuta logstore trim chat 2 --bytes 10G

      Remove what is older than thirty days, except where it is in a file with newer messages:
        immuta logstore trim chat 2 --age 30d --apply

      The other partitions are not touched. While another process has the store open for writing, only that one can \
      remove: the exit status is then 75, and --wait waits for it.
      """)

  @OptionGroup var location: StoreLocation

  @Argument(help: ArgumentHelp("The partition's number.", valueName: "partition"))
  var partition: Int

  @OptionGroup var options: TrimOptions

  func validate() throws {
    if partition < 0 { throw ValidationError("the partition is \(partition); they are numbered from 0") }
  }

  @MainActor func execute() async throws {
    let work = Trimming(kind: .partition, name: "\(partition)", directory: location.directory, options)
    let codec = try work.look {
      let store = try location.openForReading()
      guard partition < store.partitionCount else {
        throw ToolError(
          "there is no partition \(partition) in \(location.directory): "
            + "`immuta logstore info \(ToolCommandLine.word(location.directory))` lists those that exist")
      }
      return (try store.partition(partition).log, { store.close() })
    }
    let command = "immuta logstore trim \(ToolCommandLine.word(location.directory)) \(partition)"
    try await work.remove(codec, next: command) { configuration in
      var configuration = configuration
      // A partition alone: how keys are routed is of no matter.
      configuration.format = .bilog
      configuration.acceptsFilesOfOthers = location.allowForeignOwner
      let storage = try Storage(
        directory: location.directory, namespaces: ["\(partition)"], configuration: configuration)
      return (storage, try storage.log("\(partition)"))
    }
  }
}
