import Foundation
import ImmutaLocking
import ImmutaTestSupport
import Testing

@testable import Immuta

/// With `.synced`, records whose callers wait for the same flush are committed together, when it begins.
@Suite(.timeLimit(.minutes(2))) struct RoundTests {
  /// Holds up the flushes of one directory's files, counts the writes to the companion, and makes one of them fail.
  private final class HeldDevice: SystemCallHook {
    private let directory: String
    private let isHeld = Box(true)
    private let state = Box((flushesBegun: 0, companionWrites: 0, failing: Int?.none))

    init(_ directory: String) { self.directory = directory }

    var flushesBegun: Int { state.withLock { $0.flushesBegun } }
    var companionWrites: Int { state.withLock { $0.companionWrites } }

    func release() { isHeld.withLock { $0 = false } }

    /// Makes the write to the companion fail that comes after so many others.
    func failWrite(after count: Int) { state.withLock { $0.failing = $0.companionWrites + count } }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      guard path.hasPrefix(directory) else { return .proceed }
      if call == .flush || call == .writeBack {
        state.withLock { $0.flushesBegun += 1 }
        while isHeld.withLock({ $0 }) { usleep(500) }
      }
      guard call == .write, path.hasSuffix("log.idx") else { return .proceed }
      let fails = state.withLock { state in
        defer { state.companionWrites += 1 }
        return state.companionWrites == state.failing
      }
      return fails ? .fail(ErrorNumber.ioError) : .proceed
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  /// A log with one record, whose device then holds up each flush; and one append whose flush has begun.
  private func withHeldDevice(
    _ directory: TemporaryDirectory, _ storage: Storage,
    _ body: (_ log: Log, _ device: HeldDevice, _ begun: Task<Receipt, any Error>) async throws -> Void
  ) async throws {
    let log = try storage.log("log")
    try await log.append("0")
    let device = HeldDevice(directory.path)
    try await SystemCalls.withHook(device) {
      defer { device.release() }
      let begun = await startWaiting { try await log.append("1") }
      #expect(await eventually { device.flushesBegun > 0 })
      try await body(log, device, begun)
    }
  }

  @Test func theEntriesOfAllThatWaitForAFlushAreWrittenTogether() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    try await withHeldDevice(directory, storage) { log, device, begun in
      var appends: [Task<Receipt, any Error>] = []
      for number in 2..<34 { appends.append(await startWaiting { try await log.append("\(number)") }) }
      #expect(log.count == 2, "records whose flush has not begun are not committed")
      let before = device.companionWrites
      device.release()
      var numbers = [try await value(of: begun).sequence]
      for append in appends { numbers.append(try await value(of: append).sequence) }
      #expect(numbers == Array(1..<34))
      // The mark of the first flush; the entries and the mark of the second; and one more flush to spare.
      #expect(device.companionWrites - before <= 5)
    }
    #expect(try texts(storage.log("log")) == (0..<34).map { "\($0)" })
    storage.close()
    let reopened = try directory.open()
    defer { reopened.close() }
    #expect(try reopened.log("log").count == 34)
  }

  @Test func aRoundThatCannotBeCommittedFailsForAllInIt() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    try await withHeldDevice(directory, storage) { log, device, begun in
      var appends: [Task<Receipt, any Error>] = []
      for number in 2..<6 { appends.append(await startWaiting { try await log.append("\(number)") }) }
      // After the mark of the flush that is held up: the entries of the round.
      device.failWrite(after: 1)
      device.release()
      let first = try await value(of: begun)
      #expect(first.sequence == 1)
      for append in appends {
        await #expect(throws: ImmutaError.self) { try await value(of: append) }
      }
      await #expect(throws: ImmutaError.self) { try await log.append("later") }
      #expect(log.count == 2)
    }
    storage.close()
    let reopened = try directory.open()
    defer { reopened.close() }
    #expect(try texts(reopened.log("log")) == ["0", "1"])
    try await reopened.log("log").append("2")
  }

  @Test func aTransactionComesAfterTheRecordsThatWaitForAFlush() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    try await withHeldDevice(directory, storage) { log, device, begun in
      let waiting = await startWaiting { try await log.append("2") }
      await #expect(throws: ImmutaError.unexpectedCount(expected: 2, actual: 3).of("log")) {
        try await log.append("no", expecting: 2)
      }
      #expect(log.count == 3, "a caller that takes the turn finds the others' records committed")
      let transaction = await startWaiting {
        try await log.transaction(expecting: 3) { transaction in
          try await transaction.append("3")
          try await transaction.append("4")
        }
      }
      let last = await startWaiting { try await log.append("5") }
      device.release()
      _ = try await (value(of: begun), value(of: waiting), value(of: last))
      try await value(of: transaction)
    }
    #expect(try texts(storage.log("log")) == ["0", "1", "2", "3", "4", "5"])
    storage.close()
  }

  @Test func aTransactionThatIsRolledBackTakesBackNoneOfThem() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    try await withHeldDevice(directory, storage) { log, device, begun in
      let waiting = await startWaiting { try await log.append("2") }
      let transaction = try await log.beginTransaction()
      try await transaction.append("no")
      transaction.rollBack()
      device.release()
      _ = try await (value(of: begun), value(of: waiting))
    }
    #expect(try texts(storage.log("log")) == ["0", "1", "2"])
    storage.close()
  }

  @Test func closingCommitsAndFlushesThem() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    try await withHeldDevice(directory, storage) { log, device, begun in
      let waiting = await startWaiting { try await log.append("2") }
      let closing = Thread { storage.close() }
      closing.start()
      #expect(await eventually { (try? log.openWriter().state.withLock { $0.isClosed }) ?? true })
      device.release()
      let (first, second) = try await (value(of: begun), value(of: waiting))
      #expect((first.sequence, second.sequence) == (1, 2))
      #expect(await eventually { closing.isFinished })
    }
    let reopened = try directory.open()
    defer { reopened.close() }
    #expect(try texts(reopened.log("log")) == ["0", "1", "2"])
  }

  @Test func roundsGoOnInTheNextSegment() async throws {
    let directory = TemporaryDirectory()
    var configuration = Storage.Configuration(durability: .synced)
    configuration.segments.maximumBytes = 64 << 10
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    let log = try storage.log("log")
    let payload = [UInt8](repeating: 7, count: 1000)
    let numbers = try await withThrowingTaskGroup(of: [Int].self) { group in
      for _ in 0..<16 {
        group.addTask {
          var numbers: [Int] = []
          for _ in 0..<40 { numbers.append(try await log.append(payload).sequence) }
          return numbers
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(numbers.sorted() == Array(0..<640))
    #expect(try log.details.segmentCount > 5)
    storage.close()
    let reopened = try directory.open()
    defer { reopened.close() }
    #expect(try reopened.log("log").count == 640)
    #expect(try await reopened.log("log").verify().verifiable == 640)
  }
}
