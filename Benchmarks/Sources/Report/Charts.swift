import Foundation
import Harness
import Workloads

/// The charts of a run.
enum Charts {
  static func all(_ findings: Findings) -> [Chart] {
    [rateBySize(findings), latency(findings), deliveries(findings), opening(findings), growth(findings)]
      .filter { chart in chart.series.contains { !$0.points.isEmpty } }
  }

  private static func rateBySize(_ findings: Findings) -> Chart {
    // Bytes a second, so that small and large records fit on one scale.
    let outcomes = findings.outcomes(of: .append)
    let sizes = AppendWork.cases.map(\.size)
    let series = lines(zip(sizes.map(Double.init), outcomes)) { size, time in size / time * 1e9 }
    let other = series.first { $0.style == .first }?.name ?? ""
    let ratios = series.ratios(to: .first).flatMap { ratios in
      ratios.lowerBound < 1 ? nil : "\(Int(ratios.lowerBound)) to \(Int(ratios.upperBound)) times the rate of \(other)"
    }
    return Chart(
      file: "rate-by-size", title: "Appending\(ratios.map { ": \($0)" } ?? " and committing each record")",
      subtitle:
        "Payload bytes a second, each record committed, no flush. Higher is better. Floor: pwrite, and a store into a map.",
      x: Chart.Axis(label: "record size", marks: sizes.map(Double.init)) { sizeName(Int($0)) },
      y: axis("bytes a second", series) { "\(Quantity.short($0))B/s" }, series: series)
  }

  private static func latency(_ findings: Findings) -> Chart {
    let shares = [
      0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999,
    ]
    let styles: [Style] = [.ours, .floor, .first, .second]
    let series = zip(findings.latencies, styles).map { distribution, style in
      // One in so many is slower: the axis is logarithmic in that.
      Chart.Series(
        name: distribution.name, style: style,
        points: shares.map { (1 / (1 - $0), max(distribution.time(at: $0), 1)) })
    }
    let time = series.first { $0.style == .ours }?.value(at: 100).map {
      "99 of 100 appends take at most \(Quantity.time($0))"
    }
    return Chart(
      file: "append-latency", title: time ?? "How long one append takes",
      subtitle: "100 B, each committed by itself, no flush. Lower is better.",
      x: Chart.Axis(label: "share of the appends that take no longer", marks: [2, 10, 100, 1_000, 10_000]) {
        $0 == 2 ? "median" : Quantity.percent(1 - 1 / $0)
      },
      y: axis("time of an append", series, Quantity.shortTime), series: series)
  }

  private static func deliveries(_ findings: Findings) -> Chart {
    let outcomes = findings.outcomes(of: .deliver)
    let counts = WaitWork.readerCounts.map(Double.init)
    let series = lines(zip(counts, outcomes)) { _, time in 1e9 / time }
    let most = series.first { $0.style == .ours }?.highest.map { streams, rate in
      "\(Quantity.short(streams)) streams together receive \(Quantity.short((rate / 1e5).rounded() * 1e5)) records a second"
    }
    return Chart(
      file: "rate-by-readers", title: most ?? "Streams that keep up with a writer",
      subtitle: "Records of 100 B that all streams together receive a second. Higher is better. Floor: a thread each.",
      x: Chart.Axis(label: "streams", marks: counts, text: Quantity.short),
      y: axis("records a second", series, Quantity.short), series: series)
  }

  private static func opening(_ findings: Findings) -> Chart {
    let sizes = findings.growth.map { Double($0.records) }
    let series = lines(zip(sizes, findings.growth.map(\.open))) { _, time in time }
    let isFlat = series.first { $0.style == .ours }?.isFlat(within: 1.5) ?? false
    return Chart(
      file: "open-by-size",
      title: isFlat ? "A large log opens as fast as a small one" : "How long opening takes, by the size of the log",
      subtitle:
        "Closed cleanly, records of 100 B. Lower is better. Floor: opening both files and reading a header of each.",
      x: Chart.Axis(label: "records in the log", marks: sizes, text: Quantity.short),
      y: axis("time to open and close", series, Quantity.shortTime), series: series)
  }

  private static func growth(_ findings: Findings) -> Chart {
    let kinds: [(String, Style, (GrowthPoint) -> Double)] = [
      ("append + commit", .ours, \.append), ("read in order", .second, \.streamOldest),
      ("record at random", .first, \.readAtRandom),
    ]
    let series = kinds.map { name, style, value in
      Chart.Series(name: name, style: style, points: findings.growth.map { (Double($0.records), value($0)) })
    }
    let areFlat = series.filter { $0.style != .first }.allSatisfy { $0.isFlat(within: 2.5) }
    return Chart(
      file: "cost-by-size",
      title: areFlat
        ? "Appending, and reading in order, cost the same in a large log" : "What a record costs as the log grows",
      subtitle: "Records of 100 B. Flat is what it should be.",
      x: Chart.Axis(
        label: "records in the log", marks: findings.growth.map { Double($0.records) }, text: Quantity.short),
      y: axis("time per record", series, Quantity.shortTime), series: series)
  }

  /// A line for each contender.
  private static func lines(
    _ points: some Sequence<(Double, Outcome)>, _ value: (_ x: Double, _ time: Double) -> Double
  ) -> [Chart.Series] {
    let points = Array(points)
    var others: [Style] = [.first, .second]
    return (points.first?.1.entries ?? []).compactMap { entry in
      let style: Style? =
        switch entry.role {
        case .ours: .ours
        case .floor: .floor
        case .other: others.isEmpty ? nil : others.removeFirst()
        }
      guard let style else { return nil }
      return Chart.Series(
        name: entry.name, style: style,
        points: points.compactMap { x, outcome in
          outcome.entries.first { $0.name == entry.name }.map { (x, value(x, $0.median)) }
        })
    }
  }

  private static func axis(
    _ label: String, _ series: [Chart.Series], _ text: @escaping (Double) -> String
  ) -> Chart.Axis {
    Chart.Axis(label: label, marks: Chart.powers(around: series.flatMap(\.points).map(\.y)), text: text)
  }
}
