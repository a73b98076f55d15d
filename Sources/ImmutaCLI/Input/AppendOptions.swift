import ArgumentParser
import Immuta

/// What `append` promises for a record it printed a receipt for.
enum AppendDurability: String, CaseIterable, ExpressibleByArgument {
  case buffered
  case synced
}

/// What is appended and what is said of it: options of each subcommand that appends.
struct AppendOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Files to read; “-” is standard input, as is no file at all.", valueName: "file"),
    completion: .file())
  var files: [String] = []

  @Option(help: "synced: records are on stable storage before their receipts are printed.")
  var durability: AppendDurability = .buffered

  @Flag(help: "Print a receipt for each record once it is committed: its number, place and size, as JSON.")
  var receipts = false

  @Flag(help: "Print a summary as JSON at the end; not with --receipts, which are JSON already.")
  var json = false

  @OptionGroup var segments: SegmentOptions

  @OptionGroup var retention: RetentionOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes that a record may have: a longer one is an error, and nothing of it is appended. (default: 1G)",
      valueName: "size"), transform: ByteCount.parse)
  var maxRecord = ByteCount(1 << 30)

  @OptionGroup var lock: WaitOption

  func validate() throws {
    try checkNumber("--max-record", maxRecord.bytes, isIn: 1...Int.max)
    if !retention.retention.keepsEverything, !segments.isGiven {
      throw ValidationError(
        "--keep-bytes, --keep-age and --keep-records remove whole files, and this log would stay one file: give "
          + "--segment-bytes or --segment-age as well"
      )
    }
  }

  /// What is set of the log that is appended to.
  func set(in configuration: inout Storage.Configuration) {
    segments.set(in: &configuration)
    configuration.retention = retention.retention
  }

  /// The files, checked: see ``FileSource/check(_:)``.
  func input() throws -> (paths: [String], size: Int?) {
    let paths = files.isEmpty ? ["-"] : files
    return (paths, try FileSource.check(paths))
  }

  /// Begins to read a file, or standard input: says so where a person is to type it.
  ///
  /// - Parameter ignoresMark: see ``RecordInput``.
  func read(_ path: String, delimiter: UInt8?, ignoresMark: Bool = false) throws -> RecordInput {
    let source = try FileSource(path)
    source.sayHowItEnds(delimiter)
    return RecordInput(source, delimiter: delimiter, ignoresMark: ignoresMark, most: maxRecord.bytes)
  }

  /// A bar for what is appended, where nothing else is printed or typed on the same terminal.
  private func progress(_ paths: [String]) -> Progress? {
    if paths.contains("-"), System.isTerminal(System.standardInput) { return nil }
    if receipts, System.isTerminal(System.standardOutput) { return nil }
    return Progress("appending")
  }

  /// Appends the records of the files, and then prints the summary.
  ///
  /// - Parameter first: the first of the files, where it was begun to read already.
  @MainActor func append(
    _ input: (paths: [String], size: Int?), delimiter: UInt8?, ignoresMark: Bool = false, to target: any AppendTarget,
    first: RecordInput? = nil, skipping skipped: SkippedLines = SkippedLines(isAllowed: false)
  ) async throws {
    let output = Output()
    let appender = Appender(
      to: target, isSynced: durability == .synced, receipts: receipts ? output : nil, skipped: skipped,
      progress: progress(input.paths).map { ($0, input.size) })
    let start = ContinuousClock.now
    do {
      for (number, path) in input.paths.enumerated() {
        let source = try (number == 0 ? first : nil) ?? read(path, delimiter: delimiter, ignoresMark: ignoresMark)
        try await appender.append(source, name: input.paths.count > 1 ? path : nil)
      }
    } catch {
      await appender.giveUp()
      // Committed records get their flush, and the summary is printed, also when the user stopped us.
      if error is Interrupted { try await conclude(target, appender, output, skipped, after: start.duration(to: .now)) }
      throw appender.failure(error)
    }
    appender.finish()
    try await conclude(target, appender, output, skipped, after: start.duration(to: .now))
    try skipped.check(used: appender.summary.records)
  }

  @MainActor private func conclude(
    _ target: any AppendTarget, _ appender: Appender, _ output: Output, _ skipped: SkippedLines, after time: Duration
  ) async throws {
    // Before the summary says that it is appended.
    do { try await target.sync() } catch { throw appender.failure(ofFlush: error) }
    skipped.say()
    if receipts { return }
    if json {
      var object = target.object(of: appender.summary, time: time)
      if skipped.count > 0 { object.add("skipped", skipped.count) }
      output.bytes += object.line
      try output.flush()
    } else if System.isTerminal(System.standardError) {
      Failure.say(target.text(of: appender.summary, time: time))
    }
  }
}
