import Foundation
import Immuta
import ImmutaLibC
import ImmutaLocking
import ImmutaTestSupport
import Logging
import Testing

/// The log lines about logs that take long to open or have lost something, and about the state of work queues.
@Suite(.timeLimit(.minutes(2)), .serialized) struct RecoveryEventTests {
  let directory = TemporaryDirectory()
  let events = EventCollector()

  private func configuration() -> Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.logger = events.logger
    return configuration
  }

  private func open(_ namespaces: [String] = ["log"], in place: String? = nil) throws -> Storage {
    try Storage(directory: place ?? directory.path, namespaces: namespaces, configuration: configuration())
  }

  /// That each line of an event has its level and the queue's names, and that there is one.
  private func expectOne(
    _ event: StorageEvent, _ name: String, _ level: Logger.Level, saying text: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let line = try #require(await events.line(of: event), sourceLocation: sourceLocation)
    #expect(line.event == name && line.level == level, sourceLocation: sourceLocation)
    #expect(
      line.metadata["namespace"] == "log" && line.metadata["queue"] == "mails", sourceLocation: sourceLocation)
    #expect(line.message.contains(text), "\(line.message)", sourceLocation: sourceLocation)
    #expect(events.lines(of: event).count == 1, sourceLocation: sourceLocation)
  }

  private func take(_ queue: WorkQueue) async throws -> WorkQueue.Job {
    try #require(try await queue.next(timeout: .zero), "there is a job")
  }

  /// Reading a file takes long enough that its progress is told.
  private final class SlowReads: SystemCallHook {
    let path: String

    init(_ path: String) { self.path = path }

    func didCall(_ call: SystemCall, path: String) {}

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      if call == .read, path == self.path { usleep(110_000) }
      return .proceed
    }
  }

  @Test func anOpeningThatTakesLongSaysHowFarItHasCome() async throws {
    let storage = try open()
    for number in 0..<100 { try await storage.append("record \(number)", to: "log") }
    try await storage.shutdown()
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    var configuration = configuration()
    let isSlow = Lock(true)
    configuration.openingProgress = { _ in
      // Longer than what passes between two lines.
      let sleeps = isSlow.withLock { isSlow in
        defer { isSlow = false }
        return isSlow
      }
      if sleeps { usleep(5_050_000) }
    }
    let opened = try SystemCalls.withHook(SlowReads(directory.file("log.log"))) {
      try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    }
    defer { opened.close() }
    #expect(try opened.log("log").count == 100)
    let line = try #require(events.lines(of: .openingProgress).first)
    #expect(line.event == "immuta.opening_progress" && line.level == .notice)
    #expect(line.metadata["namespace"] == "log" && line.metadata["path"]?.hasSuffix("log.log") == true)
    let (done, total) = (line.metadata["done"].flatMap(Int.init), line.metadata["total"].flatMap(Int.init))
    #expect(try (0...#require(total)).contains(#require(done)) && events.lines(of: .openingProgress).count == 1)
  }

  @Test func aQuickOpeningSaysNothingOfItsProgress() async throws {
    let storage = try open()
    try await storage.append("a", to: "log")
    try await storage.shutdown()
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    try open().close()
    #expect(events.lines(of: .openingProgress).isEmpty)
  }

  @Test func aLogThatHasLostItsPartOfAStepIsTold() async throws {
    let image = TemporaryDirectory()
    let storage = try open(["a", "b"])
    defer { storage.close() }
    try await DecidedStep.make(in: storage, of: directory, image: image)
    for name in try FileManager.default.contentsOfDirectory(atPath: image.path) where name.hasPrefix("b.") {
      try FileManager.default.removeItem(atPath: image.file(name))
    }
    let opened = try open(["a"], in: image.path)
    defer { opened.close() }
    #expect(try await opened.log("a").record(at: 0).text == "x")
    let line = try #require(await events.line(of: .stepLost))
    #expect(line.event == "immuta.step_lost" && line.level == .warning && line.metadata["namespace"] == "b")
    #expect(line.metadata["path"]?.contains(".intents/a") == true && events.lines(of: .stepLost).count == 1)
  }

  @Test func jobsWhoseRecordsTheLogHasLostAreGivenAgainAndTold() async throws {
    var storage = try open()
    for number in 0..<2 { try await storage.append("\(number)", to: "log") }
    try await storage.shutdown()
    let older = try ["log.log", "log.idx"].map { ($0, try directory.bytes(of: $0)) }

    storage = try open()
    try await storage.append("2", to: "log")
    let queue = try storage.log("log").workQueue("mails")
    let jobs = [try await take(queue), try await take(queue), try await take(queue)]
    // The second one is not done: the queue's position stays before it.
    for number in [0, 2] { try await jobs[number].acknowledge() }
    try await storage.shutdown()
    for (name, bytes) in older { try directory.write(bytes, to: name) }

    storage = try open()
    defer { storage.close() }
    #expect(events.lines(of: .queueJobsRepeated).isEmpty)
    let again = try storage.log("log").workQueue("mails")
    try await expectOne(.queueJobsRepeated, "immuta.queue_jobs_repeated", .warning, saying: "are given again")
    #expect(try await take(again).record.sequence == 1)
    // Another record has the number of the one that was lost: its job is a new one.
    try await storage.append("another", to: "log")
    #expect(try await take(again).record.text == "another")
  }

  @Test func aQueueWhoseStateIsOfBeforeItWasMovedIsTold() async throws {
    let storage = try open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<3 { try await log.append("\(number)") }
    let queue = try log.workQueue("mails")
    for _ in 0..<3 { try await take(queue).acknowledge() }
    // Its position is moved, and then its state cannot be written.
    let injector = FaultInjector(directory: directory.path, .error(EIO), lasting: true) {
      $0.contains("log.consumers/mails.") && !$0.hasSuffix(".position")
    }
    await injector.run {
      await #expect(throws: ImmutaError.self) { try await queue.seek(to: .sequence(1)) }
      queue.close()
    }
    #expect(events.lines(of: .queueMoved).isEmpty)
    let moved = try log.workQueue("mails")
    defer { moved.close() }
    try await expectOne(.queueMoved, "immuta.queue_moved", .warning, saying: "before it was moved")
    #expect(try await take(moved).record.sequence == 1)
  }

  @Test func whatAQueueCannotRemoveIsTold() async throws {
    let storage = try open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<10 { try await log.append("\(number)") }
    let queue = try log.workQueue("mails")
    defer { queue.close() }
    for _ in 0..<5 { try await take(queue).acknowledge() }
    let injector = FaultInjector(directory: directory.path, .error(EACCES), of: .unlink, lasting: true) {
      $0.contains("log.consumers/") && !$0.contains("/next")
    }
    try await injector.run {
      try await queue.seek(to: .beginning)
      try await expectOne(
        .queueRemovalFailed, "immuta.queue_removal_failed", .warning, saying: "need not keep could not be removed")
    }
    // The queue works on.
    #expect(try await take(queue).record.sequence == 0)
  }

  @Test func aQueueThatCannotBeClosedInGoodOrderIsTold() async throws {
    let storage = try open()
    let log = try storage.log("log")
    for number in 0..<3 { try await log.append("\(number)") }
    let queue = try log.workQueue("mails")
    try await take(queue).acknowledge()
    let injector = FaultInjector(directory: directory.path, .error(EIO), of: .flush, lasting: true) {
      $0.contains("log.consumers/")
    }
    try await injector.run {
      queue.close()
      try await expectOne(.queueCloseFailed, "immuta.queue_close_failed", .error, saying: "may be given again")
    }
    storage.close()
  }
}
