import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta migrate`: records from one kind of file into another.
struct Migrate: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy records into another log or store, whatever the formats; resumable, and verified.",
    discussion: """
      A place is log:DIR/NAMESPACE, store:DIR or lines:FILE. New logs have the current format, unless --log-format says \
      otherwise.

      A log of the old format, v1, into one of the current:
        immuta migrate log:logs/events log:logs/events-v2

      A store, also one of the Go program's, into namespaces chat-0, chat-1 and so on, one a partition:
        immuta migrate store:chat log:logs/chat

      A log of JSON records into a store, by the member that is the key:
        immuta migrate log:logs/orders store:orders --partitions 8 --key-field customer

      A log into one that is compressed, or encrypted with another key; --from-… describe the source, the others the target:
        immuta migrate log:logs/web log:logs/web-small --codec zstd
        immuta migrate log:logs/web log:logs/web-2 --from-key-file old.key --key-file new.key

      Lines, each a record; or what `immuta cat --json` printed, back into a log:
        immuta migrate lines:app.jsonl log:logs/app
        immuta migrate lines:backup.jsonl log:logs/events --unwrap

      The source is only read. What the target has already must be the first of the source's records: so a migration that \
      was stopped goes on when it is run again, and one that is over can be repeated to check it. At the end every record \
      is compared with the source's, and checked. Records get new times.

      All segments of a log are copied, into one, or as --segment-bytes says. Of a log into a log each record keeps its \
      number: where the source's first records were removed, a new log begins with the same number as the source. In a \
      store, messages are counted from 0 in each partition.
      """)

  @Argument(help: "Where the records are: log:DIR/NAMESPACE, store:DIR or lines:FILE.", transform: Place.init)
  var source: Place

  @Argument(help: "Where they go: log:DIR/NAMESPACE or store:DIR.", transform: Place.init)
  var target: Place

  @OptionGroup(title: "A store as the target") var keys: KeyOptions
  @OptionGroup(title: "A store as the target, if it is new") var newStore: NewStoreOptions
  @OptionGroup(title: "Logs as the target") var targetOptions: TargetLogOptions
  @OptionGroup(title: "A log as the source") var sourceOptions: SourceLogOptions

  @Flag(help: "Lines are objects whose member text or base64 is the record.")
  var unwrap = false

  @OptionGroup var lock: WaitOption
  @OptionGroup private var owners: ForeignOwnerOption

  @Flag(
    help: "Pass over lines that cannot be used, and say how many; by default the first one ends the migration.")
  var skipInvalid = false

  @Flag(help: "Print a summary as JSON.")
  var json = false

  func validate() throws {
    if source == target || source.overlaps(target) {
      throw ValidationError("the source and the target are the same place, or share a file")
    }
    try checkSource()
    try checkTarget()
  }

  private func checkSource() throws {
    switch source {
    case .log: if unwrap { throw ValidationError("--unwrap is for lines") }
    case .store:
      if unwrap { throw ValidationError("--unwrap is for lines") }
      if case .store = target {
        throw ValidationError(
          "a store does not keep the keys: migrate it into logs first, and those into a store with --key-field")
      }
      fallthrough
    case .lines:
      if sourceOptions.isGiven { throw ValidationError("the options --from-… are only for a source that is a log") }
    }
  }

  private func checkTarget() throws {
    switch target {
    case .lines: throw ValidationError("lines are written by `immuta cat --json`: the target is a log or a store")
    case .store:
      if targetOptions.isGiven {
        throw ValidationError(
          "a store has no codec and one format: for a source that is a log, the options are --from-codec and so on")
      }
      if keys.source == nil {
        throw ValidationError(
          """
          say where each record's key is: --key-field MEMBER in JSON records, --key KEY for one key for all, or \
          --key-before-tab in records of KEY<TAB>VALUE, of which the store then gets the VALUE only
          """)
      }
    case .log:
      if keys.source != nil || newStore.isGiven {
        throw ValidationError("--key, --key-field, --key-before-tab, --partitions and --routing are for a store")
      }
    }
  }

  @MainActor func execute() async throws {
    try Interruption.install()
    let start = ContinuousClock.now
    var migrated = (records: 0, appended: 0)
    let skipped = SkippedLines(isAllowed: skipInvalid)
    let pairs = try pairs(skipped)
    sayRemoved(pairs)
    for (source, target) in pairs {
      let migration = Migration(source, target, skipped)
      migrated.appended += try migration.run()
      migrated.records += try await migration.verify()
    }
    for (_, target) in pairs { try await target.shutdown() }
    let time = start.duration(to: .now)
    skipped.say()
    let output = Output()
    if json {
      var object = JSONObject()
      object.add("records", migrated.records)
      object.add("appended", migrated.appended)
      object.add("verified", true)
      let removed = pairs.reduce(0) { $0 + $1.0.first }
      if removed > 0 { object.add("removedBefore", removed) }
      if skipped.count > 0 { object.add("skipped", skipped.count) }
      object.add("seconds", seconds: time)
      output.bytes += object.line
    } else {
      let before = migrated.records - migrated.appended
      let text = "migrated \(Quantities.counted(migrated.records, "record")) in \(Quantities.time(time)), all verified"
      try output.line(before > 0 ? "\(text); \(Quantities.grouped(before)) were there before" : text)
    }
    try output.flush()
    try skipped.check(used: migrated.records)
  }

  /// What goes where.
  @MainActor private func pairs(_ skipped: SkippedLines) throws -> [(any MigrationSource, MigrationTarget)] {
    switch (source, target) {
    case (.store(let directory), .log(let targetDirectory, let namespace)):
      let store = try StoreLocation.openForReading(directory, allowForeignOwner: owners.allowForeignOwner)
      let names = (0..<store.partitionCount).map { "\(namespace)-\($0)" }
      let sources = try names.indices.map { number in
        try LogSource(store.partition(number).log, .partition, name: "partition \(number)", keeping: store)
      }
      let storage = try lock.waiting {
        try targetOptions.open(
          names, in: targetDirectory, firsts: sources.map(\.first), allowForeignOwner: owners.allowForeignOwner)
      }
      return try zip(sources, names).map { source, name in
        (source, MigrationTarget(try storage.log(name), name: name, of: storage))
      }
    default:
      let source = try openSource(skipped)
      return [(source, try openTarget(skipped, first: source.first))]
    }
  }

  /// Says what there is to know of records that are not copied: they were removed.
  private func sayRemoved(_ pairs: [(any MigrationSource, MigrationTarget)]) {
    for (source, target) in pairs where source.first > 0 {
      let start = "note: records 0 to \(source.first - 1) of \(source.name) were removed before, and are not copied; "
      let isStore = if case .store = self.target { true } else { false }
      Failure.say(
        start + (isStore ? "messages of \(target.name) are counted from 0" : "the others keep their numbers"))
    }
  }

  private func openSource(_ skipped: SkippedLines) throws -> any MigrationSource {
    switch source {
    case .lines(let file): return try LinesSource(file, unwraps: unwrap, skipped)
    case .log(let directory, let namespace):
      let storage = try sourceOptions.open(
        namespace, in: directory, allowForeignOwner: owners.allowForeignOwner)
      return try LogSource(storage.log(namespace), .namespace, name: namespace, keeping: storage)
    case .store: preconditionFailure("a store is several sources")
    }
  }

  @MainActor private func openTarget(_ skipped: SkippedLines, first: Int) throws -> MigrationTarget {
    switch target {
    case .log(let directory, let namespace):
      let storage = try lock.waiting {
        try targetOptions.open(
          [namespace], in: directory, firsts: [first], allowForeignOwner: owners.allowForeignOwner)
      }
      return MigrationTarget(try storage.log(namespace), name: namespace, of: storage)
    case .store(let directory):
      guard let keys = keys.source else { preconditionFailure("`validate` asks for one") }
      let store = try lock.waiting {
        try newStore.open(directory, acceptsFilesOfOthers: owners.allowForeignOwner)
      }
      return try MigrationTarget(store, keys: keys, name: directory, skipped)
    case .lines: preconditionFailure("lines are no target")
    }
  }
}
