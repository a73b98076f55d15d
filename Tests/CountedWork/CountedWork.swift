import Immuta
import ImmutaTransforms

/// The engine at work, so many times over, and nothing else: for whoever counts what it does. It is only built where the
/// environment has `IMMUTA_COUNTED_WORK`, as Scripts/test.sh does.
///
/// ```
/// CountedWork append|transaction DIRECTORY COUNT   appends COUNT records of 100 B, one or 64 per commit
/// CountedWork stream|record DIRECTORY COUNT        reads COUNT records of the log there, in order or one by one
/// CountedWork consume|batches DIRECTORY COUNT      consumes COUNT records, and acknowledges one or 64 at a time
/// CountedWork many|many-synced DIRECTORY COUNT     makes, writes, closes and opens COUNT namespaces: ManyNamespaces
/// CountedWork segments|rolling DIRECTORY COUNT      reads, opens and appends to a log of many segments: ManySegments
/// CountedWork empty-segments|retention DIRECTORY COUNT  opens one, and says what it takes on the disk
/// CountedWork process DIRECTORY COUNT               turns COUNT records of one log into records of another, 64 a step
/// CountedWork queue DIRECTORY COUNT                 gives COUNT jobs to workers, and holds a million: QueuedJobs
/// CountedWork keys DIRECTORY COUNT                  finds a key's records in a log of COUNT segments: KeyedRecords
/// CountedWork keyed|history DIRECTORY COUNT         reads COUNT records of accounts' histories: AccountHistories
/// ```
///
/// With `-deflate` or `-aes` after the work, as in `stream-aes`, payloads are compressed or encrypted.
@main struct CountedWork {
  private static let perCommit = 64

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let count = Int(arguments[3]) else {
      fatalError("arguments are missing: see the top of this program")
    }
    let work = arguments[1].split(separator: "-", maxSplits: 1)
    if work[0] == "many" {
      let durability: Durability = work.count == 2 ? .synced : .buffered
      return try await ManyNamespaces(directory: arguments[2], count: count, durability: durability).run()
    }
    if work[0] == "empty" { return try ManySegments(directory: arguments[2], count: count).runEmpty() }
    if work[0] == "retention" { return try ManySegments(directory: arguments[2], count: count).runRetention() }
    if work[0] == "segments" { return try await ManySegments(directory: arguments[2], count: count).run() }
    if work[0] == "process" {
      let durability: Durability = work.count == 2 ? .synced : .buffered
      return try await ProcessedRecords(directory: arguments[2], count: count, durability: durability).run()
    }
    if work[0] == "queue" { return try await QueuedJobs(directory: arguments[2], count: count).run() }
    if work[0] == "keys" { return try await KeyedRecords(directory: arguments[2], segments: count).run() }
    if work[0] == "keyed" { return try AccountHistories(directory: arguments[2], count: count).fill() }
    if work[0] == "history" { return try AccountHistories(directory: arguments[2], count: count).read() }
    if work[0] == "rolling" { return try ManySegments(directory: arguments[2], count: count).runRolling() }
    var configuration = Storage.Configuration()
    if work.count == 2 { configuration.codec = codec(work[1]) }
    let storage = try Storage(directory: arguments[2], namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("events")
    switch work[0] {
    case "append": try append(count, to: log)
    case "transaction": try commitTogether(count, to: log)
    case "stream": try await stream(count, of: log)
    case "record": try await readOneByOne(count, of: log)
    case "consume": try consume(count, of: log, perCall: 1)
    case "batches": try consume(count, of: log, perCall: perCommit)
    default: fatalError("unknown work \(arguments[1])")
    }
  }

  private static func codec(_ name: Substring) -> Codec {
    switch name {
    case "deflate": return .deflate()
    case "aes":
      guard let key = EncryptionKey((0..<32).map { UInt8($0) }) else { fatalError("32 bytes are a key") }
      return .aes256GCM(KeyRing(key))
    default: fatalError("unknown codec \(name)")
    }
  }

  private static let payload = (0..<100).map { UInt8($0) &* 37 }

  private static func append(_ count: Int, to log: Log) throws {
    for _ in 0..<count { try log.append(payload) }
  }

  private static func commitTogether(_ count: Int, to log: Log) throws {
    for first in stride(from: 0, to: count, by: perCommit) {
      try log.transaction { transaction in
        for _ in first..<min(first + perCommit, count) { try transaction.append(payload) }
      }
    }
  }

  private static func stream(_ count: Int, of log: Log) async throws {
    var left = count
    for try await record in log.stream() {
      precondition(record.payload.count == payload.count, "a record is as long as it was written")
      left -= 1
      if left == 0 { return }
    }
  }

  private static func consume(_ count: Int, of log: Log, perCall: Int) throws {
    try log.seekConsumer("counted", to: .beginning)
    let consumer = try log.consumer("counted")
    for first in stride(from: 0, to: count, by: perCall) {
      var last: Record?
      for _ in first..<min(first + perCall, count) { last = try consumer.nextAtOnce() }
      if let last { try consumer.acknowledge(last) }
    }
    precondition(consumer.position == count, "what was consumed is acknowledged")
    consumer.close()
  }

  private static func readOneByOne(_ count: Int, of log: Log) async throws {
    // Not in order, so that no record is where the one before left off.
    let total = log.count
    for number in 0..<count {
      let record = try await log.record(at: number * 7_919 % total)
      precondition(record.payload.count == payload.count, "a record is as long as it was written")
    }
  }
}
