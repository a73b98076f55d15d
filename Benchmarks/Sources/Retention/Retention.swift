import Foundation
import Harness

/// Draws what a log takes on the disk that keeps a part of what is appended, from the table that `CountedWork retention` prints:
/// see Scripts/bench.sh.
@main struct Retention {
  static func main() throws {
    var rows: [[Double]] = []
    while let line = readLine() {
      let values = line.split(separator: ",").compactMap { Double($0) }
      if values.count == 3 { rows.append(values) }
    }
    guard let last = rows.last, let most = rows.map({ $0[1] }).max() else { throw NoTable() }
    let keepsAll = Chart.Series(name: "all kept", style: .floor, points: rows.map { ($0[0], $0[2]) })
    let keepsSome = Chart.Series(name: "256 MB kept", style: .ours, points: rows.map { ($0[0], $0[1]) })
    let title =
      most < 2 * 256 ? "A log that keeps its newest 256 MB stops growing" : "A log that keeps its newest 256 MB"
    try Chart(
      file: "disk-under-retention", title: title,
      subtitle: "Segments of 32 MB, records of 1 KiB. All files, with space reserved ahead. Flat is what it should be.",
      x: axis("appended", through: last[0]), y: axis("on the disk", through: last[2]), series: [keepsSome, keepsAll]
    ).write(to: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "Charts", named: .byTheme)
    let whole = rows.filter { $0[0] > last[0] / 2 }.map { $0[1] }
    print(
      "after \(Quantity.bytes(Int(last[0] * 1e6))) the log takes \(Quantity.bytes(Int(last[1] * 1e6))) on the disk; at most "
        + "\(Quantity.bytes(Int(most * 1e6))), and \(Quantity.bytes(Int((whole.min() ?? 0) * 1e6))) to "
        + "\(Quantity.bytes(Int((whole.max() ?? 0) * 1e6))) in the second half")
  }

  /// Four steps from zero, in megabytes.
  private static func axis(_ label: String, through end: Double) -> Chart.Axis {
    let step = max(1, (end / 4 / 50).rounded(.up) * 50)
    return Chart.Axis(label: label, marks: (0...4).map { Double($0) * step }, isLinear: true) {
      Quantity.bytes(Int($0 * 1e6))
    }
  }

  private struct NoTable: Error, CustomStringConvertible {
    var description: String { "standard input has no table: run Scripts/bench.sh retention" }
  }
}
