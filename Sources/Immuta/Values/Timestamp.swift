/// A moment: nanoseconds since the beginning of 1970, UTC, leap seconds not counted.
///
/// Records carry the moment of their commit. Within one log timestamps never go down, even when the system's clock does. Commits
/// in quick succession share a moment, that of the first in a tick of the kernel's clock. So a record's moment may be up to 10 ms
/// before its commit, and before the call that appended it.
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
    let (days, nanoseconds) = CivilDate.floorDivide(nanosecondsSince1970, 86_400_000_000_000)
    let (year, month, day) = CivilDate.date(ofDay: days)
    let seconds = nanoseconds / 1_000_000_000
    let date = "\(CivilDate.padded(year, 4))-\(CivilDate.padded(month, 2))-\(CivilDate.padded(day, 2))"
    let time =
      "\(CivilDate.padded(seconds / 3600, 2)):\(CivilDate.padded(seconds / 60 % 60, 2)):\(CivilDate.padded(seconds % 60, 2))"
    return "\(date)T\(time).\(CivilDate.padded(nanoseconds % 1_000_000_000, 9))Z"
  }
}
