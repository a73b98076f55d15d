import ArgumentParser
import Immuta

/// `immuta cat`: records to standard output.
struct Cat: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print records.",
    discussion: """
      Works while another process appends; every record is checked before it is printed.

      All records, each on a line of its own:
        immuta cat events

      From record 1000 on, ten of them, as JSON:
        immuta cat events --from 1000 --limit 10 --format json

      What is appended from now on, until Ctrl-C:
        immuta cat events --follow --latest

      A file that was appended with --delimiter none, back as it was:
        immuta cat backups --from 3 --limit 1 --format raw > photo.raw

      A log that was written with a codec:
        immuta cat events --codec deflate --key-file secret.key

      JSON has the members sequence, index, size, timestamp, and text, or base64 where the payload is not UTF-8.
      """)

  @OptionGroup var location: Location
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: "The namespace to read.")
  var namespace: String

  @Option(help: ArgumentHelp("Number of the first record to print; the log's first is 0.", valueName: "n"))
  var from: Int?

  @Flag(help: "Only what is appended from now on; for --follow.")
  var latest = false

  @Option(help: ArgumentHelp("Print at most so many records.", valueName: "n"))
  var limit: Int?

  @Flag(name: .shortAndLong, help: "Wait for more, and print it as it comes.")
  var follow = false

  @Option(help: "text: payload and newline; json: an object a line; hex: a dump for people; raw: payloads alone.")
  var format: RecordFormat?

  @Flag(help: "The same as --format json.")
  var json = false

  func validate() throws {
    try checkNamespace(namespace)
    if let from, from < 0 { throw ValidationError("--from is \(from); records are numbered from 0") }
    if let limit, limit < 0 { throw ValidationError("--limit is \(limit); it must be at least 0") }
    if from != nil, latest { throw ValidationError("--from and --latest exclude each other") }
    if json, let format, format != .json {
      throw ValidationError("--json and --format \(format.rawValue) exclude each other")
    }
  }

  @MainActor func execute() async throws {
    let (storage, log) = try location.openForReading(namespace, codecOptions.configuration())
    defer { storage.close() }
    let output = Output()
    do {
      try await print(log, to: output)
    } catch let error as ImmutaError {
      // What came before a damaged record is good.
      try output.flush()
      throw error
    }
    try output.flush()
  }

  @MainActor private func print(_ log: Log, to output: Output) async throws {
    let present = log.count
    let start = latest ? present : from ?? 0
    let end = limit.map { start.addingReportingOverflow($0) }.map { $0.overflow ? Int.max : $0.partialValue } ?? Int.max
    if latest, !follow, System.isTerminal(System.standardError) {
      Failure.say("note: --latest is what comes from now on: add --follow to wait for it")
    }
    var printer = RecordPrinter(json ? .json : format ?? .text, to: output)
    var stream = log.stream(from: .skipping(start))
    while stream.position < end {
      if !follow, stream.position >= present { break }
      if let record = try stream.nextAtOnce() {
        try printer.print(record)
      } else {
        try output.flush()
        guard let record = try await wait(&stream, output) else { break }
        try printer.print(record)
      }
    }
  }

  /// The next record, or nil when nobody reads the output any more: a pipe tells that only when asked.
  @MainActor private func wait(_ stream: inout RecordStream, _ output: Output) async throws -> Record? {
    while !output.isAbandoned {
      if let record = try await stream.next(timeout: .seconds(1)) { return record }
    }
    return nil
  }
}
