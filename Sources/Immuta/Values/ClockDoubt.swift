/// Why the times of a log may be wrong: somebody's clock is, or was.
public enum ClockDoubt: Hashable, Sendable {
  /// The times of the records from this number on are later than the system's clock is now, the last one's by so much:
  /// the clock was ahead when the first of them was committed, or is behind now. ``Log/clockTime(of:)`` tells more.
  case recordsAhead(from: Int, by: Duration)
  /// The log's file was last changed at a moment that is so much later than the system's clock is now.
  case fileAhead(by: Duration)
  /// While the log was open here, the system's clock was set forward, or backward where it is negative, by so much: last
  /// at the moment that the clock then said.
  case clockSet(by: Duration, at: Timestamp)
}

extension ClockDoubt {
  /// How far a clock may be off, or be put right, before people are told, in nanoseconds: more than those who keep clocks
  /// do in one go.
  static var tolerance: Int64 { 60_000_000_000 }
}

extension ClockDoubt: CustomStringConvertible {
  /// What was noticed, and what it may come from.
  public var description: String {
    switch self {
    case .recordsAhead(let first, let time):
      """
      the times from record \(first) on are later than the clock, the last by \(Self.text(time)): the clock was ahead \
      when that one was committed, or is behind now
      """
    case .fileAhead(let time):
      "the file was last changed \(Self.text(time)) after the clock's time: the clock was ahead then, or is behind now"
    case .clockSet(let time, let moment):
      "the clock was set \(Self.text(time)) \(time < .zero ? "back" : "forward"), to \(moment)"
    }
  }

  private static func text(_ time: Duration) -> String {
    let seconds = abs(time.components.seconds)
    if seconds >= 2 * 86_400 { return "\(seconds / 86_400) days" }
    if seconds >= 2 * 3600 { return "\(seconds / 3600) hours" }
    return seconds >= 120 ? "\(seconds / 60) minutes" : "\(seconds) s"
  }
}

extension Timestamp {
  /// Whether it is later than the clock is now, by more than clocks differ.
  package var isDoubtful: Bool {
    nanosecondsSince1970.subtractingHeld(Clocks.wallClock()) > ClockDoubt.tolerance
  }
}
