import ArgumentParser
import Immuta

/// `immuta backup`: copies logs as they are at one moment, verified, and only what is new.
struct BackupCommand: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy logs elsewhere while they are appended to: verified, and only what is new.",
    discussion: """
      Back up all logs of a directory, or of a store; the first time makes the directory, and each time after that copies only \
      what is new:
        immuta backup /var/lib/shop /mnt/backup/shop

      Two of them:
        immuta backup /var/lib/shop /mnt/backup/shop orders invoices

      From a timer, with what became of each as an object a line:
        immuta backup /var/lib/shop /mnt/backup/shop --json

      Put it back, or what was there up to a moment:
        immuta restore /mnt/backup/shop /var/lib/shop
        immuta restore /mnt/backup/shop /tmp/shop --until '1 h ago'

      Nobody waits for it, and no key is needed. The logs are as they were at one moment: a step over several logs is in all \
      of them, or in none, and with it the position of its consumer. What was copied is read again, and compared with the \
      checksums from when it was appended. Each log of the backup is a log: `immuta verify --dir` checks it, `immuta cat \
      --dir` reads it, and it can be put back by copying its files. Do not append to it.

      Records that were removed from the log since stay in the backup, without --prune. Where another log has the name by now, \
      that one is refused, and the backup keeps what it has.

      The exit status is 65 where records are damaged: they are named, copied as they are, and everything else is backed \
      up. It is 1 where a log could not be backed up; the others are. A backup that was cut off, or found no room, can be run \
      again, and goes on; until then what the last one had can be put back.
      """)

  @Argument(help: ArgumentHelp("The directory of the logs.", valueName: "dir"), completion: .directory)
  var directory: String

  @Argument(help: ArgumentHelp("The directory of the backup.", valueName: "target"), completion: .directory)
  var target: String

  @OptionGroup var selection: NamespaceSelection

  @Flag(help: "Remove from the backup what was removed from the logs.")
  var prune = false

  @OptionGroup private var owners: ForeignOwnerOption

  @Option(help: "The format of the logs, where that cannot be told: see `immuta verify --help`.")
  var logFormat: LogFormatOption?

  @MainActor func execute() async throws {
    let work = BackupWork(
      source: directory, target: target, names: Set(selection.namespaces).sorted(), prunes: prune,
      format: logFormat?.format, acceptsFilesOfOthers: owners.allowForeignOwner)
    let reports = try work.run()
    try BackupReport.print(reports, added: "NEW", asJSON: selection.json)
    try BackupReport.throwUnlessWhole(reports)
  }
}
