import ArgumentParser
import Immuta
import LogStore

/// `immuta logstore append`: lines into the partitions that their keys pick.
struct LogStoreAppend: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "append",
    abstract: "Append messages from files or standard input.",
    discussion: """
      Each line is a message. Its key picks the partition: the text before the line's first tabulator, which is then no \
      part of the message, or what --key or --key-field says. A line has at most a megabyte.

      A new store; the number of partitions stays what it is:
        printf 'alice\\thello\\nbob\\thi\\n' | immuta logstore append chat --partitions 4

      JSON lines, by the value of a member:
        immuta logstore append orders events.jsonl --key-field customer

      All with one key, each on stable storage before its receipt is printed:
        ./server | immuta logstore append logs --key web-1 --durability synced --receipts

      The store remembers its partitions and its routing. A directory of the Go program is opened with the routing \
      go-compatible, unless --routing says otherwise the first time.
      """)

  @OptionGroup var location: StoreLocation

  @Argument(help: ArgumentHelp("Files to read; “-” is standard input, as is no file at all.", valueName: "file"))
  var files: [String] = []

  @Option(help: ArgumentHelp("The key of all messages; each line is a message.", valueName: "key"))
  var key: String?

  @Option(help: ArgumentHelp("The member of each line, a JSON object, that holds its key.", valueName: "member"))
  var keyField: String?

  @Option(help: ArgumentHelp("How many partitions a new store gets.", valueName: "n"))
  var partitions: Int?

  @Option(help: "How keys pick their partition: the store remembers it.")
  var routing: RoutingOption?

  @Option(help: "synced: messages are on stable storage before their receipts are printed.")
  var durability: AppendDurability = .buffered

  @Flag(help: "Print a receipt for each message once it is committed: its partition, place and size, as JSON.")
  var receipts = false

  @Flag(help: "Print a summary as JSON at the end; not with --receipts, which are JSON already.")
  var json = false

  func validate() throws {
    if key != nil, keyField != nil { throw ValidationError("--key and --key-field exclude each other") }
    if let partitions, partitions < 1 { throw ValidationError("--partitions is \(partitions); there is at least 1") }
  }

  private var keys: KeySource {
    if let key { return .fixed(key) }
    return keyField.map { .member($0) } ?? .beforeTab
  }

  @MainActor func execute() async throws {
    let paths = files.isEmpty ? ["-"] : files
    let total = try FileSource.check(paths)
    try Interruption.install()
    let store = try LogStore(directory: location.directory, partitions: partitions, routing: routing?.routing)
    defer { store.close() }
    for details in try store.details {
      if let note = details.openingNote { Failure.say("note: partition \(details.namespace): \(note)") }
    }
    let output = Output()
    let appender = StoreAppender(
      to: store, keys: keys, isSynced: durability == .synced, receipts: receipts ? output : nil,
      progress: total.map { (Progress("appending"), $0) })
    let start = ContinuousClock.now
    do {
      for path in paths { try await appender.append(RecordInput(try FileSource(path), delimiter: 10)) }
    } catch {
      // What is committed is told.
      try? await appender.tell()
      appender.finish()
      throw error
    }
    appender.finish()
    try await store.sync()
    if receipts { return }
    let time = start.duration(to: .now)
    if json {
      var object = JSONObject()
      object.add("records", appender.messages)
      object.add("bytes", appender.bytes)
      object.add("partitions", store.partitionCount)
      object.add("seconds", seconds: time)
      output.bytes += object.line
      try output.flush()
    } else if System.isTerminal(System.standardError) {
      let text = "appended \(Quantities.counted(appender.messages, "message"))"
      Failure.say("\(text) to \(Quantities.counted(store.partitionCount, "partition")) in \(Quantities.time(time))")
    }
  }
}

/// Appends the lines of an input, and tells of each: see ``Appender``.
final class StoreAppender {
  private(set) var messages = 0
  private(set) var bytes = 0
  private let store: LogStore
  private let keys: KeySource
  private let isSynced: Bool
  private let receipts: Output?
  private let progress: (bar: Progress, total: Int)?
  private var bytesOfInputsBefore = 0
  private var hasNews = false

  init(
    to store: LogStore, keys: KeySource, isSynced: Bool, receipts: Output?, progress: (Progress, Int)?
  ) {
    self.store = store
    self.keys = keys
    self.isSynced = isSynced
    self.receipts = receipts
    self.progress = progress
  }

  func append(_ input: RecordInput) async throws {
    repeat {
      while let next = input.next() {
        guard case .whole(let line) = next else {
          throw ToolError("line \(messages + 1) has more than a megabyte: its key cannot be looked for")
        }
        try await appendOne(line)
      }
      try await tell()
      progress?.bar.update(bytesOfInputsBefore + input.bytesRead, of: progress?.total ?? 0)
    } while try input.fill()
    if let last = input.takeLast() { try await appendOne(last) }
    try await tell()
    bytesOfInputsBefore += input.bytesRead
  }

  /// Takes the progress bar away.
  func finish() {
    progress?.bar.finish()
  }

  private func appendOne(_ line: ArraySlice<UInt8>) async throws {
    let (key, payload) = try keys.split(line, number: messages + 1)
    let receipt = try await store.append(payload, key: key)
    messages += 1
    bytes += receipt.size
    hasNews = true
    guard let receipts else { return }
    var object = JSONObject()
    object.add("partition", receipt.partition)
    object.add("sequence", receipt.sequence)
    object.add("index", receipt.offset)
    object.add("size", receipt.size)
    receipts.bytes += object.line
    if receipts.bytes.count >= 1 << 20 { try await tell() }
  }

  /// Prints the receipts that are due, once their messages are as stable as was asked for.
  func tell() async throws {
    guard hasNews else { return }
    hasNews = false
    if isSynced { try await store.sync() }
    try receipts?.flush()
  }
}
