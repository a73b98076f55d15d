import ArgumentParser
import Immuta
import LogStore

/// `immuta logstore cat`: messages to standard output.
struct LogStoreCat: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat",
    abstract: "Print messages.",
    discussion: """
      Works while another process appends; every message is checked before it is printed. Of several partitions, each \
      one's messages come in their order; between partitions, those that are there come in the order of their times.

      All messages:
        immuta logstore cat chat

      Of partition 2, ten messages from number 1000 on, as JSON:
        immuta logstore cat chat --partition 2 --from 1000 --limit 10 --format json

      What is appended from now on, until Ctrl-C:
        immuta logstore cat chat --follow --latest

      JSON has the members partition, sequence, index, size, timestamp, and text, or base64 where the payload is not UTF-8.
      """)

  @OptionGroup var location: StoreLocation

  @Option(help: ArgumentHelp("The partition to print; all, if none is given.", valueName: "n"))
  var partition: Int?

  @Option(
    help: ArgumentHelp("Number of the first message to print, in each partition; the first is 0.", valueName: "n"))
  var from: Int?

  @Flag(help: "Only what is appended from now on; for --follow.")
  var latest = false

  @Option(help: ArgumentHelp("Print at most so many messages.", valueName: "n"))
  var limit: Int?

  @Flag(name: .shortAndLong, help: "Wait for more, and print it as it comes.")
  var follow = false

  @Option(help: "text: payload and newline; json: an object a line; hex: a dump for people; raw: payloads alone.")
  var format: RecordFormat?

  @Flag(help: "The same as --format json.")
  var json = false

  func validate() throws {
    if let partition, partition < 0 { throw ValidationError("--partition is \(partition); they are numbered from 0") }
    if let from, from < 0 { throw ValidationError("--from is \(from); messages are numbered from 0") }
    if let limit, limit < 0 { throw ValidationError("--limit is \(limit); it must be at least 0") }
    if from != nil, latest { throw ValidationError("--from and --latest exclude each other") }
    if json, let format, format != .json {
      throw ValidationError("--json and --format \(format.rawValue) exclude each other")
    }
  }

  @MainActor func execute() async throws {
    let store = try location.openForReading()
    defer { store.close() }
    let output = Output()
    do {
      try await print(store, to: output)
    } catch let error as ImmutaError {
      // What came before a damaged message is good.
      try output.flush()
      throw error
    }
    try output.flush()
  }

  @MainActor private func print(_ store: LogStore, to output: Output) async throws {
    var printer = RecordPrinter(json ? .json : format ?? .text, to: output)
    let start: StreamPosition = latest ? .latest : .skipping(from ?? 0)
    var stream = store.stream(partitions: partition.map { [$0] }, from: start)
    var left = limit ?? Int.max
    while left > 0 {
      if let message = try stream.nextAtOnce() {
        try printer.print(message)
      } else {
        try output.flush()
        guard follow, let message = try await wait(&stream, output) else { break }
        try printer.print(message)
      }
      left -= 1
    }
  }

  /// The next message, or nil when nobody reads the output any more: a pipe tells that only when asked.
  @MainActor private func wait(_ stream: inout MessageStream, _ output: Output) async throws -> StoredMessage? {
    while !output.isAbandoned {
      if let message = try await stream.next(timeout: .seconds(1)) { return message }
    }
    return nil
  }
}
