/// Does works one after the other, each in rounds, in about the time it was given.
///
/// How often a work is done in a round follows from how long that takes here: a slow disk gets fewer, not longer,
/// rounds.
struct BenchRunner {
  private static let rounds = (least: 3, most: 9)
  /// A round takes about this part of a work's time, if there is enough to do.
  private static let roundsPerBudget = 6
  /// How many times as much the next trial does at most: the first ones say little about the disk.
  private static let growth = 16.0
  private static let trials = 4

  let directory: String
  let progress: Progress

  /// All works, in about that time.
  ///
  /// - Throws: `Interrupted`, and what a work throws.
  func run(_ works: [BenchWork], for time: Duration) async throws -> BenchReport {
    let end = ContinuousClock.now + time
    var report = BenchReport()
    var fixture: BenchFixture?
    defer { fixture?.remove() }
    for (position, work) in works.enumerated() {
      if let last = fixture, last !== work.fixture { last.remove() }
      fixture = work.fixture
      let budget = (end - .now) / (works.count - position)
      let deadline = ContinuousClock.now + budget
      try fixture?.fill(within: budget / 2)
      report.rows.append(
        try await measure(work, until: deadline, of: budget) { part in
          progress.update(position * 1000 + Int(part * 1000), of: works.count * 1000)
        })
    }
    return report
  }

  private func measure(
    _ work: BenchWork, until deadline: ContinuousClock.Instant, of budget: Duration, tell: (Double) -> Void
  ) async throws -> BenchRow {
    var row = BenchRow(work: work, count: work.counts.lowerBound)
    var last = try await round(work, row.count, oursFirst: true)
    for _ in 1..<Self.trials {
      let count = Self.nextCount(row.count, in: work.counts, took: last.time, of: budget / Self.roundsPerBudget)
      if count == row.count { break }
      row.count = count
      last = try await round(work, count, oursFirst: true)
    }
    // One that takes up all the time is all there is; else it has warmed the machine up, and does not count.
    while row.rounds.count < Self.rounds.most {
      let isEnough = row.rounds.count >= Self.rounds.least
      let left = deadline - .now
      guard isEnough ? left > last.time : left > .zero else { break }
      tell(Double(row.rounds.count) / Double(Self.rounds.most))
      last = try await round(work, row.count, oursFirst: row.rounds.count.isMultiple(of: 2))
      row.rounds.append(last.values)
    }
    if row.rounds.isEmpty { row.rounds = [last.values] }
    return row
  }

  /// How often to do it next, if so many took so long and a round should take as long as the share.
  static func nextCount(_ count: Int, in counts: ClosedRange<Int>, took time: Duration, of share: Duration) -> Int {
    let factor = min(growth, max(share, .zero) / max(time, .microseconds(1)))
    let wanted = min(counts.upperBound, Int(Double(count) * factor)) / counts.lowerBound * counts.lowerBound
    // A little more is not worth another trial.
    return wanted >= count * 2 ? wanted : count
  }

  /// One measurement of each, and how long both took with all that belongs to them.
  private func round(
    _ work: BenchWork, _ count: Int, oursFirst: Bool
  ) async throws -> (values: BenchRow.Round, time: Duration) {
    let start = ContinuousClock.now
    var values = BenchRow.Round(ours: 0, floor: nil)
    for isOurs in [oursFirst, !oursFirst] {
      try Interruption.check()
      let place = "\(directory)/work"
      try System.makeDirectory(place)
      defer { System.removeDirectory(place) }
      if work.fixture == nil { try Floor.warm(count * work.size, in: place) }
      if isOurs {
        values.ours = try await work.ours(place, count)
      } else {
        values.floor = try await work.floor(place, count)
      }
    }
    return (values, start.duration(to: .now))
  }
}
