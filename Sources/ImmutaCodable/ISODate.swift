import Foundation
import Immuta

/// Dates as text that people and other programs read: ISO 8601, the proleptic Gregorian calendar, UTC.
///
/// Foundation's own styles write milliseconds at most, and so change the dates that go through them.
enum ISODate {
  /// Seconds from the beginning of 1970 to that of 2001.
  private static let reference: Int64 = 978_307_200
  private static let secondsOfDay: Int64 = 86_400
  /// Farther away than this, a `Date` does not say which second it is.
  private static let farthest = 1e14

  /// To the nanosecond, with as many digits as that takes; nil for a date that has no second. A year beyond 9999, or before 0,
  /// has a sign.
  static func text(of date: Date) -> String? {
    let time = date.timeIntervalSinceReferenceDate
    guard abs(time) <= farthest else { return nil }
    var whole = time.rounded(.down)
    var nanoseconds = Int64(((time - whole) * 1e9).rounded())
    if nanoseconds == 1_000_000_000 { (whole, nanoseconds) = (whole + 1, 0) }
    let (day, second) = CivilDate.floorDivide(Int64(whole) + reference, secondsOfDay)
    let (year, month, dayOfMonth) = CivilDate.date(ofDay: day)
    var text = (year < 0 ? "-" : year > 9999 ? "+" : "") + CivilDate.padded(abs(year), 4)
    text += "-\(CivilDate.padded(month, 2))-\(CivilDate.padded(dayOfMonth, 2))"
    text +=
      "T\(CivilDate.padded(second / 3600, 2)):\(CivilDate.padded(second / 60 % 60, 2)):\(CivilDate.padded(second % 60, 2))"
    if nanoseconds > 0 {
      var digits = Substring(CivilDate.padded(nanoseconds, 9))
      while digits.last == "0" { digits.removeLast() }
      text += ".\(digits)"
    }
    return text + "Z"
  }

  /// Nil for anything but a date and a time of day with an offset from UTC, `Z` or `+01:00`.
  static func date(of text: String) -> Date? {
    var parser = Parser(rest: text.utf8[...])
    let sign: Int64 = parser.take("-") ? -1 : parser.take("+") ? 1 : 1
    guard let year = parser.number(4...9), parser.take("-"), let month = parser.number(2...2), (1...12).contains(month),
      parser.take("-"), let day = parser.number(2...2), (1...31).contains(day), parser.take("T"),
      let hour = parser.number(2...2), hour <= 24, parser.take(":"), let minute = parser.number(2...2), minute < 60,
      parser.take(":"), let second = parser.number(2...2), second <= 60
    else { return nil }
    var nanoseconds: Int64 = 0
    if parser.take(".") {
      guard let digits = parser.digits(), !digits.isEmpty else { return nil }
      let used = digits.prefix(9)
      for digit in used { nanoseconds = nanoseconds * 10 + Int64(digit - UInt8(ascii: "0")) }
      for _ in used.count..<9 { nanoseconds *= 10 }
    }
    guard let offset = parser.offset(), parser.rest.isEmpty else { return nil }
    let days = CivilDate.day(of: sign * year, month, day)
    // A day that the month does not have is another one's.
    guard CivilDate.date(ofDay: days) == (sign * year, month, day) else { return nil }
    let seconds = days * secondsOfDay + hour * 3600 + minute * 60 + second - offset - reference
    return Date(timeIntervalSinceReferenceDate: Double(seconds) + Double(nanoseconds) / 1e9)
  }

  private struct Parser {
    var rest: Substring.UTF8View

    mutating func take(_ character: Character) -> Bool {
      guard rest.first == character.asciiValue else { return false }
      rest.removeFirst()
      return true
    }

    mutating func digits() -> [UInt8]? {
      let digits = Array(rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
      rest.removeFirst(digits.count)
      return digits
    }

    /// Of so many digits.
    mutating func number(_ lengths: ClosedRange<Int>) -> Int64? {
      let digits = Array(
        rest.prefix(lengths.upperBound).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
      guard lengths.contains(digits.count) else { return nil }
      rest.removeFirst(digits.count)
      return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// Seconds.
    mutating func offset() -> Int64? {
      if take("Z") { return 0 }
      let sign: Int64
      if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
      guard let hours = number(2...2), hours < 24 else { return nil }
      _ = take(":")
      guard let minutes = number(2...2), minutes < 60 else { return nil }
      return sign * (hours * 3600 + minutes * 60)
    }
  }
}
