import ArgumentParser
import Immuta

/// What `append` promises for a record it printed a receipt for.
enum AppendDurability: String, CaseIterable, ExpressibleByArgument {
  case buffered
  case synced
}

/// What is appended and what is said of it: options of each subcommand that appends.
struct AppendOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("Files to read; “-” is standard input, as is no file at all.", valueName: "file"))
  var files: [String] = []

  @Option(help: "synced: records are on stable storage before their receipts are printed.")
  var durability: AppendDurability = .buffered

  @Flag(help: "Print a receipt for each record once it is committed: its number, place and size, as JSON.")
  var receipts = false

  @Flag(help: "Print a summary as JSON at the end; not with --receipts, which are JSON already.")
  var json = false

  @Option(
    help: ArgumentHelp(
      """
      How long to wait while another process has the log open for writing: 500ms, 5s, 2m. The exit status is 75 if it \
      still has it then.
      """, valueName: "duration"))
  var wait: Wait?

  @Flag(help: "Write also to files that another user put there: by default they are refused.")
  var allowForeignOwner = false

  /// Opens what is appended to, again and again while somebody else has it, for as long as the user wants to wait.
  @MainActor func waiting<Opened>(_ open: () throws -> Opened) throws -> Opened {
    let end = ContinuousClock.now + (wait?.duration ?? .zero)
    var pause = Duration.milliseconds(20)
    while true {
      do {
        return try open()
      } catch ImmutaError.locked(let holder) {
        let left = end - .now
        guard left > .zero else { throw ImmutaError.locked(holder) }
        try System.pause(min(pause, left))
        // Soon at first, then rarely: a writer that keeps its log for long is not asked all the time.
        pause = min(pause * 2, .seconds(1))
      }
    }
  }

  /// The files, checked: see ``FileSource/check(_:)``.
  func input() throws -> (paths: [String], size: Int?) {
    let paths = files.isEmpty ? ["-"] : files
    return (paths, try FileSource.check(paths))
  }

  /// Appends the records of the files, and then tells the summary.
  @MainActor func append(
    _ input: (paths: [String], size: Int?), delimiter: UInt8?, to target: any AppendTarget
  ) async throws {
    let output = Output()
    let appender = Appender(
      to: target, isSynced: durability == .synced, receipts: receipts ? output : nil,
      progress: input.size.map { (Progress("appending"), $0) })
    let start = ContinuousClock.now
    do {
      for path in input.paths { try await appender.append(RecordInput(try FileSource(path), delimiter: delimiter)) }
    } catch {
      await appender.giveUp()
      // What is committed gets its flush, and whoever waits for the summary gets it, also when the user stopped us.
      if error is Interrupted { try await conclude(target, appender, output, after: start.duration(to: .now)) }
      throw appender.failure(error)
    }
    appender.finish()
    try await conclude(target, appender, output, after: start.duration(to: .now))
  }

  @MainActor private func conclude(
    _ target: any AppendTarget, _ appender: Appender, _ output: Output, after time: Duration
  ) async throws {
    // Before the summary says that it is appended.
    try await target.sync()
    if receipts { return }
    if json {
      output.bytes += target.object(of: appender.summary, time: time).line
      try output.flush()
    } else if System.isTerminal(System.standardError) {
      Failure.say(target.text(of: appender.summary, time: time))
    }
  }
}
