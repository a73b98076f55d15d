import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore repair`: says what is wrong with a partition, and repairs it if asked to.
struct LogStoreRepair: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair",
    abstract: "Say what is wrong with a partition of a store, and repair it if asked to.",
    discussion: """
      See what is damaged in partition 2, and what would be done about it; changes nothing:
        immuta logstore repair chat 2

      Do it, after a copy of all that is cut off or replaced was saved beside the partition:
        immuta logstore repair chat 2 --apply

      For programs, an object a line:
        immuta logstore repair chat 2 --json

      A partition that can be appended to needs no repair: a damaged message in its middle is reported when it is read, \
      and the others stay readable. The other partitions are not touched. The exit status is 65 when messages are lost or \
      something has to be done, and 0 when the partition is whole or was repaired without losing any.
      """)

  @OptionGroup var location: StoreLocation

  @Argument(help: ArgumentHelp("The partition's number.", valueName: "partition"))
  var partition: Int

  @OptionGroup var options: RepairOptions

  func validate() throws {
    if partition < 0 { throw ValidationError("the partition is \(partition); they are numbered from 0") }
  }

  @MainActor func execute() async throws {
    let report: RepairReport
    do {
      report = try options.lock.waitingAlone {
        try LogStore.repair(
          partition: partition, in: location.directory, applying: options.apply,
          acceptingFilesOfOthers: location.allowForeignOwner)
      }
    } catch ImmutaError.corrupted(let damage) {
      throw ToolError(beyondRepair: damage)
    } catch ImmutaError.namespaceNotFound {
      guard StoreLocation.isStore(location.directory) else {
        throw ToolError("\(location.directory) is no store; \(StoreLocation.whatElse(location.directory))")
      }
      throw ToolError(
        "there is no partition \(partition) in \(location.directory): "
          + "`immuta logstore info \(ToolCommandLine.word(location.directory))` lists those that exist")
    }
    let command = "immuta logstore repair \(ToolCommandLine.word(location.directory)) \(partition)"
    try report.print(
      asJSON: options.json, as: .partition,
      next: NextStep(
        apply: "\(command) --apply", salvage: nil,
        verify: "immuta logstore verify \(ToolCommandLine.word(location.directory))"))
  }
}
