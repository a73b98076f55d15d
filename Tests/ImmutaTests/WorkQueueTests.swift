import Foundation
import ImmutaLocking
import ImmutaTestSupport
import Testing

@testable import Immuta

/// A work queue gives each job to one worker at a time, and again until it is done.
@Suite(.timeLimit(.minutes(2))) struct WorkQueueTests {
  /// A log with so many records, `0`, `1` and so on, and an empty one for dead letters; open.
  private func open(
    _ directory: TemporaryDirectory, appending count: Int = 0, _ durability: Durability = .buffered
  ) async throws -> Storage {
    let storage = try Storage(
      directory: directory.path, namespaces: ["log", "dead"], configuration: .init(durability: durability))
    let log = try storage.log("log")
    if count > 0 { try await log.append(contentsOf: (0..<count).map { "\(log.count + $0)" }) }
    return storage
  }

  private func take(_ jobs: WorkQueue) async throws -> WorkQueue.Job {
    try #require(try await jobs.next(timeout: .zero), "there is a job")
  }

  private func take(_ count: Int, _ jobs: WorkQueue) async throws -> [WorkQueue.Job] {
    var taken: [WorkQueue.Job] = []
    for _ in 0..<count { taken.append(try await take(jobs)) }
    return taken
  }

  private let long = WorkQueue.Configuration(lease: .seconds(600))
  private let short = WorkQueue.Configuration(lease: .milliseconds(20))

  // MARK: Giving jobs

  @Test func eachJobIsGivenOnceAndInOrderWhileItsLeaseHolds() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 5)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    let taken = try await take(5, jobs)
    #expect(taken.map(\.record.text) == ["0", "1", "2", "3", "4"] && taken.allSatisfy { $0.deliveries == 1 })
    #expect(try await jobs.next(timeout: .zero) == nil)
    #expect(jobs.position == 0 && jobs.lag == 5)
    for number in [3, 0, 4] { try await taken[number].acknowledge() }
    #expect(jobs.position == 1)
    try await taken[1].acknowledge()
    try await taken[2].acknowledge()
    #expect(jobs.position == 5 && jobs.lag == 0)
    #expect(try storage.log("log").consumers.map(\.position) == [5])
    #expect(try storage.log("log").consumers.map(\.isWorkQueue) == [true])
  }

  @Test func withoutDeadLettersNoJobIsRejected() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    let job = try #require(try await take(1, jobs).first)
    await #expect(throws: ImmutaError.self) { try await job.reject("it is of no use") }
    // It is still this worker's.
    #expect(try await jobs.next(timeout: .zero) == nil)
    try await job.acknowledge()
  }

  @Test func manyWorkersShareTheJobs() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 2000)
    defer { storage.close() }
    let log = try storage.log("log")
    let jobs = try log.workQueue("resize", long)
    let done = Box<[Int]>([])
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<16 {
        group.addTask {
          do {
            for try await job in jobs {
              if worker % 3 == 0 { await Task.yield() }
              done.withLock { $0.append(job.record.sequence) }
              try await job.acknowledge()
            }
          } catch {
            #expect(error as? ImmutaError == .consumerClosed("resize"))
          }
        }
      }
      // Half of them come while workers wait.
      for number in 2000..<4000 {
        _ = try? await log.append("\(number)")
        if number % 100 == 0 { await Task.yield() }
      }
      #expect(await eventually { jobs.position == 4000 })
      jobs.close()
    }
    #expect(done.withLock { $0.sorted() } == Array(0..<4000), "each once")
  }

  @Test func aWorkerThatWaitsGetsARecordThatIsAppended() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    let jobs = try log.workQueue("resize", long)
    let worker = Task { try await jobs.next() }
    #expect(await eventually { jobs.state.withLock { !$0.line.isEmpty && $0.watch != nil } })
    #expect(jobs.state.withLock { $0.timers.isEmpty }, "an idle queue has no timer")
    try await log.append("now")
    #expect(try await value(of: worker)?.record.text == "now")
    #expect(try await jobs.next(timeout: .milliseconds(5)) == nil)
    #expect(jobs.state.withLock { $0.line.isEmpty && $0.watch == nil }, "nobody waits, nothing is watched")
  }

  @Test func aCancelledWorkerTakesNoJobWithIt() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    let jobs = try log.workQueue("resize", long)
    for round in 0..<50 {
      let workers = (0..<4).map { _ in Task { try await jobs.next() } }
      #expect(await eventually { jobs.state.withLock { !$0.line.isEmpty } })
      async let cancelling: Void = { for worker in workers.dropLast() { worker.cancel() } }()
      try await log.append("\(round)")
      await cancelling
      var taken: [WorkQueue.Job] = []
      for worker in workers.dropLast() { if let job = try? await worker.value { taken.append(job) } }
      workers[3].cancel()
      if let job = try? await workers[3].value { taken.append(job) }
      // It may just be on its way back from workers that are gone.
      if taken.isEmpty { taken = [try #require(try await jobs.next(timeout: .seconds(60)))] }
      #expect(taken.map(\.record.sequence) == [round])
      try await taken[0].acknowledge()
    }
  }

  /// In `.synced` nobody is told of a change that a power cut could take back.
  @Test func whatIsToldIsOnStableStorage() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 5, .synced)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    let injector = FaultInjector(directory: directory.path)
    func demandFlush<Result>(_ what: Comment, _ change: () async throws -> Result) async throws -> Result {
      let before = injector.count(.flush, of: "log.consumers/resize.log")
      let result = try await change()
      #expect(injector.count(.flush, of: "log.consumers/resize.log") > before, what)
      return result
    }
    try await injector.run {
      var taken: [WorkQueue.Job] = []
      for _ in 0..<3 { taken.append(try await demandFlush("a job is given") { try await take(jobs) }) }
      try await demandFlush("a job is done") { try await taken[1].acknowledge() }
      try await demandFlush("a job is given back") { try await taken[0].retry(after: .seconds(60)) }
      try await demandFlush("a job is done, whoever has it") { try await jobs.acknowledge(sequence: 2) }
      _ = try await demandFlush("a job is to wait") { try await jobs.append("later", after: .seconds(60)) }
      try await demandFlush("the queue is moved") { try await jobs.seek(to: .sequence(3)) }
    }
  }

  // MARK: Leases

  @Test func aJobWhoseLeaseRanOutIsGivenToAWorkerThatWaits() async throws {
    let directory = TemporaryDirectory()
    // Here nothing has to be looked at later: only the lease's timer wakes the worker.
    let storage = try await open(directory, appending: 1, .synced)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", short)
    let first = try await take(jobs)
    let second = try #require(try await value(of: Task { try await jobs.next() }, within: .seconds(20)))
    #expect(second.record.sequence == 0 && second.deliveries == 2)
    #expect(await error { try await first.acknowledge() } == .leaseLost(sequence: 0, queue: "resize"))
    #expect(await error { try await first.retry() } == .leaseLost(sequence: 0, queue: "resize"))
    #expect(await error { try first.extend() } == .leaseLost(sequence: 0, queue: "resize"))
    try await second.acknowledge()
    #expect(jobs.position == 1)
    // It is done: saying so again does no harm.
    try await first.acknowledge()
    try await second.acknowledge()
    #expect(await error { try await second.retry() } == .leaseLost(sequence: 0, queue: "resize"))
  }

  @Test func whoIsLateAndTheOnlyOneMayStillAcknowledge() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 2)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", .init(lease: .nanoseconds(1)))
    let first = try await take(jobs)
    try await first.acknowledge()
    #expect(jobs.position == 1)
  }

  @Test func anExtendedLeaseHolds() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", short)
    let first = try await take(jobs)
    try first.extend(.seconds(600))
    #expect(try await jobs.next(timeout: .milliseconds(60)) == nil)
    try await first.acknowledge()
    #expect(jobs.position == 1)
  }

  @Test func aJobThatIsGivenBackWaitsForAsLongAsItShould() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 2)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    let start = ContinuousClock.now
    try await take(jobs).retry(after: .milliseconds(40))
    // Others go on meanwhile.
    let other = try await take(jobs)
    #expect(other.record.sequence == 1)
    try await other.retry()
    let again = try await take(jobs)
    #expect(again.record.sequence == 1 && again.deliveries == 2)
    let first = try #require(try await jobs.next())
    #expect(first.record.sequence == 0 && first.deliveries == 2 && ContinuousClock.now - start >= .milliseconds(40))
  }

  // MARK: Dead letters

  @Test func whatIsGivenTooOftenGoesToTheDeadLettersWithItsReason() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let (log, dead) = (try storage.log("log"), try storage.log("dead"))
    let payload: [UInt8] = [10, 10, 0, 255, 10]
    try await log.append(payload)
    try await log.append("fine")
    try await log.append([UInt8](repeating: 7, count: 300_000))
    let jobs = try log.workQueue("resize", .init(lease: .milliseconds(20), maximumDeliveries: 2, deadLetters: dead))
    try await take(jobs).retry(because: "not yet")
    try await take(jobs).retry(after: .seconds(5), because: "no such\nimage")
    #expect(dead.count == 1 && jobs.position == 1)
    let letter = try #require(DeadLetter(try await dead.record(at: 0)))
    #expect(letter.queue == "resize" && letter.namespace == "log" && letter.identity == log.identity)
    #expect(letter.sequence == 0 && letter.deliveries == 2 && letter.reason == "no such\\u{a}image")
    #expect(Array(letter.payload) == payload)
    let appended = try await log.record(at: 0).timestamp
    #expect(letter.appended == "\(appended)")
    #expect(DeadLetter(try await log.record(at: 1)) == nil)

    let fine = try await take(jobs)
    try await fine.reject("never")
    #expect(DeadLetter(try await dead.record(at: 1))?.reason == "never" && jobs.position == 2)
    // Nobody gives it back: its lease runs out, as often as it may be given.
    #expect(try await take(jobs).deliveries == 1)
    #expect(try #require(try await jobs.next()).deliveries == 2)
    #expect(try await jobs.next(timeout: .milliseconds(100)) == nil)
    #expect(dead.count == 3 && jobs.position == 3)
    let last = try #require(DeadLetter(try await dead.record(at: 2)))
    #expect(last.deliveries == 2 && last.payload.count == 300_000 && last.payload.allSatisfy { $0 == 7 })
  }

  @Test func aJobStaysWhereTheDeadLettersCannotTakeIt() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 2)
    defer { storage.close() }
    let (log, dead) = (try storage.log("log"), try storage.log("dead"))
    let jobs = try log.workQueue("resize", .init(lease: .seconds(600), maximumDeliveries: 1, deadLetters: dead))
    let job = try await take(jobs)
    storage.close("dead")
    #expect(await error { try await job.retry() } == .storageClosed)
    // The other jobs go on.
    #expect(try await take(jobs).record.sequence == 1)
    #expect(jobs.position == 0)
    jobs.close()
    let again = try log.workQueue(
      "resize", .init(maximumDeliveries: 1, deadLetters: try storage.log("dead", creating: true)))
    #expect(try await again.next(timeout: .zero) == nil)
    #expect(try again.position == 2 && storage.log("dead").count == 2, "both had been given as often as they may be")
  }

  @Test func configurationsThatMakeNoSenseAreRefused() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let (log, dead) = (try storage.log("log"), try storage.log("dead"))
    for configuration in [
      WorkQueue.Configuration(lease: .zero), .init(maximumDeliveries: 0, deadLetters: dead),
      .init(maximumDeliveries: 3),
      .init(deadLetters: log),
    ] {
      guard case .invalidConfiguration = await error({ _ = try log.workQueue("resize", configuration) }) else {
        Issue.record("it was taken")
        continue
      }
    }
    #expect(await error { _ = try log.workQueue("a/b") } == .invalidConsumer("a/b"))
    #expect(await error { _ = try log.workQueue("resize", creating: false) } == .consumerNotFound("resize"))
    #expect(!directory.exists("log.consumers/resize.position"))
  }

  // MARK: Delayed jobs

  @Test func aJobThatIsAppendedForLaterWaitsAlsoOverAnotherOpening() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 1)
      defer { storage.close() }
      let jobs = try storage.log("log").workQueue("resize", long)
      #expect(try await jobs.append("later", after: .seconds(3600)).sequence == 1)
      #expect(try await jobs.append("soon", after: .milliseconds(30)).sequence == 2)
      #expect(try await take(jobs).record.text == "0")
      let soon = try #require(try await jobs.next())
      #expect(soon.record.text == "soon" && soon.deliveries == 1)
      #expect(try await jobs.next(timeout: .zero) == nil)
      try await soon.acknowledge()
    }
    // By the clock of the machine.
    try await Clocks.withWallClock(off: 3_599_000_000_000) {
      let storage = try await open(directory)
      defer { storage.close() }
      let jobs = try storage.log("log").workQueue("resize", long)
      #expect(try await take(jobs).record.text == "0")
      #expect(try await jobs.next(timeout: .zero) == nil)
      let later = try #require(try await jobs.next(timeout: .seconds(60)))
      #expect(later.record.text == "later" && later.deliveries == 1)
    }
    do {
      let storage = try await open(directory)
      defer { storage.close() }
      let jobs = try storage.log("log").workQueue("resize", long)
      let taken = try await take(2, jobs)
      #expect(taken.map(\.record.text) == ["0", "later"])
      try await taken[0].retry(after: .milliseconds(300))
    }
    // A clock that went back delays no job for longer than was asked.
    try await Clocks.withWallClock(off: -1_000_000_000_000_000) {
      let storage = try await open(directory)
      defer { storage.close() }
      let jobs = try storage.log("log").workQueue("resize", long)
      let texts = [try await jobs.next()?.record.text, try await jobs.next(timeout: .seconds(60))?.record.text]
      #expect(Set(texts) == ["0", "later"])
    }
  }

  @Test func aRecordMaySayWhenItIsDue() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    let now = Timestamp.now.nanosecondsSince1970
    let configuration = WorkQueue.Configuration { record in
      Int64(record.text).map(Timestamp.init(nanosecondsSince1970:))
    }
    for due in ["\(now + 3_600_000_000_000)", "at once", "\(now + 1_500_000_000)", "\(now - 1)"] {
      try await log.append(due)
    }
    var jobs = try log.workQueue("resize", configuration)
    #expect(try await take(jobs).record.sequence == 1)
    #expect(try await take(jobs).record.sequence == 3)
    #expect(try #require(try await jobs.next()).record.sequence == 2)
    #expect(try await jobs.next(timeout: .zero) == nil)
    jobs.close()
    // Asked again: another answer counts.
    jobs = try log.workQueue("resize", long)
    let taken = try await take(4, jobs)
    #expect(taken.map(\.record.sequence).sorted() == [0, 1, 2, 3])
    #expect(taken.first { $0.record.sequence == 0 }?.deliveries == 1)
  }

  /// Another record got the number that a job for later was about to get.
  @Test func aRecordThatWasNotTheOneMeantIsGivenAtOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let log = try storage.log("log")
    do {
      let jobs = try log.workQueue("resize", long)
      // As a process leaves it that dies before the record is committed.
      try jobs.state.withLock { state in
        for (number, text) in [(1, "meant"), (2, "other")] {
          var event = QueueEvent(
            kind: .planned, number: number, time: Int64(WorkQueue.checksum(of: Array(text.utf8))))
          (event.due, event.delay) = (.max, .max)
          try state.jobs.append(event)
        }
      }
      jobs.close()
    }
    try await log.append("meant")
    try await log.append("mine")
    let jobs = try log.workQueue("resize", long)
    #expect(try await take(2, jobs).map(\.record.text) == ["0", "mine"])
    #expect(try await jobs.next(timeout: .zero) == nil)
  }

  // MARK: What survives

  @Test(arguments: [Durability.buffered, .synced, .interval(.milliseconds(5))])
  func whatIsDoneAndHowOftenJobsWereGivenSurvivesTheProcess(_ durability: Durability) async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 3000, durability)
      defer { storage.close() }
      let jobs = try storage.log("log").workQueue("resize", long)
      let taken = try await take(2500, jobs)
      for job in taken where job.record.sequence % 5 != 2 { try await job.acknowledge() }
      try await taken[2].retry()
      #expect(try await take(jobs).deliveries == 2)
      #expect(jobs.position == 2)
    }
    // Leases end with the process: what was in work is given again.
    let storage = try await open(directory, durability)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    #expect(jobs.position == 2)
    var taken = try await take(500, jobs)
    #expect(taken.map(\.record.sequence) == Array(stride(from: 2, to: 2500, by: 5)))
    #expect(taken.map(\.deliveries) == [3] + [Int](repeating: 2, count: 499))
    taken.append(try await take(jobs))
    #expect(taken.last?.record.sequence == 2500 && taken.last?.deliveries == 1)
  }

  @Test func theStateDoesNotGrowWithTheJobsThatAreDone() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 2000)
    defer { storage.close() }
    let log = try storage.log("log")
    var configuration = long
    configuration.eventsOfASegment = 100
    var jobs = try log.workQueue("resize", configuration)
    let held = try await take(3, jobs)
    for _ in 0..<1990 { try await take(jobs).acknowledge() }
    try await held[1].acknowledge()
    #expect(
      await eventually {
        let names =
          (try? FileManager.default.contentsOfDirectory(atPath: directory.file("log.consumers/resize.segments")))
        return (names ?? []).filter { $0.hasSuffix(".log") && !$0.hasPrefix("next") }.count <= 2
      }, "segments of the state log are removed")
    jobs.close()
    jobs = try log.workQueue("resize", configuration)
    let taken = try await take(9, jobs)
    #expect(taken.map(\.record.sequence) == [0, 2] + Array(1993..<2000))
    #expect(taken.map(\.deliveries) == [2, 2, 1, 1, 1, 1, 1, 1, 1])
    jobs.close()
    try log.removeConsumer("resize")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("log.consumers")).isEmpty)
  }

  @Test func aLogIsRemovedWithItsQueues() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 500)
    defer { storage.close() }
    var configuration = long
    configuration.eventsOfASegment = 50
    let jobs = try storage.log("log").workQueue("resize", configuration)
    for _ in 0..<400 { try await take(jobs).acknowledge() }
    #expect(directory.exists("log.consumers/resize.segments"))
    try storage.remove("log")
    #expect(!directory.exists("log.consumers") && !directory.exists("log.log"))
    #expect(await error { _ = try await jobs.next() } == .consumerClosed("resize"))
  }

  // MARK: After a restart of the machine, and with other logs

  private func positionFile(_ directory: TemporaryDirectory, _ change: (inout ConsumerMark) -> Void) throws {
    let name = "log.consumers/resize.position"
    var mark = try directory.mark(of: name)
    change(&mark)
    try directory.write(mark, to: name)
  }

  @Test func afterARestartOfTheMachineOnlyWhatWasStableIsDone() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    let log = try storage.log("log")
    try await log.sync()
    try await log.append(contentsOf: (10..<20).map(String.init))
    do {
      let jobs = try log.workQueue("resize", long)
      let taken = try await take(20, jobs)
      for number in [4, 5, 9, 10, 15] { try await taken[number].acknowledge() }
      // As if the machine had stopped: the log is not put on stable storage by closing it.
      jobs.close()
    }
    try positionFile(directory) { $0.bootIdentity ^= 1 }
    let jobs = try log.workQueue("resize", long)
    let taken = try await take(17, jobs)
    #expect(taken.map(\.record.sequence) == [0, 1, 2, 3, 6, 7, 8] + Array(10..<20))
    #expect(taken.map(\.deliveries) == [Int](repeating: 2, count: 7) + [Int](repeating: 1, count: 10))
    // From now on it is this run of the machine.
    try await taken[10].acknowledge()
    jobs.close()
    let again = try log.workQueue("resize", long)
    #expect(try await take(16, again).map(\.record.sequence) == [0, 1, 2, 3, 6, 7, 8, 10, 11, 12] + Array(14..<20))
    storage.close()
  }

  /// The log was put back from an older copy, and has grown: its records have the numbers of others that are done.
  @Test func aRecordInThePlaceOfOneThatIsDoneIsNotDone() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 5)
      storage.close()
    }
    let old = try ["log.log", "log.idx"].map { ($0, try directory.bytes(of: $0)) }
    do {
      let storage = try await open(directory, appending: 5)
      defer { storage.close() }
      let jobs = try storage.log("log").workQueue("resize", long)
      for job in try await take(10, jobs) where job.record.sequence >= 2 { try await job.acknowledge() }
    }
    for (name, bytes) in old { try directory.write(bytes, to: name) }
    let storage = try await open(directory, appending: 5)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    let taken = try await take(7, jobs)
    #expect(taken.map(\.record.sequence) == [0, 1] + Array(5..<10))
    #expect(taken.map(\.deliveries) == [2, 2, 1, 1, 1, 1, 1])
    #expect(try await jobs.next(timeout: .zero) == nil)
  }

  // MARK: When something is wrong

  @Test(arguments: ["missing", "cut", "changed", "no event", "version", "other log"])
  func aStateThatIsDamagedOrAnothersIsAnErrorAndNotTheBeginning(damage: String) async throws {
    let directory = TemporaryDirectory()
    let file = "log.consumers/resize.log"
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    do {
      let jobs = try log.workQueue("resize", long)
      for job in try await take(10, jobs) where job.record.sequence != 3 { try await job.acknowledge() }
      jobs.close()
    }
    func append(_ bytes: [UInt8]) throws {
      let state = try Storage(directory: directory.file("log.consumers"), namespaces: ["resize"])
      defer { state.close() }
      try state.log("resize").append(bytes)
    }
    switch damage {
    case "missing": for name in [file, "log.consumers/resize.idx"] { try directory.remove(name) }
    case "cut": try directory.write(Array(directory.bytes(of: file).prefix(100)), to: file)
    case "changed":
      var bytes = try directory.bytes(of: file)
      bytes[60] ^= 1
      try directory.write(bytes, to: file)
    case "no event": try append([1, 2, 3])
    case "version": try append([1, 0, 0, 0, 9, 0, 0, 0])
    default:
      let foreign = QueueHeader(
        identity: .random(), queue: 3, front: ConsumerMark.Place(0), stable: 0, blocks: 0)
      try append(foreign.encoded)
    }
    let failure = await error { _ = try log.workQueue("resize", long) }
    switch failure {
    case .corrupted(let corruption) where !["version", "other log"].contains(damage):
      #expect(corruption.reason.code == .queueState && corruption.path.contains("log.consumers/resize"))
      #expect("\(corruption)".contains("seek"))
    case .unsupportedVersion(let found) where damage == "version":
      #expect(found.subject == .queueState && found.found == 9 && found.supported == 1)
    case .foreignPosition where damage == "other log": break
    default: Issue.record("\(String(describing: failure))")
    }
    // Somebody says where it goes on.
    try log.seekConsumer("resize", to: .sequence(4))
    #expect(try log.consumers.map(\.position) == [4])
    let jobs = try log.workQueue("resize", long)
    #expect(try await take(6, jobs).map(\.record.sequence) == Array(4..<10))
  }

  @Test func aNameIsAConsumersOrAWorkQueues() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let log = try storage.log("log")
    let jobs = try log.workQueue("resize", long)
    guard case .consumerInUse(let owner) = await error({ _ = try log.workQueue("resize", long) }) else {
      Issue.record("two have the queue")
      return
    }
    #expect(owner.consumer == "resize" && owner.processID == ProcessInfo.processInfo.processIdentifier)
    jobs.close()
    #expect(await error { _ = try log.consumer("resize") } == .otherKindOfConsumer("resize", isWorkQueue: true))
    try log.consumer("billing").close()
    #expect(await error { _ = try log.workQueue("billing") } == .otherKindOfConsumer("billing", isWorkQueue: false))
    // Neither was taken by that.
    #expect(try log.consumer("billing").position == 0)
    #expect(try await take(try log.workQueue("resize", long)).deliveries == 1)
    #expect(try log.consumers.map(\.isWorkQueue) == [false, true])
  }

  @Test func closingEndsWaitingAndWhatAWorkerHas() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    let log = try storage.log("log")
    let jobs = try log.workQueue("resize", long)
    let job = try await take(jobs)
    let waiting = Task { try await jobs.next() }
    #expect(await eventually { jobs.state.withLock { !$0.line.isEmpty } })
    storage.close()
    let failure = await error { _ = try await value(of: waiting) }
    #expect(failure == .consumerClosed("resize") || failure == .storageClosed)
    #expect(await error { try await job.acknowledge() } == .consumerClosed("resize"))
    let again = try await open(directory)
    defer { again.close() }
    let taken = try await take(try again.log("log").workQueue("resize", long))
    #expect(taken.record.sequence == 0 && taken.deliveries == 2)
  }

  @Test func aQueueThatNobodyHoldsIsFree() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let log = try storage.log("log")
    do {
      let jobs = try log.workQueue("resize", long)
      #expect(try await jobs.next(timeout: .milliseconds(1)) != nil)
      #expect(try await jobs.next(timeout: .milliseconds(1)) == nil)
    }
    #expect(await eventually { (try? log.workQueue("resize", long)) != nil })
  }

  /// The queue's process need not be the one that appends.
  @Test func aQueueWorksOnALogThatAnotherOneWrites() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1)
    defer { storage.close() }
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    let jobs = try reading.log("log").workQueue("resize", long)
    try await take(jobs).acknowledge()
    let waiting = Task { try await jobs.next() }
    try await storage.append("1", to: "log")
    let job = try #require(try await value(of: waiting))
    #expect(job.record.text == "1")
    try await job.acknowledge()
    #expect(jobs.position == 2)
    #expect(await error { try await jobs.append("2", after: .seconds(1)) } == .readOnly)
  }

  @Test func aDamagedJobIsToldAndCanBePassed() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 5)
      storage.close()
    }
    var bytes = try directory.bytes(of: "log.log")
    bytes[16 + 9 * 2 + 8] ^= 1
    try directory.write(bytes, to: "log.log")
    let storage = try await open(directory)
    defer { storage.close() }
    let jobs = try storage.log("log").workQueue("resize", long)
    for job in try await take(2, jobs) { try await job.acknowledge() }
    for _ in 0..<2 {
      guard case .corrupted = await error({ _ = try await jobs.next() }) else {
        Issue.record("a damaged job was given, or passed in silence")
        return
      }
    }
    try await jobs.acknowledge(sequence: 2)
    #expect(try await take(2, jobs).map(\.record.sequence) == [3, 4])
    #expect(await error { try await jobs.acknowledge(sequence: 5) } == .recordNotFound(5))
  }

  @Test func retentionWaitsForAQueue() async throws {
    let directory = TemporaryDirectory()
    var configuration = Storage.Configuration()
    configuration.retention = Retention(maximumRecords: 10, waitingFor: ["resize"])
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    let jobs = try log.workQueue("resize", long)
    for _ in 0..<4 {
      try await log.append(contentsOf: (0..<10).map { "\(log.count + $0)" })
      try await log.roll()
    }
    var taken = try await take(30, jobs)
    for job in taken.dropFirst() { try await job.acknowledge() }
    #expect(log.firstSequence == 0)
    try await taken.removeFirst().acknowledge()
    #expect(await eventually { log.firstSequence >= 20 })
    #expect(log.firstSequence <= 30)
  }
}
