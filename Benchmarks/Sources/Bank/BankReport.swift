import ArgumentParser
import Foundation
import Harness

/// Runs the bank on Immuta and on SQLite, and writes the table of the documentation's article.
@main struct BankReport: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bank",
    abstract: "Measures the bank of the article on event sourcing on Immuta and on SQLite. To be run in Benchmarks/.")

  @Flag(help: "A twentieth of the work, to see that it runs; prints the table and writes nothing.")
  var quick = false

  @Option(help: "Where the files are made and removed: a real disk.")
  var directory = ".build"

  private static let article = "../Sources/Immuta/Immuta.docc/EventSourcing.md"
  private static let begin = "<!-- What follows is written by `Scripts/bench.sh bank`. -->\n"
  private static let end = "<!-- What was written by `Scripts/bench.sh bank` ends here. -->\n"

  func run() async throws {
    let article = try String(contentsOfFile: Self.article, encoding: .utf8)
    guard let begin = article.firstRange(of: Self.begin), let end = article.firstRange(of: Self.end),
      begin.upperBound <= end.lowerBound
    else { throw BankError("\(Self.article) has lost the comments between which the table goes") }
    let directory = "\(directory)/bank-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let machine = Machine(directory: directory)
    let progress = ProgressLine()
    defer { progress.end() }
    let (immuta, sqlite, events) = try await BankBench(directory: directory, isQuick: quick).run(progress: progress.say)
    let rows = [
      row("a transfer, `.buffered` beside `NORMAL`", "µs", immuta.write, sqlite.write),
      row("a transfer, `.synced` beside `FULL`", "µs", immuta.writeSynced, sqlite.writeSynced),
      row("opening, and a balance", "ms", immuta.open, sqlite.open),
      row("opening, and an account's history", "ms", immuta.openHistory, sqlite.openHistory),
      row("a balance", "µs", immuta.balance, sqlite.balance),
      row("an account's history", "µs", immuta.history, sqlite.history),
      [
        "on disk", Quantity.fixed(Double(immuta.bytes) / 1e6, 1) + " MB",
        Quantity.fixed(Double(sqlite.bytes) / 1e6, 1) + " MB", ratio(Double(immuta.bytes), Double(sqlite.bytes)),
      ],
      ["lines of code", "\(try lines("ImmutaBank"))", "\(try lines("SQLiteBank"))", ""],
    ]
    let circumstances =
      machine.lines + [
        "- accounts: 1,000; events: \(events), some \(events / 1000) of each account",
        "- measured on: \(Markdown.today)", "- command: `Scripts/bench.sh bank`, \(progress.elapsed)",
      ]
    let busy = machine.isBusy ? "\n\nOthers were busy on this machine: take the ratios, not the times." : ""
    let text =
      Markdown.table(["", "Immuta", "SQLite", "Immuta's part of SQLite's"], rows) + "\n\n"
      + circumstances.joined(separator: "\n") + busy
    if quick { return print(text) }
    try "\(article[..<begin.upperBound])\n\(text)\n\n\(article[end.lowerBound...])".write(
      toFile: Self.article, atomically: true, encoding: .utf8)
    print("wrote \(Self.article)")
  }

  private func row(_ name: String, _ unit: String, _ ours: [Double], _ others: [Double]) -> [String] {
    let divisor = unit == "ms" ? 1e6 : 1e3
    return [
      name, Quantity.fixed(ours.median / divisor, 2) + " " + unit,
      Quantity.fixed(others.median / divisor, 2) + " " + unit, ratio(ours.median, others.median),
    ]
  }

  private func ratio(_ ours: Double, _ others: Double) -> String { Quantity.fixed(ours / others, 2) }

  /// Lines of a bank's file that are neither empty nor a comment.
  private func lines(_ name: String) throws -> Int {
    try String(contentsOfFile: "Sources/Bank/\(name).swift", encoding: .utf8).split(separator: "\n").count { line in
      let line = line.trimmingCharacters(in: .whitespaces)
      return !line.isEmpty && !line.hasPrefix("//")
    }
  }
}
