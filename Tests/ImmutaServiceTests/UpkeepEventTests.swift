import Immuta
import ImmutaCodable
import ImmutaLibC
import ImmutaTestSupport
import Logging
import Testing

/// The log lines about a storage's clock, its segments, and the work that is done beside its appends.
@Suite(.timeLimit(.minutes(2)), .serialized) struct UpkeepEventTests {
  let directory = TemporaryDirectory()
  let events = EventCollector()

  private func configuration() -> Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.logger = events.logger
    return configuration
  }

  private func open(
    _ configuration: Storage.Configuration, _ namespaces: [String] = ["log"], in place: String? = nil
  ) throws -> Storage {
    try Storage(directory: place ?? directory.path, namespaces: namespaces, configuration: configuration)
  }

  @Test func timesThatCannotBeRightAreToldByTheOpeningAndByAnAppend() async throws {
    try await Clocks.withWallClock(off: 10 * 365 * 86_400 * 1_000_000_000) {
      let storage = try open(.init())
      try await storage.append("a", to: "log")
      try await storage.shutdown()
    }
    let storage = try open(configuration())
    defer { storage.close() }
    let told = try #require(events.lines(of: .clockDoubted).first)
    #expect(told.level == .warning && told.metadata["namespace"] == "log")
    #expect(told.metadata["path"]?.hasSuffix("log.log") == true)
    let count = events.lines(of: .clockDoubted).count
    try await storage.append("b", to: "log")
    #expect(await eventually { events.lines(of: .clockDoubted).count > count })
    #expect(events.lines(of: .clockDoubted).allSatisfy { $0.level == .warning && $0.metadata["namespace"] == "log" })
  }

  @Test func aRollThatFailsIsTold() async throws {
    var configuration = configuration()
    configuration.segments.maximumAge = .milliseconds(100)
    let storage = try open(configuration)
    defer { storage.close() }
    let injector = FaultInjector(directory: directory.path, .error(EIO), of: .rename, lasting: true)
    try await injector.run {
      try await storage.append("a", to: "log")
      let line = try #require(await events.line(of: .rollFailed))
      #expect(line.level == .warning && line.metadata["namespace"] == "log")
      #expect(events.lines(of: .rolled).isEmpty)
    }
    // It is tried again.
    #expect(await events.line(of: .rolled) != nil)
  }

  @Test func whatCannotBeRemovedIsTold() async throws {
    var configuration = configuration()
    configuration.segments.maximumBytes = 1000
    configuration.retention.maximumRecords = 10
    let storage = try open(configuration)
    defer { storage.close() }
    let injector = FaultInjector(directory: directory.path, .error(EACCES), of: .unlink, lasting: true) {
      $0.contains(".segments/") && !$0.contains("next")
    }
    try await injector.run {
      for _ in 0..<100 { try await storage.append(String(repeating: "a", count: 100), to: "log") }
      let line = try #require(await events.line(of: .removalFailed))
      #expect(line.level == .warning && line.metadata["namespace"] == "log")
    }
  }

  @Test func aConsumerWhosePositionCannotBeReadIsToldOnce() async throws {
    let storage = try open(.init())
    try storage.log("log").consumer("slow").close()
    try await storage.shutdown()
    let size = try directory.bytes(of: "log.consumers/slow.position").count
    try directory.write(Array(repeating: 0xff, count: size), to: "log.consumers/slow.position")

    var configuration = configuration()
    configuration.segments.maximumBytes = 1000
    configuration.retention.maximumRecords = 10
    configuration.retention.waitingFor = ["slow"]
    let reopened = try open(configuration)
    defer { reopened.close() }
    for _ in 0..<100 { try await reopened.append(String(repeating: "a", count: 100), to: "log") }
    let line = try #require(await events.line(of: .consumerUnreadable))
    #expect(line.level == .warning && line.metadata["namespace"] == "log" && line.metadata["consumer"] == "slow")
    try await Task.sleep(for: .milliseconds(50))
    #expect(events.lines(of: .consumerUnreadable).count == 1 && events.lines(of: .removed).isEmpty)
  }

  @Test func jobsThatRetentionRemovesAreTold() async throws {
    let storage = try open(configuration())
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<20 { try await log.append("\(number)") }
    try await log.roll()
    try await log.append("20")
    let jobs = try log.workQueue("mails")
    defer { jobs.close() }
    try await log.removeRecords(before: 20)
    let job = try #require(try await jobs.next(timeout: .zero))
    #expect(job.record.sequence == 20)
    let line = try #require(await events.line(of: .queueJobsRemoved))
    #expect(line.level == .warning && line.metadata["namespace"] == "log" && line.metadata["queue"] == "mails")
    #expect(line.message.contains("20 jobs"))
  }

  @Test func aSnapshotThatIsDroppedIsTold() async throws {
    let storage = try open(configuration())
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("a")
    let count = try log.projection(named: "count", initial: 0) { (count: inout Int, _: Record) in count += 1 }
    try await count.catchUp()
    try await count.save()
    #expect(events.lines(of: .projection).isEmpty)
    _ = try log.projection(named: "count", initial: 0, version: 2) { (count: inout Int, _: Record) in count += 1 }
    let line = try #require(await events.line(of: .projection))
    #expect(line.level == .notice && line.metadata["namespace"] == "log" && line.message.contains("version 2"))
  }

  @Test func aLogThatIsReadOnlySaysWhatItsOpeningFound() async throws {
    var configuration = configuration()
    configuration.format = .bilog
    let storage = try open(configuration)
    for number in 0..<3 { try await storage.append("record \(number)", to: "log") }
    try await storage.shutdown()
    #expect(events.all.isEmpty)
    // The last record was not written to its end.
    let copy = try directory.subdirectory("copy")
    try FileBytes.write(directory.bytes(of: "log.bilog").dropLast(), to: "\(copy)/log.bilog")
    configuration.access = .readOnly
    let opened = try open(configuration, in: copy)
    defer { opened.close() }
    let line = try #require(await events.line(of: .opened))
    #expect(line.level == .notice && line.metadata["namespace"] == "log")
    #expect(line.metadata["path"]?.hasSuffix("copy/log.bilog") == true)
    #expect(events.lines(of: .recovered).isEmpty)
  }

  @Test func aStepThatWasCutOffIsFinishedAndTold() async throws {
    let image = TemporaryDirectory()
    let storage = try open(.init(), ["a", "b"])
    defer { storage.close() }
    try await DecidedStep.make(in: storage, of: directory, image: image)
    let opened = try open(configuration(), ["a", "b"], in: image.path)
    defer { opened.close() }
    #expect(try await opened.log("b").record(at: 0).text == "x")
    let line = try #require(await events.line(of: .stepFinished))
    #expect(line.level == .notice && line.metadata["path"]?.contains(".intents/a") == true)
    #expect(line.message.contains("a, b") && events.lines(of: .stepFinished).count == 1)
  }
}
