import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Work queues whose process is killed, or whose machine loses power: no job is lost, none is given to two while a lease holds, and
/// how often each was given is known.
@Suite struct QueueTests {
  @Test func whatAKilledProcessHadNotDoneIsGivenAgain() async throws {
    try await Rounds.run(default: 4, most: 2000, "killed work queue") { seed in
      try await Self.killed(seed)
    }
  }

  @Test func noJobIsLostInAPowerCut() async throws {
    try await Rounds.run(default: 60, "power loss of a work queue") { seed in
      try await Self.powerCut(seed)
    }
  }

  @Test func jobsOfWorkersThatStopAreGivenToOthers() async throws {
    try await Rounds.run(default: 3, "leases that run out") { seed in
      let directory = TemporaryDirectory()
      let storage = try Storage(directory: directory.path, namespaces: ["jobs"])
      defer { storage.close() }
      let log = try storage.log("jobs")
      try await log.append(contentsOf: (0..<200).map { "\($0)" })
      let jobs = try log.workQueue("work", .init(lease: .milliseconds(20)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<4 {
          group.addTask {
            var generator = SeededGenerator(seed: seed &+ UInt64(worker))
            // Each of them waits for a job while the others have theirs: nothing but the time wakes it.
            while jobs.position < 200, let job = try await jobs.next(timeout: .seconds(10)) {
              if generator.oneIn(4) { continue }
              do { try await job.acknowledge() } catch let error as ImmutaError {
                guard case .leaseLost = error else { throw error }
              }
              if jobs.position == 200 { jobs.close() }
            }
          }
        }
        do { try await group.waitForAll() } catch ImmutaError.consumerClosed {}
      }
      guard jobs.position == 200 else {
        throw Finding("\(jobs.position) of 200 jobs are done: the others stay with workers that stopped")
      }
    }
  }

  // MARK: Killed processes

  private static func killed(_ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    var history = History()
    for _ in 0..<5 {
      let child = try OtherProcess.start("work", directory.path, "\(generator.next())")
      let lines = try await child.kill(
        afterLines: Int.random(in: 0...600, using: &generator),
        pause: .microseconds(Int.random(in: 0...3000, using: &generator)))
      for line in lines { try history.take(line) }
      history.endLife()
    }
    let storage = try Storage(directory: directory.path, namespaces: ["jobs", "dead"])
    defer { storage.close() }
    let (log, dead) = (try storage.log("jobs"), try storage.log("dead"))
    guard log.count > 0 else { return }
    var buried: Set<Int> = []
    for try await record in dead.history() {
      guard let letter = DeadLetter(record) else { throw Finding("a dead letter cannot be read: \(record.text)") }
      let original = try await log.record(at: letter.sequence)
      guard letter.payload == original.payload else {
        throw Finding("the dead letter of \(letter.sequence) has other bytes")
      }
      buried.insert(letter.sequence)
    }
    if let lost = history.rejected.first(where: { !buried.contains($0) }) {
      throw Finding("job \(lost) was rejected, and is no dead letter")
    }
    // What is left, all of it: whatever waits is due by then.
    let jobs = try log.workQueue("work", .init(lease: .seconds(600)), creating: false)
    while let job = try await jobs.next(timeout: .milliseconds(300)) {
      try history.take("give \(job.record.sequence) \(job.deliveries)")
      try await job.acknowledge()
    }
    guard jobs.position == log.count else { throw Finding("\(jobs.position) of \(log.count) jobs are done") }
    for number in 0..<log.count where history.given[number] == nil { throw Finding("job \(number) was never given") }
    for number in 0..<log.count
    where !history.isLastGiven(number) && !history.mayBeDone.contains(number) && !buried.contains(number) {
      throw Finding("job \(number) was neither done nor given again")
    }
  }

  /// What a process that works says: `give N D`, `ack N` before it acknowledges and `done N` afterwards, `back N` before it gives a
  /// job back, `reject N` before and `dead N` after.
  private struct History {
    var given: [Int: Int] = [:]
    var mayBeDone: Set<Int> = []
    var isDone: Set<Int> = []
    var rejected: Set<Int> = []
    private var leased: Set<Int> = []
    private var lives = 0
    /// In which life each was given last.
    private var lastGiven: [Int: Int] = [:]

    mutating func endLife() {
      leased = []
      lives += 1
    }

    func isLastGiven(_ number: Int) -> Bool { lastGiven[number] == lives }

    mutating func take(_ line: String) throws {
      let words = line.split(separator: " ")
      guard words.count > 1, let number = Int(words[1]) else {
        if line == "open" { return }
        throw Finding("the process said: \(line)")
      }
      switch words[0] {
      case "give":
        let deliveries = Int(words[2]) ?? 0
        if isDone.contains(number) { throw Finding("job \(number) was done, and is given again") }
        if !leased.insert(number).inserted { throw Finding("job \(number) is given to two") }
        let before = given[number] ?? 0
        // Of each life, one may not have been said before it ended.
        guard deliveries > before, deliveries <= before + 1 + lives - (lastGiven[number] ?? 0) else {
          throw Finding("job \(number) is given for the \(deliveries)th time, and was given \(before) times")
        }
        given[number] = deliveries
        lastGiven[number] = lives
      case "ack": mayBeDone.insert(number)
      case "done": isDone.insert(number)
      case "back": leased.remove(number)
      case "reject": break
      case "dead":
        isDone.insert(number)
        rejected.insert(number)
      default: throw Finding("the process said: \(line)")
      }
    }
  }

  // MARK: Power cuts

  /// What was asked of the queue when the power was cut.
  private struct Known: Sendable {
    var payloads: [String] = []
    /// Acknowledging was asked for, and had returned.
    var acknowledged: Set<Int> = []
    var done: Set<Int> = []
    var given: [Int: Int] = [:]
    /// Appending for later had returned.
    var later: Set<Int> = []
  }

  private static func powerCut(_ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let durability = [Durability.buffered, .synced, .synced][Int(seed % 3)]
    let root = TemporaryDirectory(inMemory: true)
    let (directory, image) = (try root.subdirectory("log"), root.file("image"))
    let known = Mutex(Known())
    let cut = Mutex<(before: Known, failure: (any Error)?)?>(nil)
    let source = Mutex(generator.split())
    let moment = [30, 200, 800][Int.random(in: 0..<3, using: &generator)]
    let wanted = Int.random(in: 0..<moment, using: &generator)
    let take: @Sendable (PowerLoss) -> Void = { power in
      cut.withLock { cut in
        if cut != nil { return }
        let before = known.withLock { $0 }
        var generator = source.withLock { $0.split() }
        do {
          try power.image(into: image, using: &generator)
          cut = (before, nil)
        } catch {
          cut = (before, error)
        }
      }
    }
    let power = PowerLoss(directory: directory, seed: generator.next(), oddsOfWriteBack: 60, obeysFlush: { _ in true })
    { power, number in
      if number == wanted { take(power) }
    }
    try await power.run {
      let storage = try Storage(
        directory: directory, namespaces: ["jobs"], configuration: .init(durability: durability))
      defer { storage.close() }
      let log = try storage.log("jobs")
      // Another log would have another identity.
      try await append("0000", to: log, known)
      try await log.sync()
      try await work(on: log, known, &generator)
      take(power)
    }
    guard let (before, failure) = cut.withLock({ $0 }) else { throw Finding("no image was made") }
    if let failure { throw failure }
    try await check(image, durability, before, known.withLock { $0 }, &generator)
  }

  private static func append(_ payload: String, to log: Log, _ known: borrowing Mutex<Known>) async throws {
    known.withLock { $0.payloads.append(payload) }
    try await log.append(payload)
  }

  private static func work(
    on log: Log, _ known: borrowing Mutex<Known>, _ generator: inout SeededGenerator
  ) async throws {
    var configuration = WorkQueue.Configuration(lease: .seconds(600))
    // Small enough that the state log begins another segment with a summary, and loses those before, again and again.
    configuration.eventsOfASegment = [2, 8, 65_536][Int.random(in: 0..<3, using: &generator)]
    var jobs = try log.workQueue("work", configuration)
    var held: [WorkQueue.Job] = []
    for _ in 0..<Int.random(in: 0...60, using: &generator) {
      // All of one size: that they lie where others lay says nothing.
      let payload = "\(Int.random(in: 1000...9999, using: &generator))"
      switch Int.random(in: 0..<12, using: &generator) {
      case 0...2: try await append(payload, to: log, known)
      case 3:
        // None that is appended after the power cut: it would be taken for the one that was meant.
        let payload = "L\(payload.dropFirst())"
        known.withLock { $0.payloads.append(payload) }
        let number = try await jobs.append(payload, after: .seconds(3600)).sequence
        known.withLock { _ = $0.later.insert(number) }
      case 4...6:
        guard let job = try await jobs.next(timeout: .zero) else { continue }
        known.withLock { $0.given[job.record.sequence] = job.deliveries }
        held.append(job)
      case 7...9 where !held.isEmpty:
        let job = held.remove(at: Int.random(in: held.indices, using: &generator))
        known.withLock { _ = $0.acknowledged.insert(job.record.sequence) }
        try await job.acknowledge()
        known.withLock { _ = $0.done.insert(job.record.sequence) }
      case 10 where !held.isEmpty:
        try await held.remove(at: Int.random(in: held.indices, using: &generator)).retry()
      case 11 where generator.oneIn(3): try await log.sync()
      case 11 where generator.oneIn(3):
        jobs.close()
        held = []
        jobs = try log.workQueue("work", configuration)
      default: break
      }
    }
  }

  /// - Parameters:
  ///   - before: what had happened for certain when the power was cut.
  ///   - after: what may have.
  private static func check(
    _ image: String, _ durability: Durability, _ before: Known, _ after: Known, _ generator: inout SeededGenerator
  ) async throws {
    // Where nothing says that the machine was down, only what the records are says which of them are the same.
    let isMarked = Bool.random(using: &generator)
    if !isMarked { try unmarkPosition("\(image)/jobs.consumers/work.position") }
    let storage = try Storage(directory: image, namespaces: ["jobs"], configuration: .init(durability: durability))
    defer { storage.close() }
    let log = try storage.log("jobs")
    let survived = log.count
    // In the places of those that were lost.
    for _ in 0..<Int.random(in: 0...40, using: &generator) {
      try await log.append("\(Int.random(in: 1000...9999, using: &generator))")
    }
    let jobs: WorkQueue
    do {
      jobs = try log.workQueue("work", .init(lease: .seconds(600)))
    } catch {
      switch error {
      case .positionBeyondEnd where !isMarked, .positionOutdated where !isMarked: return
      default: throw error
      }
    }
    var given: [Int: Int] = [:]
    while let job = try await jobs.next(timeout: .zero) { given[job.record.sequence] = job.deliveries }
    for number in 0..<log.count {
      let isOld = number < survived
      if let deliveries = given[number] {
        if durability == .synced, before.done.contains(number) {
          throw Finding("job \(number) was done, and is given again")
        }
        if durability == .synced, before.later.contains(number) {
          throw Finding("job \(number) is not due, and is given")
        }
        let (least, most) = (isOld ? before.given[number] ?? 0 : 0, isOld ? after.given[number] ?? 0 : 0)
        guard deliveries <= most + 1, durability != .synced || deliveries > least else {
          throw Finding("job \(number) is given for the \(deliveries)th time, and was given \(least) to \(most) times")
        }
      } else {
        guard isOld else { throw Finding("job \(number) was appended after the power cut, and is not given") }
        guard after.acknowledged.contains(number) || after.later.contains(number) else {
          throw Finding("job \(number) is lost")
        }
      }
    }
  }

  /// Makes a position's file say that the machine has been up ever since.
  private static func unmarkPosition(_ path: String) throws {
    guard let bytes = try FileBytes.read(path), bytes.count >= TwoSlots.size,
      var current = bytes.withUnsafeBytes({ ConsumerMark.slots(in: $0).current })
    else { return }
    current.mark.bootIdentity = BootIdentity.current
    try FileBytes.write(
      current.mark.encoded(generation: 0) + [UInt8](repeating: 0, count: TwoSlots.size - TwoSlots.sector), to: path)
  }
}

/// The process that is killed: works on jobs that it appends itself, with several workers, and says what it does.
enum Worker {
  static func work(_ directory: String, _ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let storage = try Storage(directory: directory, namespaces: ["jobs", "dead"])
    let (log, dead) = (try storage.log("jobs"), try storage.log("dead"))
    var configuration = WorkQueue.Configuration(lease: .seconds(600), maximumDeliveries: 1000, deadLetters: dead)
    configuration.eventsOfASegment = [30, 300, 65_536].randomElement(using: &generator) ?? 30
    let jobs = try log.workQueue("work", configuration)
    OtherProcess.say("open")
    let (seeds, rest) = ((0..<4).map { _ in generator.next() }, generator.next())
    try await withThrowingTaskGroup(of: Void.self) { group in
      for seed in seeds {
        group.addTask {
          var generator = SeededGenerator(seed: seed)
          for try await job in jobs {
            let number = job.record.sequence
            OtherProcess.say("give \(number) \(job.deliveries)")
            if generator.oneIn(3) { await Task.yield() }
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...5:
              OtherProcess.say("ack \(number)")
              try await job.acknowledge()
              OtherProcess.say("done \(number)")
            case 6, 7:
              OtherProcess.say("back \(number)")
              try await job.retry(after: .milliseconds(Int.random(in: 0...3, using: &generator)))
            case 8:
              OtherProcess.say("reject \(number)")
              try await job.reject("it was \(number)'s turn")
              OtherProcess.say("dead \(number)")
            default: break  // It is in work until the process ends.
            }
          }
        }
      }
      group.addTask {
        var generator = SeededGenerator(seed: rest)
        while true {
          if generator.oneIn(10) {
            try await jobs.append("later \(log.count)", after: .milliseconds(2))
          } else {
            try await log.append("job \(log.count)")
          }
          if jobs.lag > 100 { try await Task.sleep(for: .milliseconds(1)) }
        }
      }
      try await group.waitForAll()
    }
  }
}
