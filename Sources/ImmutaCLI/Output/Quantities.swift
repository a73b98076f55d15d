// Numbers for people.

/// How numbers read.
enum Quantities {
  /// Thousands apart: `1,234,567`.
  static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (position, digit) in digits.enumerated() {
      if position > 0, (digits.count - position).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return value < 0 ? "-\(text)" : text
  }

  /// A number and what it counts: `1,234 records`, `1 record`.
  static func counted(_ value: Int, _ noun: String) -> String {
    "\(grouped(value)) \(noun)\(value == 1 ? "" : "s")"
  }

  /// Three digits or so, in a unit that suits: `640 µs`, `12.3 ms`, `4.56 s`.
  static func time(_ duration: Duration) -> String {
    let seconds = duration / .seconds(1)
    if seconds < 0.001 { return "\(rounded(seconds * 1_000_000, digits: 0)) µs" }
    if seconds < 1 { return "\(rounded(seconds * 1000, digits: seconds < 0.1 ? 1 : 0)) ms" }
    return "\(rounded(seconds, digits: seconds < 100 ? 2 : 0)) s"
  }

  /// Three digits, in a unit that suits: `4.56 ns`, `78.9 µs`, `123 ms`.
  static func nanoseconds(_ value: Double) -> String {
    var (value, unit) = (value, "ns")
    for larger in ["µs", "ms", "s"] where value >= 999.5 { (value, unit) = (value / 1000, larger) }
    return "\(rounded(value, digits: value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(unit)"
  }

  /// How many happened in a second; nil where no time passed or nothing happened.
  static func rate(_ count: Int, in duration: Duration) -> Int? {
    let seconds = duration / .seconds(1)
    guard seconds > 0, count > 0 else { return nil }
    return Int(exactly: (Double(count) / seconds).rounded())
  }

  /// Megabytes a second, in parentheses and after a space, where there was enough to measure one; else nothing.
  static func rateSuffix(_ bytes: Int, in duration: Duration) -> String {
    guard bytes >= 1_000_000, let rate = megabytes(bytes, in: duration) else { return "" }
    return " (\(rate) MB/s)"
  }

  /// Megabytes a second; below ten with a digit after the point.
  static func megabytes(_ bytes: Int, in duration: Duration) -> String? {
    let seconds = duration / .seconds(1)
    guard seconds > 0, bytes > 0 else { return nil }
    let rate = Double(bytes) / seconds / 1_000_000
    return rate < 10 ? rounded(rate, digits: 1) : grouped(Int(rate.rounded()))
  }

  /// A number of at least 0 with so many digits after the point.
  static func rounded(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((value * Double(scale)).rounded())
    guard digits > 0 else { return grouped(scaled) }
    let fraction = String(scaled % scale)
    return "\(grouped(scaled / scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
  }
}

/// How numbers of bytes are said in a table.
enum ByteWords {
  /// Each of them: `1,234,567`.
  case exact
  /// Three digits, in a unit that suits: `38 B`, `1.18 MiB`.
  case rounded

  /// What the column is called.
  var title: String { self == .exact ? "BYTES" : "SIZE" }

  /// With the unit, also where all of them are said.
  func said(_ bytes: Int) -> String { self == .exact ? Quantities.counted(bytes, "byte") : of(bytes) }

  func of(_ bytes: Int) -> String {
    if self == .exact { return Quantities.grouped(bytes) }
    if bytes < 1000 { return "\(bytes) B" }
    var (value, unit) = (Double(bytes), "B")
    for larger in ["KiB", "MiB", "GiB", "TiB"] where value >= 999.5 { (value, unit) = (value / 1024, larger) }
    return "\(Quantities.rounded(value, digits: value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(unit)"
  }
}
