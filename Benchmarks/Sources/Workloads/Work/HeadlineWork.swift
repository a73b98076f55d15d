import Floors
import Immuta

/// What Go Immuta's README measures, through the calls that this README shows: by the namespace's name, from a task.
enum HeadlineWork {
  static let all = append + [stream, writeThenRead]

  private static let append = AppendWork.cases.map { size, records, _ in
    Workload("append + save, \(sizeName(size))", .headline) { bench, _ in
      let payloads = Payloads(size: size)
      let records = bench.scaled(records)
      return [
        Contender("Immuta", .ours, writes: size * records) { directory in
          let storage = try Storage(directory: directory, namespaces: [ImmutaLog.namespace])
          defer { storage.close() }
          return try await nanoseconds { try await appendByName(payloads, records, to: storage) } / Double(records)
        },
        AppendWork.floor(payloads, records), AppendWork.sqlite(payloads, records),
      ]
    }
  }

  private static let stream = Workload("stream of 1 KiB records", .headline) { bench, directory in
    let payloads = Payloads(size: 1024)
    let records = bench.scaled(100_000)
    try ImmutaLog(directory).append(payloads, records, perCommit: 1_000)
    let sqlite = try SQLiteLog(creatingIn: directory, .off)
    try sqlite.append(payloads, records, perCommit: 1_000)
    try sqlite.close()
    return [
      Contender("Immuta", .ours) { _ in
        let storage = try Storage(directory: directory, namespaces: [ImmutaLog.namespace])
        defer { storage.close() }
        return try await nanoseconds { try await readByName(records, from: storage) } / Double(records)
      },
      Contender("floor", .floor) { _ in
        var sum: UInt64 = 0
        return try BenchError.check(floor_read("\(directory)/\(ImmutaLog.namespace).log", &sum)) / Double(records)
      },
      Contender("GRDB", .other) { _ in
        let log = try SQLiteLog(directory)
        let time = try nanoseconds { _ = try log.readAll() }
        try log.close()
        return time / Double(records)
      },
    ]
  }

  private static let writeThenRead = Workload("100,000 × 1 KiB written, then read", .headline) { bench, _ in
    let payloads = Payloads(size: 1024)
    let records = bench.scaled(100_000)
    return [
      Contender("Immuta", .ours, writes: payloads.size * records) { directory in
        let storage = try Storage(directory: directory, namespaces: [ImmutaLog.namespace])
        defer { storage.close() }
        return try await nanoseconds {
          try await appendByName(payloads, records, to: storage)
          try await readByName(records, from: storage)
        } / Double(records)
      },
      Contender("floor", .floor, writes: payloads.size * records) { directory in
        let path = "\(directory)/events.log"
        var sum: UInt64 = 0
        let write = floor_append(
          path, payloads.noise, Payloads.variants, payloads.size, Int64(records), 1, FLOOR_NO_FLUSH, nil)
        return try (BenchError.check(write) + BenchError.check(floor_read(path, &sum))) / Double(records)
      },
      Contender("GRDB, synchronous OFF", .other, writes: 2 * payloads.size * records) { directory in
        let log = try SQLiteLog(creatingIn: directory, .off)
        let time = try nanoseconds {
          try log.append(payloads, records)
          _ = try log.readAll()
        }
        try log.close()
        return time / Double(records)
      },
    ]
  }

  private static func appendByName(_ payloads: Payloads, _ records: Int, to storage: Storage) async throws {
    for number in 0..<records { try await storage.append(payloads[number], to: ImmutaLog.namespace) }
  }

  private static func readByName(_ records: Int, from storage: Storage) async throws {
    var (left, sum): (Int, UInt64) = (records, 0)
    for try await record in storage.stream(ImmutaLog.namespace, from: .beginning) {
      record.payload.withUnsafeBytes { sum &+= floor_sum($0.baseAddress, $0.count) }
      left -= 1
      if left == 0 { break }
    }
  }
}
