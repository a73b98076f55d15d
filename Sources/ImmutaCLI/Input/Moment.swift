import ArgumentParser
import Immuta
import ImmutaLibC

/// A moment as an argument: ISO 8601, or in words.
///
/// The C library knows the local time zone. Foundation would, too, but its dates are floating-point numbers: the nine digits
/// of a second that the tool prints would not lead back to the record they came from.
enum Moment {
  /// When the tool was started, more or less: the same for all of its arguments.
  static let now = Timestamp.now

  /// The moment that an option's value says; a usage error where it says none.
  static func parse(_ text: String) throws -> Timestamp {
    guard let moment = Moment.read(text) else {
      throw ValidationError(
        """
        that is no time: use a date or time such as 2026-11-26, 2026-11-26T10:30:00 or 2026-11-26T10:30:00Z (without a zone \
        it is local), or words such as "10 min ago", "2 h ago", "3 days ago", yesterday, today, now
        """)
    }
    return moment
  }

  /// Nil for anything else.
  static func read(_ text: String, now: Timestamp = now) -> Timestamp? {
    switch text.lowercased() {
    case "now": now
    case "today": midnight(daysAgo: 0, now)
    case "yesterday": midnight(daysAgo: 1, now)
    case let text: ago(text, now) ?? date(text)
    }
  }

  // MARK: In words

  /// So much earlier than now: numbers with units, and “ago”.
  private static func ago(_ text: String, _ now: Timestamp) -> Timestamp? {
    guard text.hasSuffix("ago") else { return nil }
    var rest = text.dropLast(3)[...].drop { $0 == " " }
    var seconds: Int64 = 0
    repeat {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count).drop { $0 == " " }
      let unit = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(unit.count).drop { $0 == " " }
      guard let count = Int64(digits), let length = length(of: unit) else { return nil }
      let (product, overflows) = count.multipliedReportingOverflow(by: length)
      let (sum, isTooMuch) = seconds.addingReportingOverflow(product)
      if overflows || isTooMuch { return nil }
      seconds = sum
    } while !rest.isEmpty
    let (nanoseconds, overflows) = seconds.multipliedReportingOverflow(by: nanosecondsPerSecond)
    let (moment, isTooEarly) = now.nanosecondsSince1970.subtractingReportingOverflow(nanoseconds)
    return overflows || isTooEarly ? nil : Timestamp(nanosecondsSince1970: moment)
  }

  /// Of a unit, in seconds.
  private static func length(of unit: Substring) -> Int64? {
    switch unit {
    case "s", "sec", "secs", "second", "seconds": 1
    case "m", "min", "mins", "minute", "minutes": 60
    case "h", "hour", "hours": 3600
    case "d", "day", "days": 86_400
    case "w", "week", "weeks": 7 * 86_400
    default: nil
    }
  }

  // MARK: Dates

  private static let nanosecondsPerSecond: Int64 = 1_000_000_000

  private static func date(_ text: String) -> Timestamp? {
    let pattern =
      #/([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[t ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?(z|[+-][0-9]{2}(?::?[0-9]{2})?)?/#
    guard let match = text.wholeMatch(of: pattern)?.output else { return nil }
    var fields = tm()
    func number(_ text: Substring?) -> Int32 { text.flatMap { Int32($0) } ?? 0 }
    fields.tm_year = number(match.1) - 1900
    fields.tm_mon = number(match.2) - 1
    fields.tm_mday = number(match.3)
    fields.tm_hour = number(match.4)
    fields.tm_min = number(match.5)
    fields.tm_sec = number(match.6)
    guard let (offset, isLocal) = zone(match.8), var seconds = seconds(fields, isLocal: isLocal) else { return nil }
    seconds -= offset
    let digits = match.7 ?? ""
    let fraction = Int64(digits + String(repeating: "0", count: 9 - digits.count)) ?? 0
    let (product, overflows) = seconds.multipliedReportingOverflow(by: nanosecondsPerSecond)
    let (moment, isTooLate) = product.addingReportingOverflow(fraction)
    return overflows || isTooLate ? nil : Timestamp(nanosecondsSince1970: moment)
  }

  /// Seconds east of Greenwich.
  private static func zone(_ text: Substring?) -> (offset: Int64, isLocal: Bool)? {
    guard let text else { return (0, true) }
    if text == "z" { return (0, false) }
    let digits = text.filter(\.isNumber)
    guard let hours = Int64(digits.prefix(2)), let minutes = Int64(digits.count > 2 ? digits.suffix(2) : "0"),
      hours < 24, minutes < 60
    else { return nil }
    let offset = hours * 3600 + minutes * 60
    return (text.first == "-" ? -offset : offset, false)
  }

  /// Seconds since 1970; nil for a date or time of day that does not exist.
  private static func seconds(_ fields: tm, isLocal: Bool) -> Int64? {
    // The C library takes the 31st of November for the first of December.
    var normal = fields
    let seconds = timegm(&normal)
    guard normal.tm_mday == fields.tm_mday, normal.tm_mon == fields.tm_mon, normal.tm_hour == fields.tm_hour,
      normal.tm_min == fields.tm_min, normal.tm_sec == fields.tm_sec
    else { return nil }
    if !isLocal { return Int64(seconds) }
    return local(fields)
  }

  /// Seconds since 1970. An hour that the local time skips is that after it; of one that comes twice it is either.
  private static func local(_ fields: tm) -> Int64? {
    var fields = fields
    fields.tm_isdst = -1
    // It sets the day of the week, if it succeeds.
    fields.tm_wday = -1
    let seconds = mktime(&fields)
    return fields.tm_wday == -1 ? nil : Int64(seconds)
  }

  /// When a day began, by local time.
  private static func midnight(daysAgo days: Int32, _ now: Timestamp) -> Timestamp? {
    var seconds = time_t(now.nanosecondsSince1970 / nanosecondsPerSecond)
    var fields = tm()
    guard localtime_r(&seconds, &fields) != nil else { return nil }
    fields.tm_mday -= days
    (fields.tm_hour, fields.tm_min, fields.tm_sec) = (0, 0, 0)
    return local(fields).map { Timestamp(nanosecondsSince1970: $0 * nanosecondsPerSecond) }
  }
}
