import Floors

/// 64 records per commit, without waiting for the disk.
enum BatchWork {
  static let perCommit = 64

  static let all =
    [
      Workload(
        "transaction of 64 × 100 B", .batch, bar: .over(contender: "copy into mapped pages", by: 60)
      ) { bench, _ in
        let payloads = Payloads(size: 100)
        let records = bench.scaled(512_000)
        return contenders(payloads, records) + [copy(payloads, records)]
      }
    ]
    + [(1024, 64_000), (4096, 16_000), (65_536, 1_024)].map { size, records in
      Workload("transaction of 64 × \(sizeName(size))", .batch) { bench, _ in
        contenders(Payloads(size: size), bench.scaled(records))
      }
    }

  private static func contenders(_ payloads: Payloads, _ records: Int) -> [Contender] {
    [
      AppendWork.ours(payloads, records, perCommit: perCommit),
      AppendWork.floor(payloads, records, perCommit: perCommit),
      AppendWork.sqlite(payloads, records, perCommit: perCommit),
      AppendWork.plainFile(payloads, records),
    ]
  }

  private static func copy(_ payloads: Payloads, _ records: Int) -> Contender {
    Contender("copy into mapped pages", .other, writes: payloads.size * records) { directory in
      let time = floor_copy(
        "\(directory)/events.log", payloads.noise, Payloads.variants, payloads.size, Int64(records))
      return try BenchError.check(time) / Double(records)
    }
  }
}
