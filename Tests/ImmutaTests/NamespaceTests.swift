import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Opening, closing and removing one namespace of a storage, while the others go on.
@Suite(.timeLimit(.minutes(3))) struct NamespaceTests {
  private func open(_ directory: TemporaryDirectory, _ names: [String] = ["a", "b"]) throws -> Storage {
    try Storage(directory: directory.path, namespaces: names)
  }

  private var readOnly: Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    return configuration
  }

  @Test func closingANamespaceEndsWhatWasBegunWithItAndNothingElse() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("a")
    try await log.append("kept")
    let waiting = await startWaiting {
      for try await _ in log.stream() {}
    }
    let transaction = try await log.beginTransaction()
    try await transaction.append("never committed")
    storage.close("a")
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: waiting) }
    await #expect(throws: ImmutaError.storageClosed) { try await transaction.append("x") }
    await #expect(throws: ImmutaError.storageClosed) { try await log.append("x") }
    #expect(throws: ImmutaError.namespaceNotFound("a")) { try storage.log("a") }
    #expect(storage.namespaces == ["b"])
    #expect(try await storage.append("goes on", to: "b").sequence == 0)
    // Closed as a storage closes it: the file ends with its last record, and anybody may open it.
    #expect(try directory.bytes(of: "a.log") == logBytes([Array("kept".utf8)]))
    let other = try open(directory, ["a"])
    #expect(try texts(other.log("a")) == ["kept"])
    #expect(performing: { try storage.log("a", creating: false) }, throws: isLocked)
    other.close()
    let again = try storage.log("a", creating: false)
    #expect(again !== log)
    #expect(try await again.append("more").sequence == 1)
    storage.close("a")
    storage.close("a")
    storage.close("unknown")
  }

  @Test func shuttingANamespaceDownThrowsWhatClosingComesTo() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    try await storage.append("x", to: "a")
    let fault = FaultInjector(directory: directory.path, .error(EIO), of: .flush, lasting: true) {
      $0.hasSuffix("a.log")
    }
    _ = await fault.run {
      await #expect(throws: ImmutaError.io(errno: EIO, operation: "fdatasync", path: directory.file("a.log"))) {
        try await storage.shutdown("a")
      }
    }
    #expect(storage.namespaces == ["b"])
    #expect(try texts(storage.log("a", creating: false)) == ["x"])
    try await storage.shutdown("a")
  }

  @Test func removingANamespaceLeavesNothingOfIt() async throws {
    let directory = TemporaryDirectory()
    var configuration = Storage.Configuration()
    configuration.acceptsFilesOfOthers = true
    let storage = try Storage(directory: directory.path, namespaces: ["a", "b"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("a")
    let identity = log.identity
    try await log.append("gone")
    for folder in ["a.segments", "a.consumers", "a.keys"] {
      try FileManager.default.createDirectory(atPath: directory.file(folder), withIntermediateDirectories: false)
      try directory.write([1], to: "\(folder)/file")
    }
    try directory.write([1], to: "a.meta.saved-1")
    let held = try await log.record(at: 0)
    try storage.remove("a")
    let left = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    #expect(left == ["a.meta.saved-1", "b.idx", "b.lock", "b.log"])
    #expect(held.text == "gone")
    await #expect(throws: ImmutaError.storageClosed) { try await log.append("x") }
    #expect(throws: ImmutaError.namespaceNotFound("a")) { try storage.remove("a") }
    #expect(throws: ImmutaError.namespaceNotFound("a")) { try storage.log("a", creating: false) }
    let new = try storage.log("a", creating: true)
    #expect(new.count == 0 && new.identity != identity)
    try await new.append("another")
    // One that is not open.
    storage.close("a")
    try storage.remove("a")
    #expect(storage.namespaces == ["b"] && !directory.exists("a.log"))
  }

  @Test func whatAnotherHasOpenForWritingIsNotRemoved() async throws {
    let directory = TemporaryDirectory()
    let writer = try open(directory, ["a"])
    defer { writer.close() }
    try await writer.append("kept", to: "a")
    let storage = try open(directory, ["b"])
    defer { storage.close() }
    #expect(performing: { try storage.remove("a") }, throws: isLocked)
    let reader = try Storage(
      directory: directory.path, namespaces: ["a"], configuration: readOnly)
    defer { reader.close() }
    #expect(throws: ImmutaError.readOnly) { try reader.remove("a") }
    #expect(try texts(reader.log("a")) == ["kept"])
    #expect(try await writer.append("more", to: "a").sequence == 1)
  }

  @Test func aRemovalThatWasCutOffNeverLeavesAnotherLog() async throws {
    for calls in 1... {
      let directory = TemporaryDirectory()
      let storage = try open(directory, ["a"])
      try await storage.append("one", to: "a")
      storage.close("a")
      let fault = FaultInjector(directory: directory.path, .error(EIO), of: .unlink, at: calls, lasting: true)
      var isDone = false
      await fault.run { isDone = (try? storage.remove("a")) != nil }
      storage.close()
      if isDone {
        #expect(calls > 3)
        return
      }
      let next = try Storage(directory: directory.path, namespaces: ["other"])
      defer { next.close() }
      do {
        let log = try next.log("a", creating: true)
        let isWhole = try texts(log) == ["one"]
        // The last of the files to go is the lock's.
        #expect(isWhole || (log.count == 0 && !fault.injectedInto.isEmpty && calls > 2), "after \(calls - 1) removals")
      } catch let error as ImmutaError {
        guard case .corrupted(let damage) = error else { throw error }
        #expect(damage.reason.code == .logMissing)
        #expect(try directory.bytes(of: "a.idx").count > 0)
      }
      try next.remove("a")
      #expect(try next.log("a", creating: true).count == 0)
    }
  }

  @Test func aFollowerElsewhereIsToldOfTheRemoval() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, ["a"])
    defer { storage.close() }
    try await storage.append("one", to: "a")
    let reader = try Storage(
      directory: directory.path, namespaces: ["a"], configuration: readOnly)
    defer { reader.close() }
    let seen = Box<[String]>([])
    let following = await startWaiting {
      for try await record in reader.stream("a") { seen.withLock { $0.append(record.text) } }
    }
    #expect(await eventually { seen.withLock { $0 == ["one"] } })
    try storage.remove("a")
    do {
      try await value(of: following)
      Issue.record("the stream ended without an error")
    } catch let error as ImmutaError {
      guard case .logChanged(let change) = error else { throw error }
      #expect(change.kind == .removed)
    }
  }

  @Test func someNamespacesAreAppendedToAndOthersFollowed() async throws {
    let directory = TemporaryDirectory()
    let elsewhere = try open(directory, ["prices", "news"])
    defer { elsewhere.close() }
    var configuration = Storage.Configuration()
    configuration.accessByNamespace = ["prices": .readOnly]
    let storage = try Storage(
      directory: directory.path, namespaces: ["orders", "prices"], configuration: configuration)
    defer { storage.close() }
    var stream = storage.stream("prices")
    try await elsewhere.append("1.25", to: "prices")
    #expect(try await stream.next()?.text == "1.25")
    try await storage.append("order", to: "orders")
    await #expect(throws: ImmutaError.readOnly) { try await storage.append("x", to: "prices") }
    // And by the call.
    let news = try storage.log("news", access: .readOnly)
    try await elsewhere.append("news", to: "news")
    #expect(news.count == 1)
    #expect(try storage.log("news") === news)
    #expect(throws: ImmutaError.self) { try storage.log("news", access: .readWrite) }
    #expect(throws: ImmutaError.self) { try storage.log("orders", access: .readOnly) }
    elsewhere.close("news")
    storage.close("news")
    #expect(try await storage.log("news", access: .readWrite).append("ours").sequence == 1)
    #expect(throws: ImmutaError.namespaceNotFound("new")) { try storage.log("new", creating: true, access: .readOnly) }
    #expect(try storage.log("new", creating: true, access: .readWrite).count == 0)
  }

  /// Holds a flush up until it is let go.
  private final class Holdup: SystemCallHook {
    let isHeld = Box(false)
    let isOver = Box(false)
    let matches: @Sendable (String) -> Bool

    init(_ matches: @escaping @Sendable (String) -> Bool) { self.matches = matches }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      guard call == .flush, matches(path) else { return .proceed }
      isHeld.withLock { $0 = true }
      while !isOver.withLock({ $0 }) { Foundation.Thread.sleep(forTimeInterval: 0.001) }
      return .proceed
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test func openingOneNamespaceDoesNotWaitForTheRecoveryOfAnother() async throws {
    let directory = TemporaryDirectory()
    // A log that was not closed: opening it flushes.
    try directory.write(logBytes([Array("one".utf8)]), to: "slow.log")
    let storage = try open(directory, ["quick"])
    defer { storage.close() }
    let holdup = Holdup { $0.hasPrefix(directory.path) && $0.contains("/slow.") }
    try await SystemCalls.withHook(holdup) {
      let slow = Task { try await onThread { try storage.log("slow", creating: false) } }
      defer { holdup.isOver.withLock { $0 = true } }
      #expect(await eventually { holdup.isHeld.withLock { $0 } })
      let other = Task { try await onThread { try storage.log("other", creating: true) } }
      let log = try await value(of: other, within: .seconds(20))
      #expect(log.count == 0)
      // Two that want the same one get the same.
      let second = Task { try await onThread { try storage.log("slow", creating: false) } }
      holdup.isOver.withLock { $0 = true }
      let (first, same) = (try await slow.value, try await second.value)
      #expect(first === same && first.count == 1)
    }
  }

  @Test func flushesThatDoNotReturnHoldUpNoOtherLogs() async throws {
    let directory = TemporaryDirectory()
    let names = (0..<20).map { "stuck-\($0)" } + ["quick"]
    let storage = try Storage(directory: directory.path, namespaces: names, configuration: .init(durability: .synced))
    defer { storage.close() }
    for name in names { try await storage.append("first", to: name) }
    let holdup = Holdup { $0.hasPrefix(directory.path) && $0.contains("/stuck-") }
    defer { holdup.isOver.withLock { $0 = true } }
    try await SystemCalls.withHook(holdup) {
      let stuck = (0..<20).map { number in Task { try await storage.append("second", to: "stuck-\(number)") } }
      #expect(await eventually { holdup.isHeld.withLock { $0 } })
      let quick = Task { try await storage.append("second", to: "quick") }
      let receipt = try await value(of: quick, within: .seconds(60))
      #expect(receipt.sequence == 1)
      holdup.isOver.withLock { $0 = true }
      for task in stuck {
        let receipt = try await task.value
        #expect(receipt.sequence == 1)
      }
    }
  }
}
