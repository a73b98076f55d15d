import ArgumentParser
import Foundation
import Workloads

/// Runs every workload, and writes RESULTS.md and the charts.
@main struct Report: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Measures Immuta, the floors and the alternatives, and writes tables and charts.")

  @Flag(help: "A tenth of the work, to see that everything runs; its numbers mean little.")
  var quick = false

  @Option(help: "Only the workloads whose name has this text in it; prints their rows and writes nothing.")
  var only: String?

  @Option(
    help: "How many records the growing log gets (default: 10000000). With 100000000: 14 GB of disk, minutes more.")
  var growth: Int?

  @Option(help: "Where the files are made and removed: a real disk.")
  var directory = ".build"

  @Option(help: "Where RESULTS.md and Charts/ go.")
  var output = "."

  func validate() throws {
    if let growth, growth < 10_000 { throw ValidationError("--growth is at least 10000, not \(growth).") }
  }

  func run() async throws {
    let directory = "\(directory)/bench-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let bench = Bench(directory: directory, isQuick: quick, largestLog: growth)
    defer { bench.remove() }
    let progress = Progress()
    defer { progress.end() }
    let findings = try await measure(bench, progress)
    let page = ResultsPage(
      findings: findings, machine: Machine(directory: directory), command: command, duration: progress.elapsed)
    if only == nil { try write(page, Charts.all(findings), to: output) } else { print(page.rows) }
  }

  /// The command line, as it was written.
  private var command: String { (["report"] + CommandLine.arguments.dropFirst()).joined(separator: " ") }

  private func measure(_ bench: Bench, _ progress: Progress) async throws -> Findings {
    var findings = Findings()
    let chosen = Workload.all.filter { only.map($0.name.contains) ?? true }
    for workload in chosen { findings.outcomes.append(try await bench.run(workload, progress: progress.say)) }
    if only != nil { return findings }
    progress.say("the time of each append")
    findings.latencies = try LatencyWork.run(bench)
    findings.growth = try await GrowthWork.run(bench, progress: progress.say)
    return findings
  }

  private func write(_ page: ResultsPage, _ charts: [Chart], to directory: String) throws {
    let folder = "\(directory)/Charts"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try page.text.write(toFile: "\(directory)/RESULTS.md", atomically: true, encoding: .utf8)
    for chart in charts {
      for theme in [Theme.light, .dark] {
        let path = "\(folder)/\(chart.file)-\(theme.name).svg"
        try chart.svg(theme).write(toFile: path, atomically: true, encoding: .utf8)
      }
    }
    print("wrote \(directory)/RESULTS.md and \(2 * charts.count) charts")
  }
}

/// A line on standard error that says what is being done.
final class Progress {
  private let start = ContinuousClock.now
  private let isTerminal = isatty(2) == 1

  var elapsed: String {
    let seconds = Int((ContinuousClock.now - start).components.seconds)
    return seconds < 120 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
  }

  func say(_ text: String) {
    let line = "[\(elapsed)] \(text)"
    let ended = isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n"
    FileHandle.standardError.write(Data(ended.utf8))
  }

  func end() {
    if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}
