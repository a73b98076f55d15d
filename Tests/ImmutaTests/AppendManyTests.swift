import Foundation
import ImmutaTestSupport
import Synchronization
import Testing

@testable import Immuta

/// Many records in one call.
@Suite(.timeLimit(.minutes(3))) struct AppendManyTests {
  @Test func allGetNumbersInARow() async throws {
    let open = try await OpenLog(2)
    defer { open.close() }
    let receipts = try await open.log.append(contentsOf: ["two", "", "four"])
    #expect(receipts.sequences == 2..<5 && receipts.size == 7 && receipts.count == 3 && !receipts.isEmpty)
    let bytes = try await open.storage.append(contentsOf: [[5], [5, 5]] as [[UInt8]], to: "log")
    #expect(bytes.sequences == 5..<7 && bytes.size == 3)
    let lazy = try await open.storage.append(contentsOf: (7..<10).lazy.map { "\($0)" }, to: "log")
    #expect(lazy.sequences == 7..<10)
    #expect(
      try payloads(open.log)
        == ["0", "1", "two", "", "four"].map { Array($0.utf8) } + [[5], [5, 5]]
        + ["7", "8", "9"].map { Array($0.utf8) })
    #expect(try await open.log.verify().records == 10)
  }

  @Test func noPayloadsAreAnEmptyRangeAtTheCount() async throws {
    let open = try await OpenLog(2)
    defer { open.close() }
    let receipts = try await open.log.append(contentsOf: [[UInt8]]())
    #expect(receipts.sequences == 2..<2 && receipts.size == 0 && receipts.isEmpty)
    #expect(open.log.count == 2)
    #expect(try await onThread { try open.log.append(contentsOf: [String]()) }.sequences == 2..<2)
    #expect(try await open.log.append("2").sequence == 2)
  }

  @Test func codeThatIsNotAsyncAppendsThemWithoutAwait() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let found = try await onThread {
      [
        try open.log.append(contentsOf: ["0", "1"]), try open.log.append(contentsOf: [[2], [3]] as [[UInt8]]),
        try open.storage.append(contentsOf: ["4"], to: "log", expecting: 4),
        try open.storage.append(contentsOf: [[5]] as [[UInt8]], to: "log"),
      ].map(\.sequences)
    }
    #expect(found == [0..<2, 2..<4, 4..<5, 5..<6])
    #expect(open.log.count == 6)
  }

  @Test func nobodySeesSomeOfThem() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    let counts = Box<Set<Int>>([])
    try await log.append(
      contentsOf: (0..<100).lazy.map { number in
        counts.withLock { _ = $0.insert(log.count) }
        return "\(number)"
      })
    #expect(counts.withLock { $0 } == [0])
    #expect(log.count == 100)
    // To a crash they are one commit.
    #expect(try log.reader.entries(0..<100).map { $0?.endsCommit } == (0..<100).map { $0 == 99 })
  }

  @Test(arguments: [1, 50]) func aSyncedLogIsFlushedOnce(count: Int) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    try await storage.append("first", to: "log")
    let flushes = CountedFlushes(directory.path)
    try await SystemCalls.withHook(flushes) { _ = try await storage.append("one", to: "log") }
    let ofOne = flushes.take()
    try await SystemCalls.withHook(flushes) {
      _ = try await storage.append(contentsOf: (0..<count).map { "\($0)" }, to: "log")
    }
    #expect(ofOne > 0 && flushes.take() == ofOne)
    #expect(try storage.details(of: "log").stableCount == count + 2)
  }

  @Test func manyMoreThanFitMemoryAreOneCommit() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let receipts = try await open.log.append(contentsOf: (0..<70_000).lazy.map { "\($0)" })
    #expect(receipts.sequences == 0..<70_000)
    #expect(try await open.log.record(at: 69_999).text == "69999")
    #expect(try await open.log.verify().records == 70_000)
  }

  @Test func aSequenceThatAppendsToTheSameLogIsToldSoAndNothingIsAppended() async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    let log = open.log
    let errors = Box<[String]>([])
    let payload = { @Sendable (number: Int) -> String in
      do { try log.append("inner") } catch { errors.withLock { $0.append("\(error)") } }
      return "\(number)"
    }
    _ = try await withinLimit { try await log.append(contentsOf: (0..<2).lazy.map(payload)) }
    _ = try await withinLimit {
      try await onThread { try log.append(contentsOf: (0..<2).lazy.map(payload)) }
    }
    let found = errors.withLock { $0 }
    #expect(found.count == 4 && found.allSatisfy { $0.contains("would wait for ever") }, "\(found)")
    #expect(try texts(log) == ["0", "0", "1", "0", "1"])
  }

  @Test func aLogForReadingOnlyTakesNone() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0]])
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    await #expect(throws: ImmutaError.readOnly) { try await storage.append(contentsOf: ["x"], to: "log") }
    await #expect(throws: ImmutaError.namespaceNotFound("other")) {
      try await storage.append(contentsOf: ["x"], to: "other")
    }
  }

  @Test func aPayloadThatFailsTakesAllOfThemBack() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0]])
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    // A log that is closed meanwhile takes no more of them.
    await #expect(throws: ImmutaError.storageClosed) {
      try await log.append(
        contentsOf: (0..<3).lazy.map { number in
          if number == 1 { storage.close() }
          return "\(number)"
        })
    }
    let again = try directory.open()
    defer { again.close() }
    #expect(try payloads(again.log("log")) == [[0]])
  }
}

/// Counts the flushes of a directory's files.
private final class CountedFlushes: SystemCallHook {
  private let directory: String
  private let flushes = Atomic(0)

  init(_ directory: String) { self.directory = directory }

  func take() -> Int { flushes.exchange(0, ordering: .relaxed) }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    if call == .flush, path.hasPrefix(directory) { flushes.add(1, ordering: .relaxed) }
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
