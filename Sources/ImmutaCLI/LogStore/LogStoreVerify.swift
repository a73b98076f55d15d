import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore verify`: reads and checks every message.
struct LogStoreVerify: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every message of a store.",
    discussion: """
      Reads each partition from its first message to its last, and compares every byte with the checksum taken when it was \
      appended. Changes nothing, and works while another process appends.

      In a script:
        immuta logstore verify chat || echo "restore the backup"

      For programs, an object a line:
        immuta logstore verify chat --json

      The first damaged message of each partition is named by its number and its place in the file. The exit status is \
      then 65, and `immuta logstore repair` says what can be done.
      """)

  @OptionGroup var location: StoreLocation

  @Flag(help: "Print an object a line.")
  var json = false

  @MainActor func execute() async throws {
    let store = try location.openForReading()
    defer { store.close() }
    try await Verdict.forEach(
      0..<store.partitionCount, .partition, asJSON: json,
      survey: { try LogSurvey("\($0)", in: location.directory, isPartition: true) }
    ) { try store.partition($0).log }
  }
}
