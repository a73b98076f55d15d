import Foundation
import ImmutaLocking
import ImmutaTestSupport
import Logging
import Testing

@testable import Immuta

/// A work queue goes on elsewhere: where somebody moves it to, and after records that were removed.
@Suite(.timeLimit(.minutes(2))) struct WorkQueueMovingTests {
  /// A log of 40 records in segments of 10; open.
  private static func open(
    _ directory: TemporaryDirectory, _ durability: Durability = .buffered, _ lines: Box<[String]> = Box([])
  ) async throws -> (Storage, Log) {
    var configuration = Storage.Configuration(durability: durability)
    configuration.logger = Logger(label: "test") { _ in CollectingHandler(lines: lines) }
    let storage = try Storage(
      directory: directory.path, namespaces: ["log", "dead"], configuration: configuration)
    let log = try storage.log("log")
    while log.count < 40 {
      try await log.append(contentsOf: (0..<10).map { "\(log.count + $0)" })
      if log.count < 40 { try await log.roll() }
    }
    return (storage, log)
  }

  private static let long = WorkQueue.Configuration(lease: .seconds(600))

  private static func take(_ jobs: WorkQueue) async throws -> WorkQueue.Job {
    try #require(try await jobs.next(timeout: .zero), "there is a job")
  }

  private static func rest(_ jobs: WorkQueue) async throws -> [Int] {
    var numbers: [Int] = []
    while let job = try await jobs.next(timeout: .zero) { numbers.append(job.record.sequence) }
    return numbers
  }

  private static func said(_ lines: Box<[String]>) -> Int {
    lines.withLock { $0.count { $0.contains("nobody has done") } }
  }

  // MARK: Removed records

  @Test(arguments: [Durability.buffered, .synced]) func jobsWhoseRecordsWereRemovedArePassed(
    _ durability: Durability
  ) async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    do {
      let (storage, log) = try await Self.open(directory, durability, lines)
      defer { storage.close() }
      let jobs = try log.workQueue("resize", Self.long)
      // Of the first twelve, one is done, one was given back, one is to wait, and the others are in work.
      var taken: [WorkQueue.Job] = []
      for _ in 0..<12 { taken.append(try await Self.take(jobs)) }
      try await taken[3].acknowledge()
      try await taken[4].retry(after: .seconds(600))
      try await taken[5].retry()
      try await log.removeRecords(before: 20)
      #expect(try await Self.take(jobs).record.sequence == 20)
      // 4 and 5, and the eight after those that were given.
      #expect(jobs.removedCount == 10)
      #expect(Self.said(lines) == 1)
      // Who has one may be done with it.
      for number in [0, 11, 7] { try await taken[number].acknowledge() }
      #expect(jobs.position == 1)
      // Nobody is given one that comes back.
      for number in [1, 2] { try await taken[number].retry() }
      #expect(try await Self.take(jobs).record.sequence == 21)
      #expect(jobs.removedCount == 12 && jobs.position == 6)
      for number in [6, 8, 9, 10] { try await taken[number].acknowledge() }
      #expect(jobs.position == 20 && jobs.lag == 20)
    }
    // Nobody is told again.
    lines.withLock { $0 = [] }
    let (storage, log) = try await Self.open(directory, durability, lines)
    defer { storage.close() }
    let jobs = try log.workQueue("resize", Self.long)
    #expect(jobs.position == 20 && jobs.removedCount == 0)
    #expect(try await Self.rest(jobs) == Array(20..<40))
    #expect(Self.said(lines) == 0)
  }

  @Test func jobsWhoseRecordsWereRemovedWhileNobodyHadTheQueueArePassed() async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    for round in 0..<3 {
      let (storage, log) = try await Self.open(directory, .buffered, lines)
      defer { storage.close() }
      if round == 1 { try await log.removeRecords(before: 30) }
      lines.withLock { $0 = [] }
      let jobs = try log.workQueue("resize", Self.long)
      if round == 0 {
        try await Self.take(jobs).acknowledge()
        _ = try await Self.take(jobs)
        try await Self.take(jobs).acknowledge()
      } else {
        #expect(jobs.position == 30)
        #expect(jobs.removedCount == (round == 1 ? 28 : 0))
        #expect(Self.said(lines) == (round == 1 ? 1 : 0))
        #expect(try await Self.rest(jobs) == Array(30..<40))
      }
    }
  }

  @Test func aWorkerThatWaitsGetsWhatComesAfterRecordsThatWereRemoved() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try await Self.open(directory)
    defer { storage.close() }
    let jobs = try log.workQueue("resize", Self.long)
    for _ in 0..<40 { try await Self.take(jobs).acknowledge() }
    async let next = jobs.next()
    try await log.roll()
    try await log.append("40")
    #expect(try await next?.record.sequence == 40)
    try await log.append("41")
    try await log.roll()
    try await log.removeRecords(before: 42)
    async let last = jobs.next()
    try await log.append("42")
    #expect(try await last?.record.sequence == 42)
  }

  // MARK: Moving

  @Test(arguments: [Durability.buffered, .synced]) func aQueueThatIsOpenIsMoved(_ durability: Durability) async throws {
    let directory = TemporaryDirectory()
    do {
      let (storage, log) = try await Self.open(directory, durability)
      defer { storage.close() }
      let jobs = try log.workQueue("resize", Self.long)
      var taken: [WorkQueue.Job] = []
      for _ in 0..<20 { taken.append(try await Self.take(jobs)) }
      for job in taken[5...] { try await job.acknowledge() }
      // Over again.
      try await jobs.seek(to: .sequence(3))
      #expect(jobs.position == 3 && jobs.lag == 37)
      let third = try await Self.take(jobs)
      #expect(third.record.sequence == 3 && third.deliveries == 1)
      // Who had it before has it no more, and it is not done by that one.
      for job in [taken[3], taken[10]] {
        await #expect(throws: ImmutaError.leaseLost(sequence: job.record.sequence, queue: "resize")) {
          try await job.acknowledge()
        }
        await #expect(throws: ImmutaError.leaseLost(sequence: job.record.sequence, queue: "resize")) {
          try await job.retry()
        }
      }
      try await third.acknowledge()
      #expect(jobs.position == 4)
      // Forward.
      try await jobs.seek(to: .last(4))
      #expect(try await Self.take(jobs).record.sequence == 36)
      #expect(jobs.position == 36)
      await #expect(throws: ImmutaError.positionBeyondEnd(position: 41, count: 40)) {
        try await jobs.seek(to: .sequence(41))
      }
      #expect(jobs.position == 36)
      try await Self.take(jobs).acknowledge()
    }
    let (storage, log) = try await Self.open(directory, durability)
    defer { storage.close() }
    let jobs = try log.workQueue("resize", Self.long, creating: false)
    #expect(jobs.position == 36)
    let again = try await Self.take(jobs)
    #expect(again.record.sequence == 36 && again.deliveries == 2)
    #expect(try await Self.rest(jobs) == [38, 39])
  }

  @Test func aWorkerThatWaitsGetsAJobWhenTheQueueIsMovedBack() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try await Self.open(directory)
    defer { storage.close() }
    let jobs = try log.workQueue("resize", Self.long, startingAt: .latest)
    let waiting = Task { try await jobs.next() }
    _ = await eventually { jobs.state.withLock { $0.watch != nil } }
    try await jobs.seek(to: .sequence(7))
    #expect(try await waiting.value?.record.sequence == 7)
    #expect(try await Self.rest(jobs) == Array(8..<40))
    await #expect(throws: ImmutaError.positionBeyondEnd(position: 100, count: 40)) {
      try await jobs.seek(to: .sequence(100))
    }
    jobs.close()
    await #expect(throws: ImmutaError.consumerClosed("resize")) { try await jobs.seek(to: .beginning) }
  }

  @Test func aJobThatHadToWaitIsGivenWhereTheQueueIsMovedBack() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try await Self.open(directory)
    defer { storage.close() }
    let jobs = try log.workQueue("resize", Self.long, startingAt: .latest)
    try await jobs.append("later", after: .seconds(600))
    #expect(try await Self.rest(jobs) == [])
    try await jobs.seek(to: .sequence(39))
    #expect(try await Self.rest(jobs) == [39, 40])
  }

  /// Workers that share a queue while somebody moves it at any moment: in the end all jobs are done, and that is on file.
  @Test func aQueueMayBeMovedWhileWorkersAreAtIt() async throws {
    try await Rounds.run(default: 10, "moves of a work queue") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let (storage, log) = try await Self.open(directory)
      defer { storage.close() }
      try await log.append(contentsOf: (40..<400).map { "\($0)" })
      var configuration = Self.long
      configuration.eventsOfASegment = [20, 65_536][Int.random(in: 0..<2, using: &generator)]
      let jobs = try log.workQueue("resize", configuration)
      let isMovedNoMore = Box(false)
      let seeds = (0..<4).map { _ in generator.next() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for seed in seeds {
          group.addTask {
            var generator = SeededGenerator(seed: seed)
            do {
              while let job = try await jobs.next() {
                if generator.oneIn(5) { await Task.yield() }
                do {
                  if generator.oneIn(6) { try await job.retry() } else { try await job.acknowledge() }
                } catch ImmutaError.leaseLost {}
                if isMovedNoMore.withLock({ $0 }), jobs.position == 400 { jobs.close() }
              }
            } catch ImmutaError.consumerClosed {}
          }
        }
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          for _ in 0..<Int.random(in: 0...200, using: &generator) { await Task.yield() }
          try await jobs.seek(to: .sequence(Int.random(in: 0...300, using: &generator)))
        }
        isMovedNoMore.withLock { $0 = true }
        if jobs.position == 400 { jobs.close() }
        try await group.waitForAll()
      }
      guard jobs.position == 400 else { throw Finding("\(jobs.position) of 400 jobs are done") }
      // What was done last, up to the end, is done also for the next one.
      let next = try log.workQueue("resize", configuration, creating: false)
      guard next.position == 400 else { throw Finding("\(next.position) of 400 jobs are done on file") }
    }
  }
}
