import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore consumers`: the durable consumers of a store, and how far they have come.
struct LogStoreConsumers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "consumers",
    abstract: "List durable consumers of a store; move or remove one.",
    discussion: """
      A consumer has a position in each partition. The processes that use one name share the partitions: see \
      `immuta logstore cat --consumer`.

      All consumers, a line for each partition; again each second, until Ctrl-C:
        immuta logstore consumers chat
        immuta logstore consumers chat --watch

      Have one go on elsewhere, while nobody has it: in all partitions, or in one:
        immuta logstore consumers seek chat mailer --to "2 h ago"
        immuta logstore consumers seek chat mailer --partition 2 --to 1000

      Forget one:
        immuta logstore consumers remove chat mailer
      """,
    subcommands: [LogStoreConsumersList.self, LogStoreConsumersSeek.self, LogStoreConsumersRemove.self],
    defaultSubcommand: LogStoreConsumersList.self)
}

extension StoreLocation {
  /// The consumers of the store in a directory.
  static func consumers(of directory: String, allowForeignOwner: Bool, asJSON: Bool) throws -> ConsumerReport {
    var report = ConsumerReport(of: directory, isStore: true, asJSON: asJSON)
    let store = try openForReading(directory, allowForeignOwner: allowForeignOwner)
    defer { store.close() }
    report.add(try store.consumers)
    return report
  }
}

/// `immuta logstore consumers list`, which needs not be said.
struct LogStoreConsumersList: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List consumers of a store: positions, how many messages they have not acknowledged, and who has them.")

  @OptionGroup var location: StoreLocation
  @OptionGroup var listing: ConsumerListing

  @Flag(help: "Print an object a line.")
  var json = false

  @MainActor func execute() async throws {
    try await listing.print(asJSON: json) {
      [
        try StoreLocation.consumers(
          of: location.directory, allowForeignOwner: location.allowForeignOwner, asJSON: json)
      ]
    }
  }
}

/// A store's consumer by its name: arguments of each subcommand that changes one.
struct StoreConsumerChoice: ParsableArguments {
  @OptionGroup var location: StoreLocation

  @Argument(help: "The consumer.")
  var name: String

  func validate() throws { try checkConsumer(name) }

  /// Opens the store, and reports errors in the tool's words.
  func withStore(_ body: (LogStore) throws -> Void) throws {
    let store = try location.openForReading()
    defer { store.close() }
    do {
      try body(store)
    } catch ImmutaError.consumerNotFound {
      let suggestion = Suggestion(for: name, among: (try? store.consumers.map(\.name)) ?? [])
      let command = "immuta logstore consumers \(ToolCommandLine.word(location.directory))"
      throw ToolError(
        "there is no consumer “\(name)”:\(suggestion.asked(after: " ")) `\(command)` lists those that exist")
    } catch let error as ImmutaError {
      throw ConsumerAdvice(name, of: nil, in: location.directory).seeking(error) ?? error
    }
  }
}

/// `immuta logstore consumers seek`.
struct LogStoreConsumersSeek: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "seek",
    abstract: "Have a consumer of a store go on elsewhere, while nobody has it; makes it if there is none.",
    discussion: """
      Also for one whose position is damaged, or that of another log. A new one whose name is nearly that of another is made with \
      --create only.
      """)

  @OptionGroup var consumer: StoreConsumerChoice
  @OptionGroup var creation: ConsumerCreation

  @Option(parsing: .unconditional, help: ArgumentHelp("The partition; all, if none is given.", valueName: "n"))
  var partition: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A message's number in its partition, beginning, latest, or a time: 2026-11-26T10:30:00Z, \"10 min ago\", yesterday.",
      valueName: "place"), transform: StreamPosition.place)
  var to: StreamPosition

  @MainActor func execute() async throws {
    try consumer.withStore { store in
      let makes = try creation.allows(consumer.name, besides: store.consumers.map(\.name))
      try store.seekConsumer(consumer.name, to: to, in: partition)
      makes?.say()
    }
  }
}

/// `immuta logstore consumers remove`.
struct LogStoreConsumersRemove: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Forget a consumer's positions in all partitions, while nobody has it.")

  @OptionGroup var consumer: StoreConsumerChoice

  @MainActor func execute() async throws {
    try consumer.withStore { store in try store.removeConsumer(consumer.name) }
  }
}
