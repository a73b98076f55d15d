import Immuta
import Synchronization

/// The main job, end to end: a writer with followers at its heels, a transaction that is rolled back, and the log's way
/// to disk and back.
struct Demonstration: Sendable {
  static let followers = 8
  private static let namespace = "demo"
  private static let rolledBackRecords = 1000
  /// Records between two looks at the clock, and between two pauses in which other tasks get their turn.
  private static let stretch = 256

  let directory: String
  let records: Int
  let payload: DemoPayload
  let progress: Progress

  init(directory: String, records: Int, size: Int, progress: Progress) {
    self.directory = directory
    self.records = records
    self.progress = progress
    payload = DemoPayload(size: size)
  }

  /// A promise that was not kept.
  private struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  /// What is thrown to roll the transaction back.
  private struct RolledBack: Error {}

  /// All steps, or only up to the first that failed.
  ///
  /// - Throws: `Interrupted`.
  func run() async throws -> DemoReport {
    let start = ContinuousClock.now
    var report = DemoReport(followers: Self.followers, steps: try await steps())
    report.time = start.duration(to: .now)
    return report
  }

  private func steps() async throws -> [DemoStep] {
    let storage: Storage
    do {
      storage = try Storage(directory: directory, namespaces: [Self.namespace])
    } catch {
      return [DemoStep(name: "open", result: Failure(error).message ?? "", isHeld: false, time: .zero)]
    }
    defer { storage.close() }
    var steps = try await writeAndFollow(storage)
    guard steps.allSatisfy(\.isHeld) else { return steps }
    steps.append(
      try await step("close") {
        try await storage.sync()
        try await storage.shutdown()
        return "\(Quantities.counted(records + 1, "record")) on stable storage"
      })
    guard steps.allSatisfy(\.isHeld) else { return steps }
    return steps + (try await reopenAndVerify())
  }

  // MARK: Steps

  /// Runs a step; what it throws, but for an interruption, is its result.
  private func step(
    _ name: String, records: Int = 0, _ body: () async throws -> String
  ) async throws -> DemoStep {
    let start = ContinuousClock.now
    do {
      let result = try await body()
      let time = start.duration(to: .now)
      return DemoStep(
        name: name, result: result, isHeld: true, time: time, records: records, bytes: records * payload.size)
    } catch let error as Interrupted {
      throw error
    } catch {
      try Interruption.check()
      return DemoStep(
        name: name, result: Failure(error).message ?? "\(error)", isHeld: false, time: start.duration(to: .now))
    }
  }

  /// What a task of the group comes back with.
  private enum Finished: Sendable {
    case writer([DemoStep])
    case follower(DemoStep)
  }

  /// The writer and its followers, all at once; their steps.
  private func writeAndFollow(_ storage: Storage) async throws -> [DemoStep] {
    let log = try storage.log(Self.namespace)
    let meter = Meter(progress, total: (records + 1) * (Self.followers + 1))
    return try await withThrowingTaskGroup(of: Finished.self) { group in
      for number in 1...Self.followers {
        // Made here, so that every follower exists before the first record.
        let stream = log.stream(from: .beginning)
        group.addTask { .follower(try await follow(stream, number, meter)) }
      }
      group.addTask { .writer(try await write(log, meter)) }
      var written: [DemoStep] = []
      var followed: [DemoStep] = []
      for try await finished in group {
        switch finished {
        case .writer(let steps):
          written = steps
          // What was not written never comes.
          if !steps.allSatisfy(\.isHeld) { group.cancelAll() }
        case .follower(let step): followed.append(step)
        }
      }
      if !written.allSatisfy(\.isHeld) { return written }
      return [written[0], summary(of: followed)] + written[1...]
    }
  }

  /// Appends the records, rolls a transaction back, and appends one last record, which shows the followers that nothing came in
  /// between.
  private func write(_ log: Log, _ meter: Meter) async throws -> [DemoStep] {
    var steps: [DemoStep] = []
    var buffer = [UInt8](repeating: 0, count: payload.size)
    steps.append(
      try await step("append", records: records) {
        for number in 0..<records {
          payload.fill(&buffer, number: number)
          try await log.append(buffer)
          if number % Self.stretch == Self.stretch - 1 {
            try Interruption.check()
            meter.add(Self.stretch)
            await Task.yield()
          }
        }
        guard log.count == records else { throw Broken("\(log.count) of \(records) records exist") }
        return "\(Quantities.counted(records, "record")) of \(Quantities.counted(payload.size, "byte")) committed"
      })
    if !steps[0].isHeld { return steps }
    steps.append(
      try await step("roll back") {
        let staged = try await rollBack(log)
        guard log.count == records else { throw Broken("\(staged) were rolled back, and the count is \(log.count)") }
        payload.fill(&buffer, number: records)
        try await log.append(buffer)
        return
          "\(Quantities.counted(staged, "record")) taken back, count still \(Quantities.grouped(records)); then one more"
      })
    return steps
  }

  /// Stages records that differ from all others and throws; returns how many they were.
  private func rollBack(_ log: Log) async throws -> Int {
    let ghost = [UInt8](repeating: 0xFF, count: payload.size + 1)
    let count = min(records, Self.rolledBackRecords)
    do {
      try await log.transaction { transaction in
        for _ in 0..<count { try await transaction.append(ghost) }
        try Interruption.check()
        throw RolledBack()
      }
      throw Broken("a transaction whose closure threw was committed")
    } catch is RolledBack {
      return count
    }
  }

  /// Reads all records as they come, and checks each.
  private func follow(_ stream: RecordStream, _ number: Int, _ meter: Meter) async throws -> DemoStep {
    try await step("follow", records: records + 1) {
      var stream = stream
      for expected in 0...records {
        guard let record = try await stream.next() else { throw Broken("follower \(number)'s stream ended") }
        guard record.sequence == expected, payload.matches(record.payload, number: expected) else {
          throw Broken("follower \(number) got something else than record \(expected)")
        }
        if expected % Self.stretch == Self.stretch - 1 {
          try Interruption.check()
          meter.add(Self.stretch)
        }
      }
      return ""
    }
  }

  /// One step for all followers: the first that failed, or how long the last one took.
  private func summary(of followed: [DemoStep]) -> DemoStep {
    if let failed = followed.first(where: { !$0.isHeld }) { return failed }
    return DemoStep(
      name: "follow",
      result: "\(Self.followers) followers at once, each read \(Quantities.grouped(records + 1)) and checked them",
      isHeld: true, time: followed.map(\.time).max() ?? .zero,
      records: followed.reduce(0) { $0 + $1.records }, bytes: followed.reduce(0) { $0 + $1.bytes })
  }

  private func reopenAndVerify() async throws -> [DemoStep] {
    var storage: Storage?
    defer { storage?.close() }
    var steps = [
      try await step("reopen") {
        let reopened = try Storage(directory: directory, namespaces: [Self.namespace])
        storage = reopened
        let count = try reopened.log(Self.namespace).count
        guard count == records + 1 else { throw Broken("\(count) of \(records + 1) records exist") }
        return "\(Quantities.counted(count, "record")) there"
      }
    ]
    guard let log = try storage?.log(Self.namespace), steps[0].isHeld else { return steps }
    steps.append(
      try await step("verify", records: records + 1) {
        let report = try await log.verify { done, count in
          progress.update(done, of: count)
          // The check notices that its task was cancelled, and nothing else.
          if Interruption.isRequested { withUnsafeCurrentTask { $0?.cancel() } }
        }
        guard report.records == records + 1 else { throw Broken("\(report.records) records were checked") }
        return "every byte is what was appended"
      })
    guard steps.allSatisfy(\.isHeld) else { return steps }
    do {
      try await storage?.shutdown()
    } catch {
      steps.append(DemoStep(name: "close", result: Failure(error).message ?? "", isHeld: false, time: .zero))
    }
    return steps
  }
}

/// Counts what all tasks of a demonstration have done, for the progress bar.
private final class Meter: Sendable {
  private let progress: Progress
  private let total: Int
  /// Relaxed: a number for people.
  private let done = Atomic(0)

  init(_ progress: Progress, total: Int) {
    self.progress = progress
    self.total = total
  }

  func add(_ count: Int) {
    progress.update(done.add(count, ordering: .relaxed).newValue, of: total)
  }
}
