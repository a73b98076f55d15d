import Foundation
import Immuta
import ImmutaTestSupport
import Logging
import Testing

/// A wait that lasts is told, and can be looked at.
@Suite(.timeLimit(.minutes(2))) struct LongWaitTests {
  @Test func theLoggerIsToldWhoHasTheTurnAndAgainWhenItHasDoubled() async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    var configuration = Storage.Configuration()
    configuration.logger = Logger(label: "test") { _ in CollectingHandler(lines: lines) }
    configuration.longWait = .milliseconds(40)
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    let first = await startWaiting { try await log.append("a") }
    let second = await startWaiting { try await log.append("b") }
    #expect(await eventually { lines.withLock { $0.count } >= 2 })
    // It is told after 40, 80, 160, 320 and 640 milliseconds, and then much later.
    try await Task.sleep(for: .milliseconds(400))
    let line = try #require(lines.withLock { $0.first })
    #expect(line.contains("has waited 0.") && line.contains("a transaction begun by hand has had it for 0."))
    #expect(line.contains("2 in all wait for it") && line.contains("log.log"))
    transaction.rollBack()
    _ = try await (value(of: first), value(of: second))
    let started = lines.withLock { $0.count }
    #expect(started <= 8)
    try await Task.sleep(for: .milliseconds(200))
    #expect(lines.withLock { $0.count } == started, "nobody waits any more")
  }

  @Test func shortWaitsAreNotTold() async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    var configuration = Storage.Configuration()
    configuration.logger = Logger(label: "test") { _ in CollectingHandler(lines: lines) }
    configuration.longWait = .seconds(60)
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    for _ in 0..<20 {
      let transaction = try await log.beginTransaction()
      let append = await startWaiting { try await log.append("a") }
      transaction.rollBack()
      _ = try await value(of: append)
    }
    #expect(lines.withLock { $0.isEmpty })
  }

  @Test func detailsSayWhoHasTheTurn() async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    #expect(try open.log.details.turn == nil)
    let before = ContinuousClock.now
    let transaction = try await open.log.beginTransaction()
    let append = await startWaiting { try await open.log.append("a") }
    let turn = try #require(try open.log.details.turn)
    #expect(turn.work == .openTransaction && turn.waiting == 1)
    #expect(turn.since >= before && turn.since <= .now)
    transaction.rollBack()
    _ = try await value(of: append)
    #expect(try open.log.details.turn == nil)
    try await open.log.transaction { transaction in
      try await transaction.append("b")
      #expect(try open.log.details.turn?.work == .transaction)
    }
  }

  @Test func aLongWaitOfNoTimeIsRefused() {
    var configuration = Storage.Configuration()
    configuration.longWait = .zero
    do {
      _ = try Storage(directory: "/nowhere", namespaces: ["log"], configuration: configuration)
      Issue.record("it was opened")
    } catch {
      #expect("\(error)".contains("longWait"))
    }
  }
}

/// Keeps what is logged, with its metadata.
struct CollectingHandler: LogHandler {
  let lines: Box<[String]>
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .trace

  init(lines: Box<[String]>) { self.lines = lines }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
  }
}
