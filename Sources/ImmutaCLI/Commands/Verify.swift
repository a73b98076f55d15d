import ArgumentParser
import Immuta

/// `immuta verify`: reads and checks every record.
struct Verify: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every record of logs.",
    discussion: """
      Reads each log from its first record to its last, and compares every byte with the checksum taken when it was \
      appended. Changes nothing, and works while another process appends.

      All namespaces of ./logs:
        immuta verify

      One of them, in a script:
        immuta verify events --dir /var/lib/shop || echo "restore the backup"

      A log with a codec needs no key for that. With its codec and key, every record is also decoded:
        immuta verify events --codec deflate --key-file secret.key

      For programs, an object a line:
        immuta verify --json

      Where a log has lost its companion, or another program appended to it, there is no checksum from when a record was \
      appended: such records are counted as readable, and not as verified.

      The first damaged record of each log is named by its number and its place in the file. The exit status is then 65, \
      and it is 1 where there is nothing to check. A file of another kind whose name ends in .log is passed over.
      """)

  @OptionGroup var location: Location
  @OptionGroup var selection: NamespaceSelection
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @MainActor func execute() async throws {
    let names = try location.namespaces(selection.namespaces)
    let configuration =
      codecOptions.settings.isGiven ? try codecOptions.configuration() : .storedPayloads
    let checked = try await Verdict.forEach(
      names, .namespace, asJSON: selection.json,
      passingOver: { error, name in selection.namespaces.isEmpty && location.isPassedOver(error, name) },
      survey: { name in try LogSurvey(name, in: location.directory) }
    ) { name in
      // The log stays open for as long as it is held, and no longer.
      try location.openForReading(name, configuration).log
    }
    if checked == 0 { throw location.noLogs }
  }
}
