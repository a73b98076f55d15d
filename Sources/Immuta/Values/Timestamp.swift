/// A moment: nanoseconds since the beginning of 1970, UTC, leap seconds not counted.
///
/// Records carry the moment of their commit. Within one log timestamps never go down, even when the system's clock
/// does. Commits in quick succession share a moment, that of the first in a tick of the kernel's clock: a record's may
/// so be up to 10 ms before its commit, and before the call that appended it.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  public var nanosecondsSince1970: Int64

  /// The moment so many nanoseconds after the beginning of 1970.
  public init(nanosecondsSince1970: Int64) {
    self.nanosecondsSince1970 = nanosecondsSince1970
  }

  /// Seconds since 1970-01-01T00:00:00Z, for `Date(timeIntervalSince1970:)`; exact to about 200 nanoseconds.
  public var secondsSince1970: Double { Double(nanosecondsSince1970) / 1_000_000_000 }

  /// The system's clock, now.
  public static var now: Timestamp { Timestamp(nanosecondsSince1970: Clocks.wallClock()) }

  /// Earlier first.
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.nanosecondsSince1970 < right.nanosecondsSince1970
  }
}

extension Timestamp: CustomStringConvertible {
  /// ISO 8601, UTC, with all nine digits of the second: `2026-11-21T02:20:20.000000000Z`.
  public var description: String {
    let (days, nanoseconds) = Self.floorDivide(nanosecondsSince1970, 86_400_000_000_000)
    let (year, month, day) = Self.civil(fromDays: days)
    let seconds = nanoseconds / 1_000_000_000
    let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
    let time =
      "\(Self.padded(seconds / 3600, 2)):\(Self.padded(seconds / 60 % 60, 2)):\(Self.padded(seconds % 60, 2))"
    return "\(date)T\(time).\(Self.padded(nanoseconds % 1_000_000_000, 9))Z"
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  /// The proleptic Gregorian date of a day number, counted in eras of 400 years that begin on the first of March.
  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }
}
