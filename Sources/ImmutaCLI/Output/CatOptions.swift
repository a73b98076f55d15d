import ArgumentParser
import Immuta
import ImmutaLogStore

/// Which records are printed, and how: options of each subcommand that prints them.
struct CatOptions: ParsableArguments {
  // What looks like an option is taken as the value, so that a negative number is refused as one.
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Number of the first record to print; the first of all is 0.", valueName: "n"))
  var from: Int?

  @Flag(help: "With --follow and --from: wait for that record, even if it has not been written yet.")
  var ahead = false

  @Flag(help: "Only what is appended from now on; for --follow.")
  var latest = false

  @Option(parsing: .unconditional, help: ArgumentHelp("Print at most so many records.", valueName: "n"))
  var limit: Int?

  @Flag(name: .shortAndLong, help: "Wait for more, and print it as it comes.")
  var follow = false

  @Option(help: "text: payload and newline; json: an object a line; hex: a dump for people; raw: payloads alone.")
  var format: RecordFormat?

  @Flag(help: "The same as --format json.")
  var json = false

  func validate() throws {
    if let from { try checkNumber("--from", from, isIn: 0...Int.max) }
    if let limit { try checkNumber("--limit", limit, isIn: 0...Int.max) }
    if ahead, from == nil || !follow { throw ValidationError("--ahead needs --from and --follow") }
    if from != nil, latest { throw ValidationError("use either --from or --latest") }
    if json, let format, format != .json {
      throw ValidationError("use either --json or --format \(format.rawValue)")
    }
  }

  /// Prints a stream's records: those that exist, and, if asked to follow, those to come.
  ///
  /// - Parameters:
  ///   - log: the log of a partition, or the only one.
  ///   - isAtEnd: whether a position is after the last record that is printed without following; a stream that
  ///     has nothing more at once is at its end in any case.
  @MainActor func print<Stream: PrintableStream>(
    _ stream: Stream, of log: @escaping (_ partition: Int?) -> Log?,
    isAtEnd: (borrowing Stream) -> Bool = { _ in false }
  ) async throws {
    if latest, !follow, System.isTerminal(System.standardError) {
      Failure.say("note: --latest is what comes from now on: add --follow to wait for it")
    }
    let output = Output()
    do {
      try await print(stream, of: log, to: output, isAtEnd)
      try output.flush()
    } catch let error as ImmutaError {
      // What came before a damaged record is good.
      try output.flush()
      throw error
    } catch is OutputClosed {
      // Whoever reads has seen enough, as `head` has.
    }
  }

  @MainActor private func print<Stream: PrintableStream>(
    _ stream: Stream, of log: @escaping (_ partition: Int?) -> Log?, to output: Output,
    _ isAtEnd: (borrowing Stream) -> Bool
  ) async throws {
    var stream = stream
    var printer = RecordPrinter(json ? .json : format ?? .text, to: output, of: log)
    var left = limit ?? Int.max
    var isWatched = false
    while left > 0, follow || !isAtEnd(stream) {
      if let element = try stream.nextAtOnce() {
        try Stream.print(element, with: &printer)
      } else {
        try output.flush()
        // A pipe that nobody reads any more is noticed only when it is asked, and nothing comes that would be written to it.
        if follow, !isWatched { System.exitOnceAbandoned() }
        isWatched = true
        guard follow, let element = try await stream.next() else { break }
        try Stream.print(element, with: &printer)
      }
      left -= 1
    }
  }
}

/// A stream that `cat` prints: of a log, or of a store.
protocol PrintableStream {
  associatedtype Element
  /// The next element if it has come already.
  mutating func nextAtOnce() throws(ImmutaError) -> Element?
  /// The next element, once it has come.
  mutating func next() async throws -> Element?
  static func print(_ element: Element, with printer: inout RecordPrinter) throws
}

extension RecordStream: PrintableStream {
  static func print(_ record: Record, with printer: inout RecordPrinter) throws { try printer.print(record) }
}

extension MessageStream: PrintableStream {
  static func print(_ message: StoredMessage, with printer: inout RecordPrinter) throws { try printer.print(message) }
}
