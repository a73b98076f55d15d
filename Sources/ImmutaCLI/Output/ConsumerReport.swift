import ArgumentParser
import Immuta
import ImmutaLogStore

/// Consumers and how far they have come: as a table, or as an object a line.
struct ConsumerReport {
  private var bytes: [UInt8] = []
  private var table: Table
  private var isEmpty = true
  private var notes: [String] = []
  private(set) var failures: [Failure] = []
  private let asJSON: Bool
  private let isOfStore: Bool
  /// Where the logs are; nil for a cluster.
  private let directory: String?

  init(of directory: String?, isStore: Bool, asJSON: Bool) {
    (self.directory, isOfStore, self.asJSON) = (directory, isStore, asJSON)
    table = Table([
      (isStore ? "partition" : "namespace", .left), ("consumer", .left), ("position", .right), ("lag", .right),
      ("owner", .left),
    ])
  }

  /// A consumer of a log.
  mutating func add(_ consumer: ConsumerDetails, of namespace: String) {
    isEmpty = false
    if asJSON { bytes += json(consumer, namespace) } else { table.add(cells(consumer, namespace)) }
    guard let directory else {
      // The author of the consumer's program can move it; the tool cannot.
      if let fault = consumer.fault {
        add(ToolError("consumer “\(consumer.name)” of “\(namespace)” on the cluster: \(fault)", .damaged))
      }
      return
    }
    let advice = ConsumerAdvice(consumer.name, of: isOfStore ? nil : namespace, in: directory)
    let partition = isOfStore ? namespace : nil
    if let removed = consumer.removed, removed > 0, consumer.fault == nil {
      let place = isOfStore ? "partition \(namespace)" : "“\(namespace)”"
      notes.append(
        "\(consumer.name): \(Quantities.counted(removed, "record")) of \(place) \(removed == 1 ? "was" : "were") removed before it "
          + "acknowledged \(removed == 1 ? "it" : "them"); to go on after \(removed == 1 ? "it" : "them"): "
          + "`\(advice.seek(to: "beginning", partition: partition))`")
    }
    guard let fault = consumer.fault else { return }
    if case .unsupportedVersion = fault { return add(fault) }
    if let said = advice.reading(fault) { return add(ToolError(said.message, .damaged)) }
    let command = advice.seek(to: "N", partition: partition)
    add(
      ToolError("consumer “\(consumer.name)” of “\(namespace)”: \(fault); next: `\(command)`", .damaged))
  }

  /// The consumers of a store, a line for each partition.
  mutating func add(_ consumers: [MessageConsumerDetails]) {
    for consumer in consumers {
      for (partition, details) in consumer.partitions.sorted(by: { $0.key < $1.key }) {
        add(details, of: "\(partition)")
      }
      let members = Quantities.counted(consumer.members.count, "member")
      notes.append("\(consumer.name): \(members), lag \(consumer.lag.map { "\($0)" } ?? "?")")
    }
  }

  mutating func add(_ error: any Error) { failures.append(Failure(error, directory: directory)) }

  func print(to output: Output) throws {
    if asJSON {
      output.bytes += bytes
    } else {
      // Where something could not be looked at, nobody knows that there are none.
      let lines = !isEmpty ? table.lines + notes : failures.isEmpty ? ["no consumers"] : []
      for line in lines { try output.line(line.printable) }
    }
  }

  private func cells(_ consumer: ConsumerDetails, _ namespace: String) -> [String] {
    let owner = consumer.owner.map { owner in owner.processID.map { "process \($0)" } ?? "somebody" }
    return [
      namespace, consumer.name, consumer.position.map { "\($0)" } ?? "?", consumer.lag.map { "\($0)" } ?? "?",
      owner ?? consumer.fault.map(Self.inAWord) ?? "-",
    ]
  }

  private static func inAWord(_ fault: ImmutaError) -> String {
    if case .unsupportedVersion = fault { "unreadable" } else { "damaged" }
  }

  private func json(_ consumer: ConsumerDetails, _ namespace: String) -> [UInt8] {
    var object = JSONObject()
    if isOfStore, let partition = Int(namespace) {
      object.add("partition", partition)
    } else {
      object.add("namespace", namespace)
    }
    object.add("name", consumer.name)
    object.add("kind", consumer.isWorkQueue ? "queue" : "consumer")
    for (name, value) in [("position", consumer.position), ("lag", consumer.lag), ("removed", consumer.removed)] {
      if let value { object.add(name, value) } else { object.addNull(name) }
    }
    if let owner = consumer.owner {
      object.add("owner", owner.processID.map(Int.init) ?? 0)
    } else {
      object.addNull("owner")
    }
    object.add("error", consumer.fault.map { "\($0)" })
    return object.line
  }
}

/// Printing consumers once, or again and again: options of each subcommand that lists some.
struct ConsumerListing: ParsableArguments {
  @Flag(
    help: "Print them again each second, until Ctrl-C: on a terminal in the same place, elsewhere after an empty line.")
  var watch = false

  /// Prints what `report` finds; then also says what is wrong, unless it is printed again.
  @MainActor func print(asJSON: Bool, _ report: () async throws -> [ConsumerReport]) async throws {
    if watch {
      return try await Repetition.run(asJSON: asJSON) { output in
        for report in try await report() { try report.print(to: output) }
      }
    }
    let output = Output()
    let reports = try await report()
    for report in reports { try report.print(to: output) }
    try output.flush()
    let failures = reports.flatMap(\.failures)
    for failure in failures { failure.report() }
    try ExitStatus.throwUnlessSuccess(of: failures)
  }
}
