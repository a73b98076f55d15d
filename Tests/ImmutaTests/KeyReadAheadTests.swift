import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// The records of a key are read several at a time.
struct KeyReadAheadTests {
  /// A log with a sealed segment, in which a key has the payloads, with so many other records after each; then a record in the
  /// newest segment.
  private static func fill(
    _ directory: TemporaryDirectory, _ payloads: [String], others: Int, configuration: Storage.Configuration = .init()
  ) async throws {
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    for payload in payloads {
      try await log.append(contentsOf: ["a \(payload)"] + (0..<others).map { "b \($0)" })
    }
    try await log.roll()
    try await log.append("a newest")
    let accounts = try log.accounts()
    _ = try await accounts.count(of: "a")
    accounts.finishFiles()
  }

  private static func history(_ accounts: KeyedLog<String>) throws -> [String] {
    var history = accounts.records(of: "a")
    var texts: [String] = []
    while let record = try history.next() { texts.append(String(try record.payload.inMemory().text.dropFirst(2))) }
    return texts
  }

  @Test func recordsOfAKeyThatLieNearEachOtherTakeFewReads() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let payloads = (0..<500).map { "\($0)" }
    try await Self.fill(directory, payloads, others: 3)
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      let storage = try directory.open()
      defer { storage.close() }
      let accounts = try storage.log("log").accounts()
      _ = try await accounts.count(of: "a")
      let before = injector.counts[.read] ?? 0
      #expect(try Self.history(accounts) == payloads + ["newest"])
      let reads = (injector.counts[.read] ?? 0) - before
      #expect(reads <= 30, "\(reads) reads")
    }
  }

  @Test func aSmallSegmentThatIsReadAgainAndAgainIsKept() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let payloads = (0..<50).map { "\($0)" }
    try await Self.fill(directory, payloads, others: 600)
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      let accounts = try log.accounts()
      var reads: [Int] = []
      for _ in 0..<10 {
        let before = injector.counts[.read] ?? 0
        #expect(try Self.history(accounts) == payloads + ["newest"])
        reads.append((injector.counts[.read] ?? 0) - before)
      }
      // A read for each, and then two for the key's place in the index, and two for the newest record at most.
      #expect(reads[1] >= 50 && (reads.last ?? 50) <= 4, "\(reads) reads")
      // It is of a log that somebody cuts: what was removed is so.
      try await log.removeRecords(before: log.count - 1)
      var removed = accounts.records(of: "a", from: .sequence(0))
      await #expect(throws: ImmutaError.self) { try await removed.next() }
      #expect(try Self.history(accounts) == ["newest"])
    }
  }

  @Test func whoTakesOneRecordReadsFew() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await Self.fill(directory, (0..<500).map { "\($0)" }, others: 200)
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      let storage = try directory.open()
      defer { storage.close() }
      let accounts = try storage.log("log").accounts()
      _ = try await accounts.count(of: "a")
      let before = injector.counts[.read] ?? 0
      var history = accounts.records(of: "a")
      #expect(try await history.next()?.text == "a 0")
      let reads = (injector.counts[.read] ?? 0) - before
      #expect(reads <= 8, "\(reads) reads")
    }
  }

  @Test(arguments: [0, 1, 40]) func recordsOfAnySizeAreDelivered(others: Int) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let sizes = [
      0, 1, 30, 700, 500, 501, 512, 4084, 4088, 4096, 5000, 70_000, 3, 1 << 20, 2 << 20, 10, 900, 0, 0, 8000,
    ]
    let payloads = (sizes + sizes.reversed()).enumerated().map { number, size in
      String(repeating: "\(number % 10)", count: size)
    }
    try await Self.fill(directory, payloads, others: others)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try Self.history(try storage.log("log").accounts()) == payloads + ["newest"])
    // A follower, which looks after each read whether the log is what it was.
    let following = try directory.open(access: .readOnly)
    defer { following.close() }
    #expect(try Self.history(try following.log("log").accounts()) == payloads + ["newest"])
  }

  @Test func aRecordThatIsDamagedIsThrownInItsPlace() async throws {
    let directory = TemporaryDirectory()
    let payloads = (0..<50).map { "payload \($0)" }
    try await Self.fill(directory, payloads, others: 2)
    let name = "log.log"
    var bytes = try directory.bytes(of: name)
    let place = try #require(bytes.firstRange(of: Array("payload 17".utf8))?.lowerBound)
    bytes[place] ^= 1
    try directory.write(bytes, to: name)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    var history = try log.accounts().records(of: "a")
    for payload in payloads[..<17] { #expect(try await history.next()?.text == "a \(payload)") }
    for _ in 0..<2 {
      await #expect {
        try await history.next()
      } throws: { error in
        guard case .corrupted(let damage) = error as? ImmutaError else { return false }
        return damage.sequence == 17 * 3 && damage.reason.code == .checksum
      }
    }
    // Wherever the others are asked for from.
    var rest = try log.accounts().records(of: "a", from: .sequence(17 * 3 + 1))
    for payload in payloads[18...] { #expect(try await rest.next()?.text == "a \(payload)") }
    #expect(try await rest.next()?.text == "a newest")
    #expect(try await rest.next() == nil)
  }

  @Test func whatIsReadAheadIsNotDeliveredOnceTheStorageIsClosed() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory, (0..<50).map { "\($0)" }, others: 0)
    let storage = try directory.open()
    let accounts = try storage.log("log").accounts()
    var history = accounts.records(of: "a")
    for _ in 0..<10 { _ = try await history.next() }
    storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await history.next() }
  }

  @Test func aStreamGoesOnWhereItIsMovedTo() async throws {
    let directory = TemporaryDirectory()
    let payloads = (0..<50).map { "\($0)" }
    try await Self.fill(directory, payloads, others: 1)
    let storage = try directory.open()
    defer { storage.close() }
    var stream = try storage.log("log").accounts().stream("a")
    for round in 0..<20 {
      let number = (round * 17) % 50
      stream.position = 2 * number - (number > 0 ? 1 : 0)
      for payload in (payloads + ["newest"])[number..<min(51, number + 1 + round)] {
        #expect(try await stream.next()?.text == "a \(payload)")
      }
    }
  }

  @Test func aHistoryEndsWhereItEndedWhenItWasMade() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory, ["0", "1", "2"], others: 0)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let accounts = try log.accounts()
    var history = accounts.records(of: "a")
    #expect(try await history.next()?.text == "a 0")
    try await log.append(contentsOf: (0..<100).map { "a more \($0)" })
    #expect(try await history.next()?.text == "a 1")
    #expect(try await history.next()?.text == "a 2")
    #expect(try await history.next()?.text == "a newest")
    #expect(try await history.next() == nil)
    #expect(history.end == 4)
  }
}
