import ArgumentParser
import Immuta

/// `immuta bench`: how fast this machine and this disk are.
struct Bench: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure your own disk, in a minute: Immuta beside the bare system calls.",
    discussion: """
      Appends, syncs, streams, looks records up, opens logs and wakes waiting streams; does the same with bare system \
      calls, in turn; and prints both times and their ratio.

      The disk of ./logs:
        immuta bench

      Another one:
        immuta bench --dir /mnt/disk

      A first look, in ten seconds; or longer, for numbers that vary less:
        immuta bench --seconds 10
        immuta bench --seconds 300

      For programs, an object a line:
        immuta bench --json

      Works in a temporary directory inside --dir, which it removes at the end, also after Ctrl-C; your logs there are \
      not touched. Takes up to \(BenchPlace.space >> 20) MiB of disk, and memory for a thousand threads. Reading is measured from \
      the page cache. Each work is done in rounds, fewer on a slow disk; the numbers are medians.
      """)

  static let mostSeconds = 3600

  @OptionGroup var location: DirectoryOption

  @Option(
    parsing: .unconditional, help: ArgumentHelp("About how long to measure, 1 to \(Bench.mostSeconds).", valueName: "n")
  )
  var seconds = 45

  @Flag(help: "Print an object for each row.")
  var json = false

  func validate() throws {
    try checkNumber("--seconds", seconds, isIn: 1...Self.mostSeconds)
  }

  @MainActor func execute() async throws {
    try Interruption.install()
    let place = try BenchPlace(in: location.directory)
    defer { place.remove() }
    let output = Output()
    if !json {
      try output.line(
        "Measuring the disk of \(location.directory), for about \(Quantities.counted(seconds, "second")).")
      try output.line("")
      try output.flush()
    }
    let progress = Progress("measuring")
    defer { progress.finish() }
    let runner = BenchRunner(directory: place.directory, progress: progress)
    let report = try await runner.run(BenchWork.all(in: place.directory), for: .seconds(seconds))
    progress.finish()
    try output.report(report.lines, json: report.json, asJSON: json)
  }
}
