import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport
import Testing

/// Values by a key, and values in batches.
@Suite(.timeLimit(.minutes(2))) struct TypedKeysTests {
  private enum AccountEvent: Codable, Hashable {
    case opened(account: String)
    case paid(account: String, cents: Int)
    case closedTheBank

    var account: String? {
      switch self {
      case .opened(let account), .paid(let account, _): account
      case .closedTheBank: nil
      }
    }
  }

  private func keyed(_ storage: Storage) throws -> TypedKeyedLog<AccountEvent, String> {
    try storage.log("orders", of: AccountEvent.self).keyed("account") { $0.account }
  }

  private func fill(_ storage: Storage) async throws {
    let log = try storage.log("orders", of: AccountEvent.self)
    try await log.append(.opened(account: "a"))
    try await log.append(.opened(account: "b"))
    try await log.append(.closedTheBank)
    try await log.log.append("no value at all")
    try await log.append(.paid(account: "a", cents: 7))
  }

  @Test func aKeyHasItsValuesInOrder() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await fill(storage)
    let accounts = try keyed(storage)
    var found: [AccountEvent] = []
    for try await event in accounts.records(of: "a") { found.append(event.value) }
    #expect(found == [.opened(account: "a"), .paid(account: "a", cents: 7)])
    #expect(try await accounts.keys == ["a", "b"])
    #expect(try await accounts.count(of: "a") == 2)
    #expect(try await accounts.count(of: "c") == 0)
    #expect(try await accounts.record(1, of: "a")?.value == .paid(account: "a", cents: 7))
    #expect(try await accounts.record(1, of: "a")?.sequence == 4)
    #expect(try await accounts.record(2, of: "a") == nil)
    #expect(try await accounts.keyed.count(of: "a") == 2)
  }

  @Test func aStreamOfAKeyWaitsForItsNextValue() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await fill(storage)
    let accounts = try keyed(storage)
    var stream = accounts.stream("b")
    #expect(try await stream.next()?.value == .opened(account: "b"))
    #expect(try stream.nextAtOnce() == nil)
    #expect(try await stream.next(timeout: .milliseconds(5)) == nil)
    let waiting = stream
    let task = Task {
      var stream = waiting
      return try await stream.next()?.value
    }
    try await accounts.log.append(.paid(account: "a", cents: 1))
    try await accounts.log.append(.paid(account: "b", cents: 2))
    #expect(try await task.value == .paid(account: "b", cents: 2))
    stream.position = 0
    #expect(try await stream.next()?.sequence == 1)
  }

  @Test func aValueIsAppendedIfItsKeyHasThatManyRecords() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await fill(storage)
    let accounts = try keyed(storage)
    try await accounts.append(.paid(account: "a", cents: 1), expecting: 2)
    let failure = try await thrown { try await accounts.append(.paid(account: "a", cents: 1), expecting: 2) }
    #expect(failure == .unexpectedCount(expected: 2, actual: 3))
    let keyless = try await thrown { try await accounts.append(.closedTheBank, expecting: 0) }
    guard case .invalidConfiguration = keyless else {
      Issue.record("\(keyless)")
      return
    }
    try await accounts.transaction(of: "b", expecting: 1) { transaction in
      try await transaction.append(.paid(account: "b", cents: -5))
      try await transaction.append(.paid(account: "a", cents: 5))
    }
    let refused = try await thrown {
      _ = try await accounts.transaction(of: "b", expecting: 1) { transaction in
        try await transaction.append(.paid(account: "b", cents: -5))
      }
    }
    #expect(refused == .unexpectedCount(expected: 1, actual: 2))
    #expect(try await accounts.count(of: "a") == 4)
    #expect(try await accounts.count(of: "b") == 2)
  }

  /// The blocking calls.
  @Test func codeThatIsNotAsyncHasTheKeysToo() throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let accounts = try keyed(storage)
    try accounts.append(.opened(account: "a"), expecting: 0)
    try accounts.transaction(of: "a", expecting: 1) { transaction in
      try transaction.append(.paid(account: "a", cents: 1))
    }
    #expect(throws: ImmutaError.unexpectedCount(expected: 1, actual: 2)) {
      try accounts.append(.opened(account: "a"), expecting: 1)
    }
    #expect(try accounts.count(of: "a") == 2 && accounts.allKeys() == ["a"])
    #expect(try accounts.record(0, of: "a")?.value == .opened(account: "a"))
    var history = accounts.records(of: "a")
    #expect(try history.next()?.sequence == 0)
    #expect(try history.next()?.sequence == 1)
    #expect(try history.next() == nil && history.end == 2)
  }

  // MARK: Batches

  /// So many numbers; those that are named are no values.
  private func open(_ directory: TemporaryDirectory, _ count: Int, undecodable: Set<Int>) async throws -> Storage {
    let storage = try directory.open()
    let log = try storage.log("orders")
    for number in 0..<count { try await log.append(undecodable.contains(number) ? "?" : "\(number)") }
    return storage
  }

  /// What each call gives: the values, or the record that does not decode.
  private func drain(_ next: () throws -> TypedBatch<Int>?) throws -> [[Int]] {
    var found: [[Int]] = []
    while true {
      do {
        guard let batch = try next() else { return found }
        #expect(batch.map(\.sequence) == Array(batch.sequences))
        found.append(batch.map(\.value))
      } catch ImmutaError.undecodableValue(let sequence, _, _, _) {
        found.append([-sequence])
      }
    }
  }

  @Test func aBatchEndsBeforeARecordThatDoesNotDecode() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, 10, undecodable: [4, 5, 9])
    defer { storage.close() }
    let log = try storage.log("orders", of: Int.self)
    let expected = [[0, 1, 2, 3], [-4], [-5], [6, 7, 8], [-9]]
    var batches = log.stream().batches()
    #expect(try drain { try batches.nextAtOnce() } == expected)
    #expect(batches.position == 10)
    let reader = log.reader()
    #expect(try drain { try reader.nextBatchAtOnce() } == expected)
    let consumer = try log.consumer("billing")
    #expect(try drain { try consumer.nextBatchAtOnce() } == expected)
    #expect(consumer.consumer.position == 0)
  }

  @Test func aBatchIsAcknowledgedAtOnceAndWhatFollowsItIsNot() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, 6, undecodable: [3])
    defer { storage.close() }
    let log = try storage.log("orders", of: Int.self)
    let consumer = try log.consumer("billing")
    let batch = try #require(try await consumer.nextBatch())
    #expect(batch.map(\.value) == [0, 1, 2])
    try await consumer.acknowledge(batch)
    #expect(consumer.consumer.position == 3)
    _ = try await thrown { _ = try await consumer.nextBatch() }
    let rest = try #require(try await consumer.nextBatch(timeout: .seconds(20)))
    #expect(rest.sequences == 4..<6 && rest.last?.value == 5)
    // The one that was passed is acknowledged with what comes after it.
    try await consumer.acknowledge(rest)
    #expect(consumer.consumer.position == 6)
    #expect(try await consumer.nextBatch(timeout: .milliseconds(1)) == nil)
  }

  @Test func batchesOfAStreamWaitForValues() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, 2, undecodable: [])
    defer { storage.close() }
    let log = try storage.log("orders", of: Int.self)
    let task = Task {
      var sum = 0
      for try await batch in log.stream().batches() {
        sum += batch.reduce(0) { $0 + $1.value }
        if batch.sequences.contains(3) { return sum }
      }
      return -1
    }
    try await log.append(contentsOf: [20, 300])
    #expect(try await task.value == 321)
    var empty = log.stream(from: .latest).batches()
    #expect(try await empty.next(timeout: .milliseconds(1)) == nil)
  }
}
