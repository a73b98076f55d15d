import ArgumentParser
import Immuta

/// `immuta consumers`: the durable consumers of a log, and how far they have come.
struct Consumers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List durable consumers; move or remove one.",
    discussion: """
      A consumer is a reader whose position is kept beside the log: see `immuta cat --consumer`. Work queues are listed, moved
      and removed with them: all jobs before a queue's position are done.

      All consumers of all logs, and those of one:
        immuta consumers
        immuta consumers events

      Again each second, until Ctrl-C:
        immuta consumers --watch

      Those of a log on a cluster:
        immuta consumers events --url nats://one:4222,nats://two:4222

      Have one go on elsewhere, while nobody has it, or make one that begins there:
        immuta consumers seek events billing --to 1000
        immuta consumers seek events billing --to "2 h ago"

      Forget one:
        immuta consumers remove events billing

      Both also take --url, for a consumer of a log on a cluster.

      Those of a store of partitions are listed where --dir is one; `immuta logstore consumers` does the rest for them.
      """,
    subcommands: [ConsumersList.self, ConsumersSeek.self, ConsumersRemove.self],
    defaultSubcommand: ConsumersList.self)
}

/// `immuta consumers list`, which needs not be said.
struct ConsumersList: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List consumers: positions, how many records they have not acknowledged, and who has them.")

  @OptionGroup var location: Location
  @OptionGroup var cluster: ClusterOption
  @OptionGroup var selection: NamespaceSelection
  @OptionGroup var listing: ConsumerListing

  func validate() throws {
    try cluster.check([("--dir", location.isGiven)])
  }

  @MainActor func execute() async throws {
    if let servers = cluster.url {
      #if JetStream
        return try await listing.print(selection.namespaces, on: servers, asJSON: selection.json)
      #else
        throw ClusterSupport.missing(for: servers)
      #endif
    }
    try await listing.print(asJSON: selection.json) {
      let contents = try? Storage.contents(of: location.directory)
      var reports: [ConsumerReport] = []
      if selection.namespaces.isEmpty, contents?.partitions ?? false {
        reports.append(
          try StoreLocation.consumers(
            of: location.directory, allowForeignOwner: location.allowForeignOwner, asJSON: selection.json))
        if !(contents?.logs ?? false) { return reports }
      }
      return [try ofLogs()] + reports
    }
  }

  private func ofLogs() throws -> ConsumerReport {
    var report = ConsumerReport(of: location.directory, isStore: false, asJSON: selection.json)
    for namespace in try location.namespaces(selection.namespaces) {
      do {
        for consumer in try consumers(of: namespace) { report.add(consumer, of: namespace) }
      } catch {
        if selection.namespaces.isEmpty, location.isPassedOver(error, namespace) { continue }
        if let error = error as? ToolError, error.isMissing, error.suggestion == nil,
          let suggestion = Suggestion(for: namespace, among: Consumers.subcommandNames)
        {
          report.add(ToolError("\(error.message); or did you mean the subcommand “\(suggestion.name)”?"))
          continue
        }
        report.add(error)
      }
    }
    return report
  }

  private func consumers(of namespace: String) throws -> [ConsumerDetails] {
    let (storage, log) = try location.openForReading(namespace, .storedPayloads)
    defer { storage.close() }
    return try log.consumers
  }
}

/// A consumer by its name: arguments of each subcommand that changes one.
struct ConsumerChoice: ParsableArguments {
  @OptionGroup var location: Location
  @OptionGroup var cluster: ClusterOption

  @Argument(help: "The namespace.", completion: Completions.namespaces)
  var namespace: String

  @Argument(help: "The consumer.")
  var name: String

  func validate() throws {
    try checkNamespace(namespace)
    try checkConsumer(name)
    try cluster.check([("--dir", location.isGiven)])
  }

  /// Opens the log, and reports errors in the tool's words.
  func withLog(_ body: (Log) throws -> Void) throws {
    let (storage, log) = try location.openForReading(namespace, .storedPayloads)
    defer { storage.close() }
    do {
      try body(log)
    } catch ImmutaError.consumerNotFound {
      throw notFound(
        among: (try? log.consumers.map(\.name)) ?? [],
        listedBy: ToolCommandLine.of("consumers", namespace, in: location.directory))
    } catch let error as ImmutaError {
      throw explained(error)
    }
  }

  /// The error for a consumer that does not exist.
  ///
  /// - Parameters:
  ///   - names: the consumers that do.
  ///   - place: where they are, in words that follow the log's name.
  ///   - command: the command that lists them.
  func notFound(among names: [String], _ place: String = "", listedBy command: String) -> ToolError {
    let suggestion = Suggestion(for: name, among: names)
    return ToolError(
      "there is no consumer “\(name)” of “\(namespace)”\(place):\(suggestion.asked(after: " ")) `\(command)` lists those that "
        + "exist")
  }

  /// An error in the tool's words, if it is about the consumer's place; else the error itself.
  func explained(_ error: ImmutaError) -> any Error {
    ConsumerAdvice(name, of: namespace, in: location.directory).seeking(error) ?? error
  }
}

/// Throws a usage error for a name that cannot be a consumer's.
func checkConsumer(_ name: String) throws {
  guard Storage.isValidNamespace(name) else { throw ValidationError(ImmutaError.invalidConsumer(name).description) }
}

/// `immuta consumers seek`.
struct ConsumersSeek: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "seek",
    abstract: "Have a consumer go on elsewhere, while nobody has it; makes it if there is none.",
    discussion: """
      Also for one whose position is damaged, or that of another log. A new one whose name is nearly that of another is made with \
      --create only.
      """)

  @OptionGroup var consumer: ConsumerChoice
  @OptionGroup var creation: ConsumerCreation

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A record's number, beginning, latest, or a time: 2026-11-26T10:30:00Z, \"10 min ago\", yesterday.",
      valueName: "place"), transform: StreamPosition.place)
  var to: StreamPosition

  @MainActor func execute() async throws {
    if let servers = consumer.cluster.url {
      #if JetStream
        return try await consumer.seek(to: to, creation, on: servers)
      #else
        throw ClusterSupport.missing(for: servers)
      #endif
    }
    try consumer.withLog { log in
      let makes = try creation.allows(consumer.name, besides: log.consumers.map(\.name))
      try log.seekConsumer(consumer.name, to: to)
      makes?.say()
    }
  }
}

extension StreamPosition {
  /// Where a consumer is to go on.
  static func place(_ text: String) throws -> StreamPosition {
    switch text {
    case "beginning": return .beginning
    case "latest": return .latest
    default: break
    }
    if let number = Int(text) {
      try checkNumber("--to", number, isIn: 0...Int.max)
      return .sequence(number)
    }
    return .time(try Moment.parse(text))
  }
}

/// `immuta consumers remove`.
struct ConsumersRemove: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Forget a consumer's position, while nobody has it.")

  @OptionGroup var consumer: ConsumerChoice

  @MainActor func execute() async throws {
    if let servers = consumer.cluster.url {
      #if JetStream
        return try await consumer.remove(on: servers)
      #else
        throw ClusterSupport.missing(for: servers)
      #endif
    }
    try consumer.withLog { log in try log.removeConsumer(consumer.name) }
  }
}
