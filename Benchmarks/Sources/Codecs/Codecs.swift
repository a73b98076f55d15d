import ArgumentParser
import Foundation
import Harness

/// Measures every codec on every kind of record, and writes CODECS.md, the chart, and the tables of the documentation's
/// article.
@main struct Codecs: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codecs",
    abstract: "Measures the codecs' sizes and rates, and writes tables and a chart. To be run in Benchmarks/.")

  @Flag(help: "A tenth of the records, to see that everything runs; prints the tables and writes nothing.")
  var quick = false

  @Option(help: "Where the files are made and removed: a real disk.")
  var directory = ".build"

  func run() throws {
    let article = try Article()
    let directory = "\(directory)/codecs-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let machine = Machine(directory: directory)
    let progress = ProgressLine()
    defer { progress.end() }
    let bench = CodecBench(directory: directory, count: quick ? 10_000 : 100_000, rounds: 3)
    let findings = try RecordKind.allCases.map { try bench.run($0, progress: progress.say) }
    let page = CodecsPage(
      findings: findings,
      // Not as a "date": DocC would make a box of that.
      circumstances: machine.lines
        + ["- measured on: \(Markdown.today)", "- command: `\(command)`, \(progress.elapsed)"],
      wasBusy: machine.isBusy)
    if quick { print(page.tables(heading: "##")) } else { try write(page, article) }
  }

  /// The command line, as `make` takes it.
  private var command: String {
    let arguments = CommandLine.arguments.dropFirst().joined(separator: " ")
    return arguments.isEmpty ? "make bench-codecs" : "make bench-codecs ARGUMENTS='\(arguments)'"
  }

  private func write(_ page: CodecsPage, _ article: Article) throws {
    try page.text.write(toFile: "CODECS.md", atomically: true, encoding: .utf8)
    try article.write(measured: page.measured)
    try page.chart.write(to: "\(Article.catalog)/Resources", named: .catalog)
    print("wrote CODECS.md, and in \(Article.catalog): \(Article.name), Resources/\(page.chart.file)*.svg")
  }
}

/// What stopped a run.
struct CodecsError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
