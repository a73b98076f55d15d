import ArgumentParser
import Immuta
import LogStore

/// `immuta migrate`: records from one kind of file into another.
struct Migrate: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy records into another log or store, whatever the formats; resumable, and verified.",
    discussion: """
      A place is log:DIR/NAMESPACE, store:DIR or lines:FILE. New logs have the current format.

      A log of the old format, v1, into one of the current:
        immuta migrate log:logs/events log:logs/events-v2

      A store, also one of the Go program's, into namespaces chat-0, chat-1 and so on, one a partition:
        immuta migrate store:chat log:logs/chat

      A log of JSON records into a store, by the member that is the key:
        immuta migrate log:logs/orders store:orders --partitions 8 --key-field customer

      Lines, each a record; or what `immuta cat --json` printed, back into a log:
        immuta migrate lines:app.jsonl log:logs/app
        immuta migrate lines:backup.jsonl log:logs/events --unwrap

      The source is only read. What the target has already must be the first of the source's records: so a migration that \
      was stopped goes on when it is run again, and one that is over can be repeated to check it. At the end every record \
      is compared with the source's, and checked. Records get new times.
      """)

  @Argument(help: "Where the records are.")
  var source: Place

  @Argument(help: "Where they go: a log or a store.")
  var target: Place

  @Option(help: ArgumentHelp("For a store: the key of all records.", valueName: "key"))
  var key: String?

  @Option(
    help: ArgumentHelp(
      "For a store: the member of each record, a JSON object, that holds its key.", valueName: "member"))
  var keyField: String?

  @Option(help: ArgumentHelp("How many partitions a new store gets.", valueName: "n"))
  var partitions: Int?

  @Flag(help: "Lines are objects whose member text or base64 is the record.")
  var unwrap = false

  @Flag(help: "Print a summary as JSON.")
  var json = false

  func validate() throws {
    if key != nil, keyField != nil { throw ValidationError("--key and --key-field exclude each other") }
    if let partitions, partitions < 1 { throw ValidationError("--partitions is \(partitions); there is at least 1") }
    if source == target { throw ValidationError("the source and the target are the same place") }
    switch (source, target) {
    case (_, .lines): throw ValidationError("lines are written by `immuta cat --json`: the target is a log or a store")
    case (.store, .store):
      throw ValidationError(
        "a store does not keep its keys: migrate it into logs, and those by --key-field into a store")
    default: break
    }
    if case .lines = source { return }
    if unwrap { throw ValidationError("--unwrap is for lines") }
  }

  private var keys: KeySource {
    if let key { return .fixed(key) }
    return keyField.map { .member($0) } ?? .beforeTab
  }

  @MainActor func execute() async throws {
    try Interruption.install()
    let start = ContinuousClock.now
    var migrated = (records: 0, appended: 0)
    for (source, target) in try pairs() {
      let migration = Migration(source, target)
      migrated.appended += try migration.run()
      migrated.records += try await migration.verify()
    }
    let time = start.duration(to: .now)
    let output = Output()
    if json {
      var object = JSONObject()
      object.add("records", migrated.records)
      object.add("appended", migrated.appended)
      object.add("verified", true)
      object.add("seconds", seconds: time)
      output.bytes += object.line
    } else {
      let before = migrated.records - migrated.appended
      let text = "migrated \(Quantities.counted(migrated.records, "record")) in \(Quantities.time(time)), all verified"
      try output.line(before > 0 ? "\(text); \(Quantities.grouped(before)) were there before" : text)
    }
    try output.flush()
  }

  /// What goes where.
  private func pairs() throws -> [(any MigrationSource, MigrationTarget)] {
    switch (source, target) {
    case (.store(let directory), .log(let targetDirectory, let namespace)):
      let store = try StoreLocation.openForReading(directory)
      let names = (0..<store.partitionCount).map { "\(namespace)-\($0)" }
      let storage = try Storage(directory: targetDirectory, namespaces: names)
      return try names.enumerated().map { number, name in
        (
          LogSource(try store.partition(number).log, name: "partition \(number)", keeping: store),
          MigrationTarget(try storage.log(name), name: name, keeping: storage)
        )
      }
    default: return [(try openSource(), try openTarget())]
    }
  }

  private func openSource() throws -> any MigrationSource {
    switch source {
    case .lines(let file): return try LinesSource(file, unwraps: unwrap)
    case .log(let directory, let namespace):
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let storage = try Storage(directory: directory, namespaces: [namespace], configuration: configuration)
      return LogSource(try storage.log(namespace), name: namespace, keeping: storage)
    case .store: preconditionFailure("a store is several sources")
    }
  }

  private func openTarget() throws -> MigrationTarget {
    switch target {
    case .log(let directory, let namespace):
      let storage = try Storage(directory: directory, namespaces: [namespace])
      return MigrationTarget(try storage.log(namespace), name: namespace, keeping: storage)
    case .store(let directory):
      return try MigrationTarget(
        try LogStore(directory: directory, partitions: partitions), keys: keys, name: directory)
    case .lines: preconditionFailure("lines are no target")
    }
  }
}

/// One source, and its target.
struct Migration {
  private let source: any MigrationSource
  private let target: MigrationTarget

  init(_ source: any MigrationSource, _ target: MigrationTarget) {
    self.source = source
    self.target = target
  }

  /// Appends what is not there yet, and returns how many records that were; all of them are stable then.
  func run() throws -> Int {
    let progress = Progress("migrating \(source.name)")
    defer { progress.finish() }
    var appended = 0
    do {
      try forEachRecord(progress) { if $0 { appended += 1 } }
      try target.checkNothingIsLeft()
    } catch {
      // What was appended stays, for the next time.
      try? target.sync()
      throw error
    }
    try target.sync()
    return appended
  }

  /// Compares every record with the source's, and checks it; returns how many there are.
  @MainActor func verify() async throws -> Int {
    let progress = Progress("verifying \(source.name)")
    defer { progress.finish() }
    try source.rewind()
    target.rewind()
    var count = 0
    try forEachRecord(progress) { isNew in
      count += 1
      if isNew { throw ToolError("\(source.name) has got more records meanwhile: migrate again") }
    }
    try target.checkNothingIsLeft()
    try await target.verify()
    return count
  }

  private func forEachRecord(_ progress: Progress, _ body: (_ isNew: Bool) throws -> Void) throws {
    var count = 0
    while try source.next({ try body(try target.accept($0)) }) {
      count += 1
      if count % 256 == 0 {
        try Interruption.check()
        let (done, total) = source.progress
        progress.update(done, of: total)
      }
    }
  }
}
