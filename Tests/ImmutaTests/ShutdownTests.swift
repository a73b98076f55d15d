import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The last word: what closing says, and what it leaves behind.
@Suite(.timeLimit(.minutes(2))) struct ShutdownTests {
  private final class FailingFlushes: SystemCallHook {
    let directory: String
    init(_ directory: String) { self.directory = directory }
    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      call == .flush && path.hasPrefix(directory) ? .fail(ErrorNumber.ioError) : .proceed
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test func shuttingDownClosesAndPutsEverythingOnStableStorage() async throws {
    let open = try await OpenLog(3)
    try await open.storage.shutdown()
    try await open.storage.shutdown()
    await #expect(throws: ImmutaError.storageClosed) { try await open.log.append("x") }
    let again = try open.directory.open()
    defer { again.close() }
    #expect(try again.details(of: "log").openingNote == nil)
    #expect(try again.details(of: "log").stableCount == 3)
  }

  @Test func aFlushThatFailsInClosingIsThrownHoweverOftenOneAsks() async throws {
    let open = try await OpenLog(3)
    await SystemCalls.withHook(FailingFlushes(open.directory.path)) {
      await #expect(
        throws: ImmutaError.io(
          errno: ErrorNumber.ioError, operation: "fdatasync", path: open.directory.file("log.log"))
      ) {
        try await open.storage.shutdown()
      }
    }
    open.storage.close()
    await #expect(
      throws: ImmutaError.io(errno: ErrorNumber.ioError, operation: "fdatasync", path: open.directory.file("log.log"))
    ) {
      try await open.storage.shutdown()
    }
    let again = try open.directory.open()
    defer { again.close() }
    #expect(try texts(again.log("log")) == ["0", "1", "2"])
  }

  @Test func aFlushThatFailedBeforeIsThrownByShuttingDown() async throws {
    let open = try await OpenLog(1)
    await SystemCalls.withHook(FailingFlushes(open.directory.path)) {
      await #expect(throws: ImmutaError.self) { try await open.storage.sync() }
    }
    await #expect(throws: ImmutaError.self) { try await open.storage.shutdown() }
  }

  @Test func closingAndShuttingDownSideBySideComeToTheSame() async throws {
    for _ in 0..<20 {
      let open = try await OpenLog(3)
      try await withThrowingTaskGroup { group in
        for number in 0..<8 {
          group.addTask {
            if number % 2 == 0 { open.storage.close() } else { try await open.storage.shutdown() }
            let size = try open.directory.bytes(of: "log.log").count
            #expect(size == 16 + 3 * 9)
          }
        }
        try await group.waitForAll()
      }
    }
  }

  /// The thread that runs the tests' tasks goes on while a flush takes long.
  @Test func shuttingDownDoesNotBlockTheThreadsThatRunTasks() async throws {
    let open = try await OpenLog(1)
    let device = HeldFlushes(open.directory.path)
    try await SystemCalls.withHook(device) {
      let tasks = (0..<2 * ProcessInfo.processInfo.activeProcessorCount + 2).map { _ in
        Task { try await open.storage.shutdown() }
      }
      #expect(await eventually { device.isReached })
      try await Task.sleep(for: .milliseconds(10))
      device.release()
      for task in tasks { try await value(of: task) }
    }
  }

  private final class HeldFlushes: SystemCallHook {
    private let directory: String
    private let state = Box((reached: false, released: false))
    init(_ directory: String) { self.directory = directory }
    var isReached: Bool { state.withLock { $0.reached } }
    func release() { state.withLock { $0.released = true } }
    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      if call == .flush, path.hasPrefix(directory) {
        state.withLock { $0.reached = true }
        while !state.withLock({ $0.released }) { usleep(500) }
      }
      return .proceed
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test func afterAFailedFlushDetailsSayHowManyRecordsAreStable() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<5 { try await log.append("\(number)") }
    await SystemCalls.withHook(FailingFlushes(directory.path)) {
      await #expect(throws: ImmutaError.self) { try await log.append("lost") }
    }
    #expect(log.count == 6, "it is committed all the same")
    #expect(try log.details.stableCount == 5)
  }

  #if os(Linux)
    @Test(
      arguments: [Durability.buffered, .synced, .interval(.milliseconds(1))], [Storage.Access.readWrite, .readOnly])
    func aClosedStorageKeepsNoFileOpenWhateverIsHeld(durability: Durability, access: Storage.Access) async throws {
      let directory = TemporaryDirectory()
      try await directory.fill([[1], pattern(2 << 20), [3]])
      let storage = try directory.open(durability, access: access)
      let log = try storage.log("log")
      if access == .readWrite {
        for number in 0..<100 { try await log.append("\(number)") }
        try await log.sync()
      }
      var streams = [log.stream(), log.stream(from: .skipping(1)), log.stream(only: .durable)]
      var records: [Record] = []
      for position in streams.indices { if let record = try streams[position].nextAtOnce() { records.append(record) } }
      // A large record of a log that others write is read from its file when it is touched, so it keeps that open.
      let hasLarge = access == .readWrite
      if hasLarge {
        records.append(try await log.record(at: 1))
      } else {
        records.removeAll { $0.payload.count > 1 << 20 }
      }
      let sequence = try log.records(in: 0..<1)
      #expect(!openFiles(in: directory.path).isEmpty)
      try await storage.shutdown()
      #expect(await eventually(within: .seconds(10)) { openFiles(in: directory.path).isEmpty })
      #expect(openFiles(in: directory.path) == [])
      // All of it is still held, and readable.
      if hasLarge { #expect(holds(records.last?.payload ?? records[0].payload, pattern(2 << 20))) }
      #expect(sequence.map(\.sequence) == [0] && log.count >= 3 && streams.count == 3)
    }
  #endif

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func goingThroughRecordsOfAClosedStorageEndsWell(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    let large = (0..<6).map { pattern(1 << 20, seed: $0) } + [pattern(2 << 20, seed: 9)]
    try await directory.fill(large + [[1], [2]])
    let storage = try directory.open(access: access)
    let log = try storage.log("log")
    let (all, few) = (try log.records(in: 0..<9), try log.records(in: 7..<9))
    var iterator = all.makeIterator()
    #expect(iterator.next()?.sequence == 0)
    storage.close()
    for number in 1..<7 {
      guard let record = iterator.next() else { Issue.record("record \(number) is missing"); return }
      #expect(holds(record.payload, large[number]))
    }
    #expect(iterator.next()?.payload.first == 1 && iterator.next()?.payload.first == 2 && iterator.next() == nil)
    #expect(all.map(\.sequence) == Array(0..<9) && few.map(\.sequence) == [7, 8])
    #expect(throws: ImmutaError.storageClosed) { try log.records(in: 0..<1) }
  }
}
