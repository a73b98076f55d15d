import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// What is on stable storage when, and who gets to know.
@Suite(.timeLimit(.minutes(1))) struct DurabilityTests {
  @Test func synchronisedAppendsAreStableWhenTheyReturn() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: .init(durability: .synced))
    defer { storage.close() }
    for number in 0..<10 {
      try await storage.append("\(number)", to: "log")
      #expect(try storage.details(of: "log").stableCount == number + 1)
    }
    try await storage.transaction(in: "log") { transaction in
      for number in 0..<10 { try await transaction.append("\(number)") }
    }
    #expect(try storage.details(of: "log").stableCount == 20)
  }

  @Test func synchronisedAppendsOfCodeThatIsNotAsyncAreStableWhenTheyReturn() throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: .init(durability: .synced))
    defer { storage.close() }
    try storage.append("a", to: "log")
    try storage.transaction(in: "log") { try $0.append("b") }
    #expect(try storage.details(of: "log").stableCount == 2)
  }

  @Test func bufferedAppendsBecomeStableWithSync() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    for number in 0..<10 { try await storage.append("\(number)", to: "log") }
    #expect(try storage.details(of: "log").stableCount == 0)
    try await storage.log("log").sync()
    #expect(try storage.details(of: "log").stableCount == 10)
  }

  /// Also where somebody else's flush has covered them, and has not yet said so.
  @Test func whatIsSynchronisedIsKnownToBeStable() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    let log = try storage.log("log")
    let late = try await withThrowingTaskGroup(of: Int.self) { group in
      for task in 0..<4 {
        group.addTask {
          var late = 0
          for _ in 0..<2_000 {
            let receipt = try await log.append("a").sequence
            if task.isMultiple(of: 2) { try await log.sync() } else { try Self.syncBlocking(log) }
            if try log.details.stableCount <= receipt { late += 1 }
          }
          return late
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(late == 0)
  }

  private static func syncBlocking(_ log: Log) throws { try log.sync() }

  @Test func recordsBecomeStableWithinTheIntervalByThemselves() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(
      directory: directory.path, namespaces: ["log"], configuration: .init(durability: .interval(.milliseconds(20))))
    defer { storage.close() }
    for round in 0..<5 {
      try await storage.append("\(round)", to: "log")
      var stream = storage.stream("log", from: .skipping(round), only: .durable)
      #expect(try await stream.next()?.text == "\(round)")
    }
  }

  /// A stream of durable records that delivered too early would hand out what a power cut could take back.
  @Test func aStreamOfDurableRecordsWaitsForTheFlush() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream(only: .durable)
    var all = log.stream()
    try await log.append("a")
    #expect(try await all.next()?.text == "a")
    #expect(try await stream.next(timeout: .milliseconds(20)) == nil)
    try await log.sync()
    #expect(try await stream.next()?.text == "a")
    try await log.append("b")
    #expect(try stream.nextAtOnce() == nil)
    let waiting = Task { [stream] in
      var stream = stream
      return try await stream.next()?.text
    }
    try await log.sync()
    #expect(try await waiting.value == "b")
  }

  @Test func aReaderElsewhereGetsDurableRecordsOnlyOnceTheyAreFlushed() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    try await storage.append("a", to: "log")
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reading = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { reading.close() }
    var stream = reading.stream("log", only: .durable)
    #expect(try await stream.next(timeout: .milliseconds(20)) == nil)
    try await storage.log("log").sync()
    #expect(try await stream.next()?.text == "a")
  }

  @Test func closingPutsEverythingOnStableStorage() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    try await storage.append("a", to: "log")
    storage.close()
    let reopened = try Storage(directory: directory.path, namespaces: ["log"])
    defer { reopened.close() }
    #expect(try reopened.details(of: "log").stableCount == 1)
  }

  /// A flush that failed may have lost pages that the kernel now calls clean: no later flush proves anything.
  @Test func aFailedFlushIsFinal() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    let log = try storage.log("log")
    try await log.append("a")
    try await log.sync()
    try await log.append("b")
    let failing = FailingFlushes(directory.path)
    await SystemCalls.withHook(failing) {
      await #expect(performing: { try await log.sync() }, throws: isFailedFlush)
    }
    await #expect(performing: { try await log.sync() }, throws: isFailedFlush)
    await #expect(performing: { try await log.append("c") }, throws: isFailedFlush)
    await #expect(performing: { try await log.transaction { try await $0.append("d") } }, throws: isFailedFlush)
    #expect(log.count == 2)
    #expect(try log.details.stableCount == 1)
    #expect(try await log.record(at: 1).text == "b", "readers go on")
    storage.close()
    let reopened = try Storage(directory: directory.path, namespaces: ["log"])
    defer { reopened.close() }
    #expect(try reopened.log("log").records(in: 0..<2).map(\.text) == ["a", "b"])
    #expect(try await reopened.append("c", to: "log").sequence == 2)
  }

  /// After a failed flush the page cache shows what may not be on the device: it is written once more before it is
  /// trusted.
  @Test func openingAfterAFailedFlushWritesTheUnstableRecordsOnceMore() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    try await storage.append("a", to: "log")
    await SystemCalls.withHook(FailingFlushes(directory.path)) {
      await #expect(performing: { try await storage.sync() }, throws: isFailedFlush)
    }
    storage.close()
    let writes = CountingWrites(directory.file("log.log"))
    let reopened = try SystemCalls.withHook(writes) {
      try Storage(directory: directory.path, namespaces: ["log"])
    }
    defer { reopened.close() }
    #expect(writes.count >= 2, "the header, and the record")
    #expect(try await reopened.log("log").record(at: 0).text == "a")
  }

  @Test func aLogThatWasEmptiedIsNotBegunAnewThoughNothingOfItWasFlushed() async throws {
    let directory = TemporaryDirectory()
    let crashed = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    try await storage.append("a", to: "log")
    try crashed.write([], to: "log.log")
    try crashed.write(try directory.bytes(of: "log.idx"), to: "log.idx")
    storage.close()
    #expect(await corruption { try Storage(directory: crashed.path, namespaces: ["log"]) } != nil)
    try crashed.remove("log.log")
    #expect(await corruption { try Storage(directory: crashed.path, namespaces: ["log"]) } != nil)
    #expect(!crashed.exists("log.log"))
  }

  @Test func aFileDatedInTheFarFutureOpens() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    try await storage.append("a", to: "log")
    storage.close()
    try directory.remove("log.idx")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 10_500_000_000)], ofItemAtPath: directory.file("log.log"))
    let reopened = try Storage(directory: directory.path, namespaces: ["log"])
    defer { reopened.close() }
    #expect(try await reopened.log("log").record(at: 0).timestamp.nanosecondsSince1970 == .max)
  }
}

/// Fails every flush of files in a directory.
private final class FailingFlushes: SystemCallHook {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    call == .flush && path.hasPrefix(directory) ? .fail(ErrorNumber.ioError) : .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}

private func isFailedFlush(_ error: any Error) -> Bool {
  if case ImmutaError.io(ErrorNumber.ioError, "fdatasync", _) = error { true } else { false }
}

/// Counts the writes to a file.
private final class CountingWrites: SystemCallHook {
  private let path: String
  private let calls = Lock(0)

  init(_ path: String) { self.path = path }

  var count: Int { calls.withLock { $0 } }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome { .proceed }

  func didCall(_ call: SystemCall, path: String) {
    if call == .write, path == self.path { calls.withLock { $0 += 1 } }
  }
}
