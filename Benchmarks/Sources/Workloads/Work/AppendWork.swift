import Floors
import Immuta

/// One record per commit, without waiting for the disk.
package enum AppendWork {
  /// Record sizes, how many records, and the bar.
  package static let cases: [(size: Int, records: Int, bar: Double)] = [
    (100, 100_000, 0.25), (1024, 50_000, 0.6), (4096, 16_000, 1.0), (65_536, 1_000, 1.05),
  ]

  static let all = cases.map { size, records, bar in
    Workload("append + commit, \(sizeName(size))", .append, bar: .timesFloor(bar)) { bench, _ in
      let payloads = Payloads(size: size)
      let records = bench.scaled(records)
      return [
        ours(payloads, records), floor(payloads, records), sqlite(payloads, records), plainFile(payloads, records),
      ]
    }
  }

  static func ours(_ payloads: Payloads, _ records: Int, perCommit: Int = 1) -> Contender {
    Contender("Immuta", .ours, writes: payloads.size * records) { directory in
      let log = try ImmutaLog(directory)
      // The first append of a log flushes its new files and their directory: that is the cost of creating one.
      try log.append(payloads, 1)
      return try nanoseconds {
        if perCommit == 1 {
          try log.append(payloads, records)
        } else {
          try log.append(payloads, records, perCommit: perCommit)
        }
      } / Double(records)
    }
  }

  static func floor(
    _ payloads: Payloads, _ records: Int, perCommit: Int = 1, flush: floor_flush = FLOOR_NO_FLUSH,
    name: String = "floor", role: Contender.Role = .floor
  ) -> Contender {
    Contender(name, role, writes: payloads.size * records) { directory in
      let time = floor_append(
        "\(directory)/events.log", payloads.noise, Payloads.variants, payloads.size, Int64(records), Int64(perCommit),
        flush, nil)
      return try BenchError.check(time) / Double(records)
    }
  }

  static func sqlite(
    _ payloads: Payloads, _ records: Int, perCommit: Int = 1, _ synchronous: SQLiteLog.Synchronous = .off
  ) -> Contender {
    Contender("GRDB, synchronous \(synchronous.rawValue)", .other, writes: 2 * payloads.size * records) { directory in
      let log = try SQLiteLog(creatingIn: directory, synchronous)
      let time = try nanoseconds { try log.append(payloads, records, perCommit: perCommit) }
      try log.close()
      return time / Double(records)
    }
  }

  static func plainFile(_ payloads: Payloads, _ records: Int) -> Contender {
    Contender("FileHandle, 64 KiB buffer", .other, writes: payloads.size * records) { directory in
      try nanoseconds { try PlainFile.append(payloads, records, to: directory) } / Double(records)
    }
  }
}
