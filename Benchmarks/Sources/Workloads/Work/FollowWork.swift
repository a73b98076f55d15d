import Floors
import Immuta

/// Followers that know a log by its files alone, as another process would: a storage that writes, and one that is read-only.
enum FollowWork {
  private static let payloads = Payloads(size: 100)
  /// Before each record the follower falls asleep again.
  private static let pause = Duration.milliseconds(2)

  static let all = [1, 50].map { logs in
    Workload(
      logs == 1 ? "1 log, from commit until its follower has the record" : "the same, while \(logs) logs are followed",
      .follow, bar: .atMost(50_000)
    ) { bench, _ in
      let records = bench.scaled(512)
      return [
        Contender("Immuta", .ours) { directory in try await follow(logs, records, directory).share(0.5) },
        Contender("floor", .floor) { directory in
          var latencies = [Int64](repeating: 0, count: records)
          let time = floor_wake(
            "\(directory)/events.log", payloads.noise, payloads.size, Int64(records), 1, 2_000_000, &latencies)
          _ = try BenchError.check(time)
          return latencies.map(Double.init).share(0.5)
        },
        Contender("Immuta, 99 of 100 within", .other) { directory in
          try await follow(logs, records, directory).share(0.99)
        },
      ]
    }
  }

  /// Appends to one log after the other; the time of each record from before its append until the log's follower has it.
  private static func follow(_ count: Int, _ records: Int, _ directory: String) async throws -> [Double] {
    let names = (0..<count).map { "events-\($0)" }
    let writer = try Storage(directory: directory, namespaces: names)
    defer { writer.close() }
    let logs = try names.map { try writer.log($0) }
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reader = try Storage(directory: directory, namespaces: names, configuration: configuration)
    defer { reader.close() }
    let (arrivals, arrived) = AsyncStream.makeStream(of: Int64.self)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      for name in names {
        group.addTask {
          var stream = reader.stream(name, from: .beginning)
          while let record = try await stream.next() {
            record.payload.withUnsafeBytes { _ = floor_sum($0.baseAddress, $0.count) }
            arrived.yield(floor_now())
          }
        }
      }
      try await Task.sleep(for: .milliseconds(100))
      var latencies: [Double] = []
      var iterator = arrivals.makeAsyncIterator()
      for number in 0..<records {
        try await Task.sleep(for: pause)
        let before = floor_now()
        try logs[number % count].appendAtOnce(payloads[number])
        guard let time = await iterator.next() else { throw BenchError("a follower ended") }
        latencies.append(Double(time - before))
      }
      return latencies
    }
  }
}

extension [Double] {
  /// The value that this share of all does not pass.
  fileprivate func share(_ share: Double) -> Double {
    sorted()[Swift.min(count - 1, Int(Double(count) * share))]
  }
}
