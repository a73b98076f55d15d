import Immuta

/// Writes timestamps as `Timestamp.description` does, but makes the part up to the second only when the second changes:
/// records come in order of time.
struct TimestampText {
  private static let nanosecondsPerSecond: Int64 = 1_000_000_000
  private var second: Int64?
  /// Such as `2026-11-21T02:20:20.`, with the point.
  private var prefix: [UInt8] = []

  mutating func append(_ timestamp: Timestamp, to output: inout [UInt8]) {
    let nanoseconds = timestamp.nanosecondsSince1970
    var (second, fraction) = nanoseconds.quotientAndRemainder(dividingBy: Self.nanosecondsPerSecond)
    if fraction < 0 { (second, fraction) = (second - 1, fraction + Self.nanosecondsPerSecond) }
    if second != self.second {
      self.second = second
      // Nine digits and the Z are left out.
      prefix = Array(timestamp.description.utf8.dropLast(10))
    }
    output.append(contentsOf: prefix)
    output.append(decimal: Int(fraction), width: 9)
    output.append("Z")
  }
}

extension Timestamp {
  /// The day: `2026-11-21`.
  var day: String { String(description.prefix { $0 != "T" }) }

  /// To the second: nine digits more help nobody to read a table.
  var toTheSecond: String { description.dropLast(11) + "Z" }
}
