import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore cat`: messages to standard output.
struct LogStoreCat: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat",
    abstract: "Print messages.",
    discussion: """
      Works while another process appends; every message is checked before it is printed. Of several partitions, each \
      one's messages come in their order; between partitions, those that exist come in the order of their times.

      All messages:
        immuta logstore cat chat

      Of partition 2, ten messages from number 1000 on, as JSON:
        immuta logstore cat chat --partition 2 --from 1000 --limit 10 --format json

      What is appended from now on, until Ctrl-C; a store that does not exist yet is waited for:
        immuta logstore cat chat --follow --latest

      By a template, which is explained in `immuta cat --help`; %p is the partition:
        immuta logstore cat chat --format '%p %n %s'

      Of the last ten minutes:
        immuta logstore cat chat --since "10 min ago"

      For a program that must miss nothing: a consumer goes on after what was printed when it ended, however it ended. \
      Processes with the same consumer share the partitions, now and as they come and go:
        immuta logstore cat chat --consumer mailer --follow | ./send-mails
        immuta logstore consumers chat

      --from and -n count in each partition. JSON has the members partition, sequence, index, size, timestamp, and text, or \
      base64 where the payload is not UTF-8.
      """)

  @OptionGroup var location: StoreLocation

  @Option(parsing: .unconditional, help: ArgumentHelp("The partition to print; all, if none is given.", valueName: "n"))
  var partition: Int?

  @Option(
    help: ArgumentHelp(
      "Go on where this consumer stopped, and note how far it was printed; made if there is none. Shares the partitions with "
        + "others of that name; with --partition it has that one alone.", valueName: "name"))
  var consumer: String?

  @OptionGroup var options: CatOptions

  func validate() throws {
    if let partition, partition < 0 { throw ValidationError("--partition is \(partition); they are numbered from 0") }
    guard let consumer else { return }
    try checkConsumer(consumer)
    if options.saysWhereToBegin {
      throw ValidationError(
        "--consumer goes on where it stopped; to move it: immuta logstore consumers seek DIR \(consumer) --to N")
    }
    if options.until != nil { throw ValidationError("use either --consumer or --until") }
  }

  @MainActor func execute() async throws {
    let (store, hasAppeared) = try await options.open("the store \(location.directory)") {
      try location.openForReading()
    }
    defer { store.close() }
    let numbers = partition.map { [$0] } ?? Array(0..<store.partitionCount)
    for number in numbers {
      // What cannot be opened is reported by the stream.
      LogKind.partition.say(openingNote: try? store.openingNote(partition: number), of: "\(number)")
    }
    if let consumer {
      return try await ConsumerAdvice(consumer, of: nil, in: location.directory).whileReading {
        let new = try NewConsumer(consumer, besides: store.consumers.map(\.name))
        let stream = MessageConsumerStream(
          try partition.map { try store.consumer(consumer, partitions: [$0]) } ?? store.consumer(consumer))
        new?.sayIfDoubted(
          removedBy: "immuta logstore consumers remove \(ToolCommandLine.word(location.directory)) \(consumer)")
        // What was not printed, or nobody read, comes again.
        defer { stream.close() }
        try await options.print(stream, of: { number in number.flatMap { try? store.partition($0).log } }, total: nil)
      }
    }
    let start: StreamPosition =
      options.latest && !hasAppeared ? .latest : try start(in: store, hasAppeared: hasAppeared)
    var starts = Dictionary(uniqueKeysWithValues: numbers.map { ($0, start) })
    if let last = options.last, !hasAppeared {
      for number in numbers { starts[number] = try self.start(before: last, in: store, number) }
    }
    try await options.print(
      store.stream(from: starts), of: { number in number.flatMap { try? store.partition($0).log } },
      total: options.total(of: starts, in: store))
  }

  /// Before the last so many messages of a partition.
  private func start(before count: Int, in store: LogStore, _ number: Int) throws -> StreamPosition {
    // What cannot be opened is reported by the stream.
    guard let log = try? store.partition(number).log else { return .last(count) }
    return .skipping(max(log.firstSequence, try options.end(of: log) - count))
  }

  /// A number beyond the end of the partition is an error, and so is one beyond the end of each.
  private func start(in store: LogStore, hasAppeared: Bool) throws -> StreamPosition {
    if let since = options.since { return .time(since) }
    // Without a number, each from its first message that was not removed.
    guard let from = options.from else { return .beginning }
    if options.ahead || hasAppeared { return .skipping(from) }
    if partition != nil { return .sequence(from) }
    let most = (0..<store.partitionCount).compactMap { try? store.partition($0).count }.max() ?? 0
    if from > most { throw ImmutaError.positionBeyondEnd(position: from, count: most) }
    return .skipping(from)
  }
}
