import ArgumentParser
import Foundation
import Harness
import Workloads

/// Runs every workload, and writes RESULTS.md and the charts.
@main struct Report: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Measures Immuta, the floors and the alternatives, and writes tables and charts.")

  @Flag(help: "A tenth of the work, to see that everything runs; its numbers mean little, so they are only printed.")
  var quick = false

  @Option(help: "Only the workloads whose name has this text in it; prints their rows and writes nothing.")
  var only: String?

  @Option(
    help: "How many records the growing log gets (default: 10000000). With 100000000: 14 GB of disk, minutes more.")
  var growth: Int?

  @Option(help: "Where the files are made and removed: a real disk.")
  var directory = ".build"

  @Option(help: "Where RESULTS.md and Charts/ go, also those of a quick run (default: here).")
  var output: String?

  func validate() throws {
    if let growth, growth < 10_000 { throw ValidationError("--growth is at least 10000, not \(growth).") }
  }

  func run() async throws {
    let directory = "\(directory)/bench-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let bench = Bench(directory: directory, isQuick: quick, largestLog: growth)
    defer { bench.remove() }
    let machine = Machine(directory: directory)
    let progress = ProgressLine()
    defer { progress.end() }
    let findings = try await measure(bench, progress)
    let page = ResultsPage(findings: findings, machine: machine, command: command, duration: progress.elapsed)
    if only == nil, let output = output ?? (quick ? nil : ".") {
      try write(page, Charts.all(findings), to: output)
    } else {
      print(page.rows)
    }
  }

  /// What to write to have this run again.
  private var command: String {
    let arguments = CommandLine.arguments.dropFirst().joined(separator: " ")
    return arguments.isEmpty ? "make bench" : "make bench ARGUMENTS='\(arguments)'"
  }

  private func measure(_ bench: Bench, _ progress: ProgressLine) async throws -> Findings {
    var findings = Findings()
    let chosen = Workload.all.filter { only.map($0.name.contains) ?? true }
    for workload in chosen { findings.outcomes.append(try await bench.run(workload, progress: progress.say)) }
    if only != nil { return findings }
    progress.say("the time of each append")
    findings.latencies = try LatencyWork.run(bench)
    findings.growth = try await GrowthWork.run(bench, progress: progress.say)
    return findings
  }

  private static let beginOfOthers = "<!-- measured by CountedWork -->"

  private func write(_ page: ResultsPage, _ charts: [Chart], to directory: String) throws {
    let path = "\(directory)/RESULTS.md"
    // What other programs measured stands at its end, and stays.
    let old = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    let others = old.range(of: Self.beginOfOthers).map { "\n" + old[$0.lowerBound...] } ?? ""
    try (page.text + others).write(toFile: path, atomically: true, encoding: .utf8)
    for chart in charts { try chart.write(to: "\(directory)/Charts", named: .byTheme) }
    print("wrote \(directory)/RESULTS.md and \(2 * charts.count) charts")
  }
}
