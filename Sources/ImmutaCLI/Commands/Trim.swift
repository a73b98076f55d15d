import ArgumentParser
import Immuta

/// `immuta trim`: removes the oldest records of a log, with whole segments.
struct Trim: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove a log's oldest records, whole segments at a time.",
    discussion: """
      Says what would go; changes nothing without --apply. A log has segments, files of their own, if it was appended to \
      with --segment-bytes or --segment-age. They go from the oldest on, only whole, and never the newest.

      What would go if the log were to keep at most ten gigabytes:
        immuta trim events --bytes 10G

      Remove what is older than thirty days, except where it is in a file with newer records:
        immuta trim events --age 30d --apply

      Keep record 5000 and all after it; what is before it in the same file stays, too:
        immuta trim events --before 5000 --apply

      Keep at most a million records: fewer by a part of a segment, as segments go whole:
        immuta trim events --records 1000000 --apply

      For programs, an object:
        immuta trim events --bytes 1G --json

      The numbers of the other records stay what they are. A log with a codec needs no key for this. While another process \
      has the log open for writing, only that one can remove: the exit status is then 75, and --wait waits for it.
      """)

  @OptionGroup var location: Location

  @Argument(help: "The namespace.")
  var namespace: String

  @OptionGroup(title: "What to keep, one of these") var choice: TrimChoice

  @Flag(help: "Remove it, rather than say what would go.")
  var apply = false

  @OptionGroup var lock: WaitOption

  @Flag(help: "Write also to files that another user put there: by default they are refused.")
  var allowForeignOwner = false

  @Flag(help: "Print an object.")
  var json = false

  func validate() throws {
    try checkNamespace(namespace)
  }

  @MainActor func execute() async throws {
    let (expected, codec) = try look()
    if !apply || expected.segments.isEmpty { return try print(expected) }
    let storage = try open(codec)
    defer { storage.close() }
    let log = try storage.log(namespace)
    var done = try report(of: log)
    if let last = done.segments.last {
      done.firstSequence = try await log.removeRecords(before: last.records.upperBound)
      done.isApplied = true
    }
    try await storage.shutdown()
    try print(done)
  }

  /// Looks what would go, whether or not somebody writes the log.
  private func look() throws -> (report: TrimReport, codecName: String) {
    let (storage, log) = try location.openForReading(namespace, .storedPayloads)
    defer { storage.close() }
    let details = try log.details
    details.sayOpeningNote(.namespace)
    return (try report(of: log), details.codec)
  }

  private func report(of log: Log) throws -> TrimReport {
    TrimReport(
      namespace: namespace, segments: try choice.removable(from: log), count: log.count,
      firstSequence: log.firstSequence, all: try log.details)
  }

  /// Opens the log to remove records, which takes no key.
  @MainActor private func open(_ codecName: String) throws -> Storage {
    var configuration = Storage.Configuration.withoutKeys(codecName: codecName)
    configuration.acceptsFilesOfOthers = allowForeignOwner
    do {
      return try lock.waiting { try location.open(namespace, configuration) }
    } catch ImmutaError.locked(let holder) {
      throw ToolError(
        "nothing was removed: \(holder), and while it has the log only that process can remove records: have its "
          + "retention do it (Storage.Configuration.retention), or wait with --wait until it closes the log", .locked)
    }
  }

  private func print(_ report: TrimReport) throws {
    let output = Output()
    let next =
      report.isApplied ? nil : "\(ToolCommandLine.of("trim", namespace, in: location.directory)) \(choice.words)"
    if json { output.bytes += report.json } else { for line in report.lines(next: next) { try output.line(line) } }
    try output.flush()
  }
}

/// What is kept of a log: options of `trim`.
struct TrimChoice: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Keep the record of this number, and all after it.", valueName: "n"))
  var before: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("Keep at most so many bytes: 500M, 10G.", valueName: "size"))
  var bytes: ByteCount?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Keep segments with a record that is not older: 12h, 30d.", valueName: "duration"))
  var age: TimeSpan?

  @Option(parsing: .unconditional, help: ArgumentHelp("Keep at most so many records.", valueName: "n"))
  var records: Int?

  func validate() throws {
    let given = [before != nil, bytes != nil, age != nil, records != nil].count { $0 }
    if given != 1 {
      throw ValidationError("say what is kept, in one way: --before N, --bytes SIZE, --age DURATION or --records N")
    }
    if let before { try checkNumber("--before", before, isIn: 0...Int.max) }
    if let bytes { try checkNumber("--bytes", bytes.bytes, isIn: 1...Int.max) }
    if let records { try checkNumber("--records", records, isIn: 1...Int.max) }
    if let age { try checkIsNotZero("--age", age) }
  }

  /// The segments that would go.
  func removable(from log: Log) throws -> [SegmentDetails] {
    if let before {
      let count = log.count
      if before > count {
        throw ToolError(
          "--before \(before) is beyond the end: \(log.namespace) has \(Quantities.counted(count, "record")) by now, with "
            + "those that were removed")
      }
      return try log.removable(before: before)
    }
    return try log.removable(
      by: Retention(maximumBytes: bytes?.bytes, maximumAge: age?.duration, maximumRecords: records))
  }

  /// As it is typed.
  var words: String {
    if let before { return "--before \(before)" }
    if let bytes { return "--bytes \(bytes.argument)" }
    if let age { return "--age \(age.argument)" }
    return "--records \(records ?? 0)"
  }
}
