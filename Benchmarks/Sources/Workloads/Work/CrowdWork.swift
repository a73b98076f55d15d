import Floors
import Immuta

/// Many tasks append at once, each record a commit, without waiting for the disk. The floor is one task that does all of
/// it.
///
/// Where they share a log they begin behind a transaction: that they had to wait once must not slow down what comes after.
enum CrowdWork {
  private static let payloads = Payloads(size: 100)

  static let all = [2, 4, 16, 64].flatMap { tasks in
    [
      Workload("\(tasks) tasks, one log, 100 B", .crowd, bar: tasks == 64 ? .timesFloor(1.5) : nil) { bench, _ in
        contenders(bench, tasks, logs: 1)
      },
      Workload("\(tasks) tasks, a log each, 100 B", .crowd) { bench, _ in contenders(bench, tasks, logs: tasks) },
    ]
  }

  private static func contenders(_ bench: Bench, _ tasks: Int, logs: Int) -> [Contender] {
    let records = bench.scaled(200_000)
    return [
      contender("Immuta", .ours, records, tasks: tasks, logs: logs),
      contender("one task", .floor, records, tasks: 1, logs: 1),
    ]
  }

  private static func contender(
    _ name: String, _ role: Contender.Role, _ records: Int, tasks: Int, logs count: Int
  ) -> Contender {
    Contender(name, role, writes: payloads.size * records) { directory in
      let names = (0..<count).map { "events-\($0)" }
      let storage = try Storage(directory: directory, namespaces: names)
      defer { storage.close() }
      let logs = try names.map { try storage.log($0) }
      for log in logs { try await log.append(payloads[0]) }
      return try await withThrowingTaskGroup(of: Void.self) { group in
        var start = floor_now()
        let transaction = count == 1 ? try await logs[0].beginTransaction() : nil
        for task in 0..<tasks {
          let log = logs[task % count]
          group.addTask {
            for number in stride(from: task, to: records, by: tasks) { try await log.append(payloads[number]) }
          }
        }
        if transaction != nil {
          while try logs[0].details.turn?.waiting != tasks { await Task.yield() }
          start = floor_now()
        }
        transaction?.rollBack()
        try await group.waitForAll()
        return Double(floor_now() - start) / Double(records)
      }
    }
  }
}
