import Floors
import Immuta

/// Each record on stable storage before the next call.
enum SyncedWork {
  static let all = [
    Workload("append, synced, one writer, 1 KiB", .synced, bar: .timesFloor(1.25)) { bench, _ in
      let payloads = Payloads(size: 1024)
      let records = bench.scaled(448)
      return [
        Contender("Immuta", .ours, writes: payloads.size * records) { directory in
          let log = try ImmutaLog(directory, durability: .synced)
          // As for the other rows: creating a log is not what is measured.
          try log.append(payloads, 1)
          return try nanoseconds { try log.append(payloads, records) } / Double(records)
        },
        growing(payloads, records),
        AppendWork.floor(
          payloads, records, flush: FLOOR_FLUSH_WRITTEN, name: "pwrite + fdatasync, space written beforehand",
          role: .other),
        AppendWork.sqlite(payloads, records, .full),
        Contender("FileHandle, synchronize", .other) { directory in
          try nanoseconds { try PlainFile.appendSynced(payloads, records, to: directory) } / Double(records)
        },
      ]
    },
    many(16, bar: .timesFloorRate(8)),
    many(64, bar: .timesFloor(0.055)),
  ]

  /// As many tasks append to one log, each when its last record is stable.
  private static func many(_ tasks: Int, bar: Bar) -> Workload {
    Workload("append, synced, \(tasks) tasks, 1 KiB", .synced, bar: bar) { bench, _ in
      let payloads = Payloads(size: 1024)
      let records = bench.scaled(100 * tasks)
      return [
        Contender("Immuta", .ours, writes: payloads.size * records) { directory in
          let log = try ImmutaLog(directory, durability: .synced)
          try log.append(payloads, 1)
          let handle = log.log
          return try await together(tasks, records) { number in try await handle.append(payloads[number]) }
        },
        growing(payloads, bench.scaled(448)),
        Contender("\(tasks) threads, each pwrite + fdatasync", .other) { directory in
          let time = floor_append_threads(
            "\(directory)/events.log", payloads.noise, payloads.size, Int64(records), Int32(tasks))
          return try BenchError.check(time) / Double(records)
        },
        Contender("GRDB, synchronous FULL", .other) { directory in
          let log = try SQLiteLog(creatingIn: directory, .full)
          let datas = payloads.datas
          let records = bench.scaled(448)
          let time = try await together(tasks, records) { number in try await log.append(datas[number % datas.count]) }
          try log.close()
          return time
        },
      ]
    }
  }

  private static func growing(_ payloads: Payloads, _ records: Int) -> Contender {
    AppendWork.floor(payloads, records, flush: FLOOR_FLUSH_GROWING)
  }

  /// Nanoseconds per record when as many tasks as there are share the records.
  private static func together(
    _ tasks: Int, _ records: Int, _ append: @escaping @Sendable (Int) async throws -> Void
  ) async throws -> Double {
    try await nanoseconds {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<tasks {
          group.addTask {
            for number in stride(from: task, to: records, by: tasks) { try await append(number) }
          }
        }
        try await group.waitForAll()
      }
    } / Double(records)
  }
}
