import Foundation
import Immuta
import ImmutaLibC
import ImmutaLogStore
import ImmutaTestSupport
import Logging
import Testing

/// What a storage tells its logger, by the names that stay.
@Suite(.timeLimit(.minutes(2))) struct EventTests {
  let directory = TemporaryDirectory()
  let events = EventCollector()

  private func configuration(durability: Durability = .buffered) -> Storage.Configuration {
    var configuration = Storage.Configuration(durability: durability)
    configuration.logger = events.logger
    return configuration
  }

  private func open(_ configuration: Storage.Configuration, in place: String? = nil) throws -> Storage {
    try Storage(directory: place ?? directory.path, namespaces: ["log"], configuration: configuration)
  }

  @Test func aLogThatWasNotClosedIsRecovered() async throws {
    let storage = try open(.init())
    defer { storage.close() }
    for number in 0..<3 { try await storage.append("\(number)", to: "log") }
    let copy = try directory.subdirectory("copy")
    for name in ["log.log", "log.idx"] {
      try FileBytes.write(directory.bytes(of: name), to: "\(copy)/\(name)")
    }
    let opened = try open(configuration(), in: copy)
    defer { opened.close() }
    let line = try #require(await events.line(of: .recovered))
    #expect(line.level == .notice && line.metadata["namespace"] == "log")
    #expect(line.metadata["records"] == "3" && line.metadata["lost"] == "0")
    #expect(line.metadata["path"]?.hasSuffix("copy/log.log") == true)
  }

  @Test func recordsThatRecoveryCutsOffAreAWarning() async throws {
    let storage = try open(.init())
    defer { storage.close() }
    for number in 0..<3 { try await storage.append("record \(number)", to: "log") }
    let copy = try directory.subdirectory("copy")
    // As after a power cut: the last record's bytes did not reach the disk, and its entry did.
    var log = try directory.bytes(of: "log.log")
    let last = try await storage.log("log").record(at: 2)
    for offset in last.index + 8..<last.index + 8 + last.size { log[offset] = 0 }
    try FileBytes.write(log, to: "\(copy)/log.log")
    try FileBytes.write(directory.bytes(of: "log.idx"), to: "\(copy)/log.idx")
    // And the machine was started since.
    try Reboot.mark(directory: copy)
    let opened = try open(configuration(), in: copy)
    defer { opened.close() }
    let line = try #require(await events.line(of: .recovered))
    #expect(line.level == .warning && line.metadata["records"] == "2" && line.metadata["lost"] == "1")
    #expect(await events.line(of: .savedCopy)?.metadata["copy"]?.contains("saved") == true)
  }

  @Test func rollingAndRetentionAreTold() async throws {
    var configuration = configuration()
    configuration.segments.maximumBytes = 1000
    configuration.retention.maximumRecords = 10
    let storage = try open(configuration)
    for number in 0..<100 { try await storage.append(String(repeating: "\(number % 10)", count: 100), to: "log") }
    let rolled = try #require(await events.line(of: .rolled))
    #expect(rolled.level == .info && rolled.metadata["namespace"] == "log")
    #expect(try #require(rolled.metadata["first"].flatMap(Int.init)) > 0)
    // Each on a thread of its own, so in any order.
    #expect(await eventually { events.lines(of: .rolled).contains { $0.metadata["segments"] == "2" } })
    let removed = try #require(await events.line(of: .removed))
    #expect(removed.level == .info)
    #expect(try #require(removed.metadata["first"].flatMap(Int.init)) > 0)
    #expect(try #require(removed.metadata["segments"].flatMap(Int.init)) > 0)
    try await storage.shutdown()
  }

  @Test func aConsumerThatRetentionOvertakesIsTold() async throws {
    var configuration = configuration()
    configuration.segments.maximumBytes = 1000
    configuration.retention.maximumBytes = 2000
    configuration.retention.hardMaximumBytes = 3000
    configuration.retention.waitingFor = ["slow"]
    let storage = try open(configuration)
    defer { storage.close() }
    let consumer = try storage.log("log").consumer("slow")
    for _ in 0..<100 { try await storage.append(String(repeating: "a", count: 100), to: "log") }
    let line = try #require(await events.line(of: .consumerOverrun))
    #expect(line.level == .warning && line.metadata["consumer"] == "slow")
    #expect(try #require(line.metadata["missed"].flatMap(Int.init)) > 0)
    consumer.close()
  }

  @Test func aSlowFlushIsToldAndAQuickOneIsNot() async throws {
    var configuration = configuration(durability: .synced)
    configuration.slowFlush = .nanoseconds(1)
    let storage = try open(configuration)
    defer { storage.close() }
    try await storage.append("a", to: "log")
    let line = try #require(await events.line(of: .slowFlush))
    #expect(line.level == .warning && line.metadata["namespace"] == "log")
    #expect(try #require(line.metadata["seconds"].flatMap(Double.init)) > 0)

    let quick = EventCollector()
    configuration.slowFlush = .seconds(600)
    configuration.logger = quick.logger
    let other = try open(configuration, in: directory.subdirectory("other"))
    defer { other.close() }
    for _ in 0..<10 { try await other.append("a", to: "log") }
    #expect(quick.all.isEmpty)
  }

  @Test func aFlushThatFailsIsToldOnceAndSoIsTheClosing() async throws {
    let storage = try open(configuration(durability: .synced))
    try await storage.append("a", to: "log")
    let injector = FaultInjector(directory: directory.path, .error(EIO), of: .flush, lasting: true)
    await injector.run {
      for _ in 0..<3 { await #expect(throws: ImmutaError.self) { try await storage.append("b", to: "log") } }
      await #expect(throws: ImmutaError.self) { try await storage.shutdown() }
    }
    let line = try #require(await events.line(of: .flushFailed))
    #expect(line.level == .error && line.metadata["path"]?.hasSuffix("log.log") == true)
    #expect(await events.line(of: .closeFailed)?.level == .error)
    #expect(events.lines(of: .flushFailed).count == 1 && events.lines(of: .closeFailed).count == 1)
  }

  @Test func damageThatAReaderFindsIsToldOnce() async throws {
    let storage = try open(.init())
    for number in 0..<3 { try await storage.append("record \(number)", to: "log") }
    let index = try await storage.log("log").record(at: 1).index
    try await storage.shutdown()
    var bytes = try directory.bytes(of: "log.log")
    bytes[index + 10] ^= 1
    try directory.write(bytes, to: "log.log")

    let reopened = try open(configuration())
    defer { reopened.close() }
    let log = try reopened.log("log")
    for _ in 0..<3 { await #expect(throws: ImmutaError.self) { try await log.record(at: 1) } }
    var stream = log.stream(from: .skipping(1))
    #expect(throws: ImmutaError.self) { try stream.nextAtOnce() }
    let line = try #require(await events.line(of: .damaged))
    #expect(line.level == .error && line.metadata["sequence"] == "1" && line.metadata["reason"] != nil)
    try await Task.sleep(for: .milliseconds(100))
    #expect(events.lines(of: .damaged).count == 1)
  }

  @Test func aWaitThatLastsIsTold() async throws {
    var configuration = configuration()
    configuration.longWait = .milliseconds(20)
    let storage = try open(configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    async let append = log.append("a")
    let line = try #require(await events.line(of: .longWait))
    #expect(line.level == .warning && line.metadata["waiting"] == "1")
    #expect(try #require(line.metadata["seconds"].flatMap(Double.init)) >= 0.02)
    #expect(line.metadata["holder"] == "a transaction begun by hand")
    transaction.rollBack()
    _ = try await append
  }

  @Test func aPartitionThatCannotBeUsedIsTold() async throws {
    let store = try LogStore(directory: directory.path, partitions: 2)
    for number in 0..<20 { try await store.append("message", key: "\(number)") }
    try await store.shutdown()
    try FileManager.default.removeItem(atPath: directory.file("1.bilog"))
    let reopened = try LogStore(directory: directory.path, configuration: configuration())
    defer { reopened.close() }
    let line = try #require(await events.line(of: .partitionUnusable))
    #expect(line.level == .error && line.metadata["partition"] == "1")
  }

  @Test func eachLineHasAnEventAndEachEventIsExplained() async throws {
    var configuration = configuration()
    configuration.segments.maximumBytes = 1000
    let storage = try open(configuration)
    for _ in 0..<50 { try await storage.append(String(repeating: "a", count: 100), to: "log") }
    try await storage.shutdown()
    #expect(await events.line(of: .rolled) != nil)
    #expect(events.all.allSatisfy { line in StorageEvent.allCases.contains { $0.rawValue == line.event } })

    let article = try String(
      contentsOf: Repository.file("Sources/ImmutaService/ImmutaService.docc/Observing.md"), encoding: .utf8)
    for event in StorageEvent.allCases { #expect(article.contains("| `\(event.rawValue)` |"), "\(event)") }
    // None that does not exist.
    let named = article.matches(of: /\| `(immuta\.[a-z_]+)` \|/).map { String($0.1) }
    #expect(Set(named) == Set(StorageEvent.allCases.map(\.rawValue)) && named.count == StorageEvent.allCases.count)
  }
}

/// The files of the package.
enum Repository {
  static func file(_ path: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: path)
  }
}
