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

  @Argument(help: "The namespace.", completion: Completions.namespaces)
  var namespace: String

  @OptionGroup var options: TrimOptions

  func validate() throws {
    try checkNamespace(namespace)
  }

  @MainActor func execute() async throws {
    let work = Trimming(kind: .namespace, name: namespace, directory: location.directory, options)
    let codec = try work.look {
      let (storage, log) = try location.openForReading(namespace, .storedPayloads)
      return (log, { storage.close() })
    }
    try await work.remove(codec, next: ToolCommandLine.of("trim", namespace, in: location.directory)) { configuration in
      let storage = try location.open(namespace, configuration)
      return (storage, try storage.log(namespace))
    }
  }
}

/// What `trim` removes, and how: options of each subcommand that trims.
struct TrimOptions: ParsableArguments {
  @OptionGroup(title: "What to keep, one of these") var choice: TrimChoice

  @Flag(help: "Remove it, rather than say what would go.")
  var apply = false

  @OptionGroup var lock: WaitOption

  @Flag(help: "Print an object.")
  var json = false
}

/// What is kept of a log: options of `trim`.
struct TrimChoice: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Keep the record of this number, and all after it.", valueName: "n"))
  var before: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Keep at most so many bytes: 500M, 10G.", valueName: "size"), transform: ByteCount.parse)
  var bytes: ByteCount?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Keep segments with a record that is not older: 12h, 30d.", valueName: "duration"),
    transform: TimeSpan.parse)
  var age: TimeSpan?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Keep at most so many records: fewer by a part of a segment, as segments go whole.", valueName: "n"))
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

  /// The segments that would be removed.
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
