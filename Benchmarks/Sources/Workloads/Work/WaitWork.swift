import Floors
import Foundation
import Harness
import Immuta
import Synchronization

/// Streams that wait for the next record: tasks here, threads on a futex in the floor.
package enum WaitWork {
  private static let payloads = Payloads(size: 100)
  /// Before each record everybody falls asleep again.
  private static let pause = Duration.milliseconds(2)
  /// A thread each is what the floor does, and more than this no machine is asked for.
  private static let mostThreads = 1_000

  static let all = [1, 100, 1_000].map(latency) + [memory]
  /// From one stream to as many as there are tenants of a service: what all together receive.
  package static let readerCounts = [1, 10, 100, 1_000, 10_000]
  static let rates = readerCounts.map(rate)

  private static func latency(_ streams: Int) -> Workload {
    Workload(
      "\(streams.formatted(.number)) waiting, from commit until the last has it", .wait,
      unit: .time(per: "record"), bar: streams == 1_000 ? .timesFloor(0.3) : nil
    ) { bench, _ in
      let records = bench.scaled(128)
      return [
        Contender("Immuta", .ours) { directory in
          try await follow(streams, records, directory, pause: pause).latency
        },
        Contender("floor", .floor) { directory in
          var latencies = [Int64](repeating: 0, count: records)
          let time = floor_wake(
            "\(directory)/events.log", payloads.noise, payloads.size, Int64(records), Int32(streams), 2_000_000,
            &latencies)
          _ = try BenchError.check(time)
          return latencies.map(Double.init).median
        },
      ]
    }
  }

  private static func rate(_ streams: Int) -> Workload {
    Workload(
      "\(streams.formatted(.number)) \(streams == 1 ? "stream" : "streams"), 100 B, back to back", .deliver,
      unit: .time(per: "delivery")
    ) { bench, _ in
      let records = bench.scaled(max(256, min(100_000, 1_000_000 / streams)))
      let deliveries = Double(records * streams)
      let ours = Contender("Immuta", .ours) { directory in
        try await follow(streams, records, directory, pause: nil).time / deliveries
      }
      if streams > mostThreads { return [ours] }
      return [
        ours,
        Contender("floor", .floor) { directory in
          let time = floor_wake(
            "\(directory)/events.log", payloads.noise, payloads.size, Int64(records), Int32(streams), 0, nil)
          return try BenchError.check(time) / deliveries
        },
      ]
    }
  }

  /// One writer, and tasks that each follow the log: the median time from before an append until the last task has the
  /// record, if there is a pause before each; and the time from the first append until all tasks have all records.
  private static func follow(
    _ streams: Int, _ records: Int, _ directory: String, pause: Duration?
  ) async throws -> (latency: Double, time: Double) {
    let immuta = try ImmutaLog(directory)
    let log = immuta.log
    let arrivals = Arrivals(every: pause == nil ? streams * records : streams)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<streams {
        group.addTask {
          var stream = log.stream(from: .beginning)
          for _ in 0..<records {
            guard let record = try await stream.next() else { throw BenchError("a stream ended") }
            record.payload.withUnsafeBytes { _ = floor_sum($0.baseAddress, $0.count) }
            arrivals.add()
          }
        }
      }
      try await Task.sleep(for: .milliseconds(50))
      let start = floor_now()
      var latencies: [Double] = []
      for number in 0..<records {
        guard let pause else {
          try log.appendAtOnce(payloads[number])
          continue
        }
        try await Task.sleep(for: pause)
        let before = floor_now()
        try log.appendAtOnce(payloads[number])
        latencies.append(Double(try await arrivals.last() - before))
      }
      let end = pause == nil ? try await arrivals.last() : floor_now()
      try await group.waitForAll()
      return (latencies.median, Double(end - start))
    }
  }

  private static let memory = Workload(
    "10,000 waiting, memory of each", .wait, unit: .memory(per: "stream"), bar: .atMost(1024)
  ) { bench, _ in
    let streams = bench.scaled(10_000)
    return [
      Contender("Immuta", .ours) { directory in
        let immuta = try ImmutaLog(directory)
        let log = immuta.log
        return try await memoryOfTasks(streams) {
          var stream = log.stream(from: .beginning)
          _ = try? await stream.next()
        }
      },
      Contender("a task that sleeps", .other) { _ in
        try await memoryOfTasks(streams) { try? await Task.sleep(for: .seconds(3_600)) }
      },
    ]
  }

  /// Bytes of heap for each of as many tasks that wait.
  private static func memoryOfTasks(_ count: Int, _ body: @escaping @Sendable () async -> Void) async throws -> Double {
    let before = Int(floor_heap_in_use())
    let tasks = (0..<count).map { _ in Task(operation: body) }
    try await Task.sleep(for: .milliseconds(300))
    let after = Int(floor_heap_in_use())
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
    return Double(after - before) / Double(count)
  }
}

/// Counts arrivals, and keeps the time of a whole round of them.
private final class Arrivals: Sendable {
  private let every: Int
  private let count = Atomic(0)
  private let time = Atomic<Int64>(0)

  init(every: Int) { self.every = every }

  func add() {
    if count.add(1, ordering: .acquiringAndReleasing).newValue % every == 0 {
      time.store(floor_now(), ordering: .releasing)
    }
  }

  /// When the last of them came; waits for it.
  func last() async throws -> Int64 {
    while true {
      let last = time.exchange(0, ordering: .acquiring)
      if last != 0 { return last }
      try await Task.sleep(for: .microseconds(100))
    }
  }
}
