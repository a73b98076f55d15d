import Immuta
import ImmutaTestSupport
import Testing

/// What the README shows, as a user writes it.
@Suite struct ContractTests {
  @Test func appendsTransactionsAndStreamsAsTheReadmeShows() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.file("log-data"), namespaces: ["events"])
    defer { storage.close() }

    let receipt = try await storage.append("hello world", to: "events")
    #expect(receipt == Receipt(sequence: 0, index: 16, size: 11))

    try await storage.transaction(in: "events") { transaction in
      try await transaction.append("order placed")
      try await transaction.append([0xCA, 0xFE] as [UInt8])
    }

    var texts: [String] = []
    for try await record in storage.stream("events", from: .beginning) {
      texts.append("\(record.sequence) \(record.index) \(record.size) \(record.text)")
      if texts.count == 3 { break }
    }
    #expect(texts == ["0 16 11 hello world", "1 35 12 order placed", "2 55 2 \u{FFFD}\u{FFFD}"])

    var stream = storage.stream("events", from: .latest)
    #expect(try await stream.next(timeout: .milliseconds(1)) == nil)

    let events = try storage.log("events")
    let third = try await events.record(at: 2)
    #expect(Array(third.payload) == [0xCA, 0xFE])
    #expect(third.withBytes { $0.byteCount } == 2)
    #expect(events.count == 3)
    try await events.sync()
    let details = try storage.details(of: "events")
    #expect(details.count == 3 && details.stableCount == 3 && details.byteCount == 65)
    let report = try await storage.verify("events")
    #expect(report.records == 3)
    #expect(try events.records(in: 0..<3).map(\.sequence) == [0, 1, 2])
  }

  @Test func codeThatIsNotAsyncAppendsWithoutAwait() throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    defer { storage.close() }
    #expect(try storage.append("a", to: "events").sequence == 0)
    try storage.transaction(in: "events") { transaction in
      try transaction.append("b")
      try transaction.append("c")
    }
    let log = try storage.log("events")
    try log.sync()
    #expect(try log.records(in: 0..<3).map(\.text) == ["a", "b", "c"])
  }
}
