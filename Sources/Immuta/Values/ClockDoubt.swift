/// Why the times of a log may be wrong: a clock is wrong, or was.
@nonexhaustive
public enum ClockDoubt: Hashable, Sendable {
  /// The times of the records from this sequence on are later than the system's clock is now, the last one's by this
  /// much. Either the clock was ahead when the first of them was committed, or it lags now. ``Log/clockTime(of:)`` says
  /// more.
  case recordsAhead(from: Int, by: Duration)
  /// The log's file was last changed at a moment that is this much later than the system's clock is now.
  case fileAhead(by: Duration)
  /// While the log was open here, the system's clock was set by this much: forward, or backward if it is negative. The timestamp
  /// is what the clock said when it was last set.
  case clockSet(by: Duration, at: Timestamp)
}

extension ClockDoubt {
  /// How far a clock may be off, or be corrected, before this is reported, in nanoseconds. Time services correct less than this
  /// in one go.
  static var tolerance: Int64 { 60_000_000_000 }
}

extension ClockDoubt: CustomStringConvertible {
  /// What was noticed, and what may have caused it.
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
  /// Whether it is later than the clock is now, by more than clocks usually differ.
  package var isDoubtful: Bool {
    nanosecondsSince1970.subtractingHeld(Clocks.wallClock()) > ClockDoubt.tolerance
  }
}
