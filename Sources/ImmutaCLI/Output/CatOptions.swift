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

  @Option(
    name: [.customShort("n"), .long], parsing: .unconditional,
    help: ArgumentHelp("Begin with the last n records that exist.", valueName: "n"))
  var last: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Begin with the first record of this time or later: 2026-11-26, 2026-11-26T10:30:00Z, "10 min ago", yesterday.
      """, valueName: "time"), transform: Moment.parse)
  var since: Timestamp?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "End before the first record of this time or later; with --follow, also when the time is over.",
      valueName: "time"), transform: Moment.parse)
  var until: Timestamp?

  @Option(parsing: .unconditional, help: ArgumentHelp("Print at most so many records.", valueName: "n"))
  var limit: Int?

  @Flag(name: .shortAndLong, help: "Wait for more, and print it as it comes.")
  var follow = false

  @Option(
    help: ArgumentHelp(
      """
      text: payload and newline; json: an object a line; hex: a dump for people; raw: payloads alone; or a template, such \
      as '%n %t %s'.
      """, valueName: "format"), completion: .list(RecordFormat.named.map(\.name)), transform: RecordFormat.parse)
  var format: RecordFormat?

  @Flag(help: "On a terminal: also print the control bytes of records as they are. It obeys them.")
  var rawControl = false

  @Flag(help: "The same as --format json.")
  var json = false

  func validate() throws {
    if let from { try checkNumber("--from", from, isIn: 0...Int.max) }
    if let limit { try checkNumber("--limit", limit, isIn: 0...Int.max) }
    if ahead, from == nil || !follow { throw ValidationError("--ahead needs --from and --follow") }
    if let last { try checkNumber("-n", last, isIn: 0...Int.max) }
    let beginnings = [
      ("--from", from != nil), ("--latest", latest), ("-n", last != nil), ("--since", since != nil),
    ].filter(\.1).map(\.0)
    if beginnings.count > 1 {
      throw ValidationError(
        "use either \(beginnings.joined(separator: " or ")): each says where to begin")
    }
    if let since, let until, until < since { throw ValidationError("--until is before --since: nothing is in between") }
    if latest, let until, until <= Moment.now {
      throw ValidationError("--latest is what comes from now on, and the time of --until is over")
    }
    if json, let format, format != .json { throw ValidationError("use either --json or --format") }
  }

  /// Prints a stream's records: those that exist, and, if asked to follow, those to come.
  ///
  /// - Parameters:
  ///   - log: the log of a partition, or the only one.
  ///   - total: about how many there are to print without following, where that is known.
  ///   - isAtEnd: whether a position is after the last record that is printed without following; a stream that
  ///     has nothing more at once is at its end in any case.
  @MainActor func print<Stream: PrintableStream>(
    _ stream: Stream, of log: @escaping (_ partition: Int?) -> Log?, total: @autoclosure () -> Int?,
    isAtEnd: (borrowing Stream) -> Bool = { _ in false }
  ) async throws {
    if !follow, System.isTerminal(System.standardError) {
      if latest { Failure.say("note: --latest is what comes from now on: add --follow to wait for it") }
      if let since, since > Moment.now {
        Failure.say("note: the time of --since has not come yet: add --follow to wait for it")
      }
    }
    let isTerminal = System.isTerminal(System.standardOutput)
    let style = RecordPrinter.Style(
      format: usedFormat, hasColours: Colours.areOn(isTerminal: isTerminal, System.variable),
      isGuarded: !rawControl && isTerminal)
    let output = Output()
    let progress = progress(total: total())
    defer { progress?.bar.finish() }
    do {
      try await print(stream, of: log, RecordPrinter(style, to: output, of: log), progress, isAtEnd)
    } catch is OutputClosed {
      // The reader has seen enough, as `head` has.
    }
  }

  /// A bar for what goes into a file: elsewhere it would be among what is printed, or among what is made of that.
  private func progress(total: @autoclosure () -> Int?) -> (bar: Progress, total: Int)? {
    guard !follow, System.isTerminal(System.standardError),
      let info = try? System.info(System.standardOutput, name: "the output"), info.size != nil, let total = total()
    else { return nil }
    return (Progress("printing"), min(total, limit ?? .max))
  }

  @MainActor private func print<Stream: PrintableStream>(
    _ stream: Stream, of log: @escaping (_ partition: Int?) -> Log?, _ printer: RecordPrinter,
    _ progress: (bar: Progress, total: Int)?, _ isAtEnd: (borrowing Stream) -> Bool
  ) async throws {
    var (stream, printer) = (stream, printer)
    let output = printer.output
    let most = limit ?? Int.max
    var left = most
    var isWatched = false
    var printed: (last: Stream.Element?, count: Int) = (nil, 0)
    // What was written is acknowledged, also where what comes next cannot be read.
    func acknowledge() async throws {
      try output.flush()
      if let last = printed.last { try await stream.acknowledge(last) }
      printed = (nil, 0)
    }
    do {
      while left > 0, follow || !isAtEnd(stream) {
        if printed.count == Self.mostUnacknowledged { try await acknowledge() }
        var next = try await stream.nextAtOnce()
        if next == nil {
          try await acknowledge()
          // A pipe that nobody reads any more is noticed only when it is asked, and nothing comes that would be written to it.
          if follow, !isWatched { System.exitOnceAbandoned() }
          isWatched = true
          next = try await follow ? waitForNext(of: &stream) : stream.nextOnItsWay()
        }
        guard let element = next, try !isTooLate(Stream.place(of: element), log) else { break }
        try Stream.print(element, with: &printer)
        left -= 1
        if let progress { progress.bar.update(most - left, of: progress.total) }
        printed = (element, printed.count + 1)
      }
    } catch let error as ImmutaError {
      try await acknowledge()
      throw error
    }
    try await acknowledge()
  }

  /// Records that are printed at most before a consumer notes it.
  private static var mostUnacknowledged: Int { 1_000 }

  /// The format that was asked for, by either option.
  private var usedFormat: RecordFormat { json ? .json : format ?? .text }

  /// Whether an option says where to begin.
  var saysWhereToBegin: Bool { from != nil || latest || last != nil || since != nil }
}

extension CatOptions {
  /// The next element, once it has come; nil when the time of `--until` is over before.
  @MainActor private func waitForNext<Stream: PrintableStream>(of stream: inout Stream) async throws -> Stream.Element?
  {
    guard let until else { return try await stream.next() }
    let end = Duration.nanoseconds(until.nanosecondsSince1970) + Self.slack
    while true {
      let left = end - .nanoseconds(Timestamp.now.nanosecondsSince1970)
      // Records that were committed in time exist by now.
      guard left > .zero else { return try await stream.nextAtOnce() }
      // In pieces: somebody may set the clock meanwhile.
      if let next = try await stream.next(timeout: min(left, .seconds(60))) { return next }
    }
  }

  /// A record's time may be so much earlier than its commit.
  private static var slack: Duration { .milliseconds(20) }

  /// Whether a record was committed at the time of `--until` or later.
  private func isTooLate(_ place: PrintedPlace, _ log: (_ partition: Int?) -> Log?) throws -> Bool {
    guard let until, place.timestamp >= until else { return false }
    // Where a clock was wrong, the log knows more.
    guard let log = log(place.partition) else { return true }
    return try log.sequence(at: until) <= place.sequence
  }

  /// How many records of a log come before the time of `--until`.
  func end(of log: Log) throws -> Int {
    let count = log.count
    return try until.map { min(count, try log.sequence(at: $0)) } ?? count
  }
}

/// A stream that `cat` prints: of a log, or of a store.
protocol PrintableStream {
  associatedtype Element
  /// The next element if it has come already.
  mutating func nextAtOnce() async throws -> Element?
  /// The next element, once it has come.
  mutating func next() async throws -> Element?
  /// The same; nil when it has not come in time.
  mutating func next(timeout: Duration) async throws -> Element?
  /// An element that has come and is not this stream's yet; nil where there is none.
  mutating func nextOnItsWay() async throws -> Element?
  static func place(of element: Element) -> PrintedPlace
  static func print(_ element: Element, with printer: inout RecordPrinter) throws
  /// An element was written, and all before it.
  func acknowledge(_ element: Element) async throws
}

extension PrintableStream {
  func acknowledge(_ element: Element) {}
  func nextOnItsWay() -> Element? { nil }
}

/// Which record is printed.
struct PrintedPlace {
  let sequence: Int
  let timestamp: Timestamp
  /// Of a store.
  var partition: Int?

  init(_ record: some LogRecord, partition: Int? = nil) {
    (sequence, timestamp, self.partition) = (record.sequence, record.timestamp, partition)
  }
}

/// The records of a consumer, which acknowledges records once they were written.
struct ConsumerStream: PrintableStream {
  private let consumer: Consumer
  /// After the record that was delivered last.
  private(set) var place: Int

  init(_ consumer: Consumer) {
    self.consumer = consumer
    place = consumer.position
  }

  mutating func nextAtOnce() throws(ImmutaError) -> Record? { note(try consumer.nextAtOnce()) }
  mutating func next() async throws -> Record? { note(try await consumer.next()) }
  mutating func next(timeout: Duration) async throws -> Record? { note(try await consumer.next(timeout: timeout)) }

  private mutating func note(_ record: Record?) -> Record? {
    if let record { place = record.sequence + 1 }
    return record
  }

  func acknowledge(_ record: Record) async throws { try await consumer.acknowledge(record) }

  func close() { consumer.close() }

  static func place(of record: Record) -> PrintedPlace { PrintedPlace(record) }
  static func print(_ record: Record, with printer: inout RecordPrinter) throws { try printer.print(record) }
}

extension RecordStream: PrintableStream {
  static func place(of record: Record) -> PrintedPlace { PrintedPlace(record) }
  static func print(_ record: Record, with printer: inout RecordPrinter) throws { try printer.print(record) }
}

extension MessageStream: PrintableStream {
  static func place(of message: StoredMessage) -> PrintedPlace {
    PrintedPlace(message.record, partition: message.partition)
  }
  static func print(_ message: StoredMessage, with printer: inout RecordPrinter) throws { try printer.print(message) }
}
