import ArgumentParser
import Immuta

/// `immuta restore`: puts logs back that `immuta backup` has copied.
struct RestoreCommand: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Put logs back from a backup, all of their records or those up to a moment.",
    discussion: """
      Put all logs back, into a directory that has none of them:
        immuta restore /mnt/backup/shop /var/lib/shop

      One of them:
        immuta restore /mnt/backup/shop /var/lib/shop orders

      What was there before a moment, or before a record:
        immuta restore /mnt/backup/shop /tmp/shop --until 2026-11-26T10:30:00
        immuta restore /mnt/backup/shop /tmp/shop orders --until 5000

      The logs have their old identities, numbers, times and checksums, and their consumers are where they were. One whose \
      position is beyond the last record that is put back is moved to the end, which is said. What is put back is checked. \
      All of it is put back, or nothing: where a namespace exists in the directory, nothing changes.
      """)

  @Argument(help: ArgumentHelp("The directory of the backup.", valueName: "target"), completion: .directory)
  var target: String

  @Argument(
    help: ArgumentHelp("The directory to put the logs into; it is made where there is none.", valueName: "dir"),
    completion: .directory)
  var directory: String

  @OptionGroup var selection: NamespaceSelection

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      End before this record, or before the first one of this time or later: 5000, 2026-11-26T10:30:00Z, "10 min ago", yesterday.
      """, valueName: "n|time"), transform: Self.parse)
  var until: RestoreWork.Until?

  @OptionGroup private var owners: ForeignOwnerOption

  private static func parse(_ text: String) throws -> RestoreWork.Until {
    if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
      guard let number = Int(text) else { throw ValidationError("no log has so many records") }
      return .number(number)
    }
    return .moment(try Moment.parse(text))
  }

  @MainActor func execute() async throws {
    let work = try RestoreWork(
      target, to: directory, Set(selection.namespaces).sorted(), until: until,
      acceptsFilesOfOthers: owners.allowForeignOwner)
    let reports = try work.run()
    try BackupReport.print(reports, added: "RESTORED", asJSON: selection.json)
    try BackupReport.throwUnlessWhole(reports)
  }
}
