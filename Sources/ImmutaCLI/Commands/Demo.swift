import ArgumentParser
import Immuta

/// `immuta demo`: what a newcomer runs first.
struct Demo: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Watch a writer and eight followers at work, on this machine, and see how fast they are.",
    discussion: """
      In a temporary directory, which is removed afterwards: a writer appends records while 8 followers read and check \
      each of them; a transaction is rolled back; the log is closed, reopened and verified.

      A hundred thousand records of a kilobyte:
        immuta demo

      A million small ones:
        immuta demo --records 1000000 --size 100

      A few large ones, on another disk:
        TMPDIR=/mnt/disk immuta demo --records 500 --size 1000000

      For programs, an object a line:
        immuta demo --json

      The exit status is 0 only if every check passed.
      """)

  static let mostRecords = 100_000_000
  static let largestSize = 64 << 20

  @Option(parsing: .unconditional, help: ArgumentHelp("How many records, 1 to \(Demo.mostRecords).", valueName: "n"))
  var records = 100_000

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Payload bytes of each, 0 to \(Demo.largestSize).", valueName: "bytes"))
  var size = 1024

  @Flag(help: "Print an object for each step.")
  var json = false

  func validate() throws {
    try checkNumber("--records", records, isIn: 1...Self.mostRecords)
    try checkNumber("--size", size, isIn: 0...Self.largestSize)
  }

  /// Disk space for so many records, with what is kept beside each, and room for what is reserved ahead.
  static func spaceNeeded(records: Int, size: Int) -> Int {
    let bytes = records * (size + 32)
    return bytes + bytes / 16 + (64 << 20)
  }

  @MainActor func execute() async throws {
    let needed = Self.spaceNeeded(records: records, size: size)
    let free = try System.freeSpace(in: System.temporaryDirectory)
    guard needed <= free else {
      throw ToolError(
        """
        the demonstration needs \(Quantities.grouped(needed >> 20)) MiB in \(System.temporaryDirectory), which has \
        \(Quantities.grouped(free >> 20)): take fewer or smaller records, or set TMPDIR
        """)
    }
    try Interruption.install()
    let directory = try System.makeTemporaryDirectory(prefix: "immuta-demo-")
    defer { System.removeDirectory(directory) }
    let output = Output()
    if !json {
      try output.line("Immuta at work in \(directory): one writer, \(Demonstration.followers) followers.")
      try output.line("")
      try output.flush()
    }
    let progress = Progress("at work")
    defer { progress.finish() }
    let demonstration = Demonstration(directory: directory, records: records, size: size, progress: progress)
    let report = try await demonstration.run()
    progress.finish()
    try output.report(report.lines, json: report.json, asJSON: json)
    if !report.isHeld { throw AlreadyReported(status: .failure) }
  }
}
