import Foundation
import Immuta
import ImmutaLibC

/// What a work queue costs: jobs through 16 workers beside a stream over the same records, and the memory of jobs that are
/// outstanding beside that of the process before.
///
/// ```
/// CountedWork queue DIRECTORY COUNT            gives COUNT jobs of 100 B to 16 workers, who acknowledge them at once, five times;
///                                              then gives a million, and acknowledges all of them but the first
/// ```
struct QueuedJobs {
  let directory: String
  let count: Int

  private static let workers = 16
  private static let outstanding = 1_000_000
  private static let payload = (0..<100).map { UInt8($0) &* 37 }

  func run() async throws {
    let storage = try Storage(directory: directory, namespaces: ["jobs"])
    defer { storage.close() }
    let log = try storage.log("jobs")
    while log.count < max(count, Self.outstanding) {
      try log.transaction { transaction in
        for _ in 0..<1000 { try transaction.append(Self.payload) }
      }
    }
    var (streamed, worked): ([Double], [Double]) = ([], [])
    for round in 0..<5 {
      streamed.append(try await seconds { try await stream(log) })
      worked.append(try await seconds { try await work(log, "rate-\(round)") })
    }
    let (record, job) = (streamed.sorted()[2] / Double(count), worked.sorted()[2] / Double(count))
    print(
      "a streamed record takes \(Int(record * 1e9)) ns, a job through \(Self.workers) workers \(Int(job * 1e9)) ns: "
        + "\(Int(1 / job)) a second")
    try await hold(log)
  }

  private func seconds(_ body: () async throws -> Void) async throws -> Double {
    let time = try await ContinuousClock().measure { try await body() }
    return Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
  }

  private func stream(_ log: Log) async throws {
    var left = count
    for try await _ in log.stream() {
      left -= 1
      if left == 0 { return }
    }
  }

  private func work(_ log: Log, _ name: String) async throws {
    let jobs = try log.workQueue(name)
    defer { jobs.close() }
    let share = count / Self.workers
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<Self.workers {
        group.addTask {
          for _ in 0..<share { try await jobs.next()?.acknowledge() }
        }
      }
      try await group.waitForAll()
    }
    precondition(jobs.position == share * Self.workers, "all of them are done")
  }

  private func hold(_ log: Log) async throws {
    let jobs = try log.workQueue("memory", .init(lease: .seconds(3600)))
    defer { jobs.close() }
    let first = try await jobs.next()
    let floor = memory
    var most = floor
    for number in 1..<Self.outstanding {
      _ = try await jobs.next()
      if number % 10_000 == 0 { most = max(most, memory) }
    }
    print(
      "\(Self.outstanding) jobs that workers have: \((memory - floor) >> 10) MiB, at most \((max(most, memory) - floor) >> 10) MiB"
    )
    for number in 1..<Self.outstanding {
      try await jobs.acknowledge(sequence: number)
      if number % 10_000 == 0 { most = max(most, memory) }
    }
    print(
      "the same once all but the first are done: \((memory - floor) >> 10) MiB, at most \((most - floor) >> 10) MiB")
    precondition(jobs.position == 0 && most - floor < 64 << 10, "a million jobs take less than 64 MiB")
    try await first?.acknowledge()
    precondition(jobs.position == Self.outstanding, "all of them are done")
  }

  /// KiB of the process' memory now, without what only maps files.
  private var memory: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? 0
  }
}
