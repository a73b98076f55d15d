import ArgumentParser

/// A span of time as an argument: a number and a unit, such as `500ms`, `5s`, `2m`, `1h`, `30d`.
struct TimeSpan {
  let duration: Duration
  /// As it was typed.
  let argument: String

  init?(argument: String) {
    self.argument = argument
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int64(digits), count <= 1_000_000_000 else { return nil }
    switch argument.dropFirst(digits.count) {
    case "ms": duration = .milliseconds(count)
    case "s": duration = .seconds(count)
    case "m": duration = .seconds(count * 60)
    case "h": duration = .seconds(count * 3600)
    case "d": duration = .seconds(count * 86_400)
    default: return nil
    }
  }

  /// What an option's argument says; an error says how a time is written.
  static func parse(_ text: String) throws -> TimeSpan {
    if let span = TimeSpan(argument: text) { return span }
    throw ValidationError("a time is a whole number with the unit ms, s, m, h or d, as in 500ms, 5s, 2m or 30d")
  }
}

/// A number of bytes as an argument: `4096`, or with a unit of 1,024: `64k`, `256M`, `10G`, `1T`, also as `64KiB`.
struct ByteCount: CustomStringConvertible {
  let bytes: Int

  init(_ bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int(digits) else { return nil }
    let unit = argument.dropFirst(digits.count)
    let shift: Int
    switch unit.hasSuffix("iB") ? unit.dropLast(2) : unit {
    case "": shift = 0
    case "k", "K": shift = 10
    case "M": shift = 20
    case "G": shift = 30
    case "T": shift = 40
    default: return nil
    }
    // `5iB` is nothing that anybody writes.
    if unit == "iB" { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
    if overflow { return nil }
    self.bytes = bytes
  }

  /// As it is typed, in the largest unit that says it exactly.
  var argument: String {
    for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "k")] where bytes > 0 && bytes % (1 << shift) == 0 {
      return "\(bytes >> shift)\(unit)"
    }
    return "\(bytes)"
  }

  var description: String { argument }

  /// What an option's argument says; an error says how a size is written.
  static func parse(_ text: String) throws -> ByteCount {
    if let count = ByteCount(argument: text) { return count }
    throw ValidationError("a size is a whole number of bytes, or has the unit k, M, G or T, as in 64k or 256M")
  }
}
