import ArgumentParser
import Immuta

/// What a log keeps of its records while it is appended to: options of each subcommand that appends.
struct RetentionOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Remove the oldest files while the log has more bytes: 500M, 10G. By default all are kept. Companions come on top: \
      24 bytes a record, and 4 KiB a file.
      """, valueName: "size"), transform: ByteCount.parse)
  var keepBytes: ByteCount?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Remove a file once its last record is so old: 12h, 30d.", valueName: "duration"),
    transform: TimeSpan.parse)
  var keepAge: TimeSpan?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Remove the oldest files while the log has more records.", valueName: "n"))
  var keepRecords: Int?

  func validate() throws {
    if let keepBytes { try checkNumber("--keep-bytes", keepBytes.bytes, isIn: 1...Int.max) }
    if let keepRecords { try checkNumber("--keep-records", keepRecords, isIn: 1...Int.max) }
    if let keepAge { try checkIsNotZero("--keep-age", keepAge) }
  }

  var retention: Retention {
    Retention(maximumBytes: keepBytes?.bytes, maximumAge: keepAge?.duration, maximumRecords: keepRecords)
  }

  /// Removes what need not be kept, before a program ends that appended only for a moment.
  func apply(to log: Log) async throws {
    if retention.keepsEverything { return }
    if let last = try log.removable(by: retention).last {
      try await log.removeRecords(before: last.records.upperBound)
    }
  }
}
