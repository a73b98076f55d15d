/// What came out of a work.
struct BenchRow {
  /// Nanoseconds per unit.
  struct Round {
    var ours: Double
    var floor: Double?
  }

  let work: BenchWork
  /// How many units a round has.
  var count: Int
  var rounds: [Round] = []

  var ours: Double { Stopwatch.median(rounds.map(\.ours)) }
  /// Nil where there is none.
  var floor: Double? { Self.median(rounds.map(\.floor)) }
  /// How many times the floor's time: the median over the rounds, each with the floor of the same round.
  var ratio: Double? { Self.median(rounds.map { round in round.floor.map { round.ours / $0 } }) }
  /// Records a second; nil where none go by.
  var rate: Int? { work.unit == .record ? Quantities.rate(1, in: .nanoseconds(1) * ours) : nil }

  private static func median(_ values: [Double?]) -> Double? {
    let present = values.compactMap(\.self)
    return present.isEmpty ? nil : Stopwatch.median(present)
  }
}

/// What was measured.
struct BenchReport {
  var rows: [BenchRow] = []

  #if DEBUG
    private static let isDebugBuild = true
  #else
    private static let isDebugBuild = false
  #endif

  /// The table for people, and what it means.
  var lines: [String] {
    var table = Table([
      ("WORK", .left), ("IMMUTA", .right), ("FLOOR", .right), ("RATIO", .right), ("RECORDS/S", .right),
      ("THE FLOOR IS", .left),
    ])
    for row in rows {
      table.add([
        row.work.name, Quantities.nanoseconds(row.ours), row.floor.map(Quantities.nanoseconds) ?? "—",
        row.ratio.map(Self.ratio) ?? "—",
        row.rate.map(Quantities.grouped) ?? "", row.work.floorName,
      ])
    }
    var lines = table.lines + [""]
    lines += [
      "Times are of one record, opening or commit. The floor is the same bytes with bare system calls, in turn with",
      "Immuta: no checksum, no commit, no stream. A ratio below 1 means that Immuta took less time than the floor.",
    ]
    if Self.isDebugBuild { lines.append("This tool is a debug build, many times slower: build it with -c release.") }
    return lines
  }

  private static func ratio(_ value: Double) -> String {
    Quantities.rounded(value, digits: value < 0.1 ? 3 : value < 10 ? 2 : 0) + " ×"
  }

  /// The same for programs: an object for each row.
  var json: [[UInt8]] {
    rows.map { row in
      var object = JSONObject()
      object.add("work", row.work.name)
      object.add("unit", row.work.unit.rawValue)
      object.add("size", row.work.size)
      object.add("count", row.count)
      object.add("rounds", row.rounds.count)
      object.add("nanoseconds", row.ours)
      object.add("floorNanoseconds", row.floor)
      object.add("ratio", row.ratio)
      object.add("recordsPerSecond", row.rate)
      object.add("floor", row.work.floorName)
      object.add("debugBuild", Self.isDebugBuild)
      return object.line
    }
  }
}
