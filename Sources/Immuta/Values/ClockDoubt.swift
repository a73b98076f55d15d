/// Why the times of a log may be wrong: a clock is wrong, or was.
@nonexhaustive
public enum ClockDoubt: Hashable, Sendable {
  /// The times of the records from this sequence on are later than the system's clock is now, the last one's by this
  /// much. Either the clock was ahead when the first of them was committed, or it lags now. ``Log/clockTime(of:)`` says
  /// more.
  case recordsAhead(from: Int, by: Duration)
  /// The log's file was last changed at a moment that is this much later than the system's clock is now.
  case fileAhead(by: Duration)
  /// While the log was open here, the system's clock was set by this much: forward, or backward if it is negative. The
  /// timestamp is what the clock said when that last happened.
  case clockSet(by: Duration, at: Timestamp)
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

extension Log {
  /// When a record was committed, by the system's clock at that time.
  ///
  /// That is the record's timestamp, with two exceptions. Timestamps never go down: after a record that was committed
  /// while the clock was far ahead, those of the next records go on slowly from there. For these, this is what the
  /// clock really said, to a microsecond. And a timestamp that is more than a minute later than the clock is now,
  /// without more being known about it, cannot be right.
  ///
  /// - Returns: nil if the time is not known, or if no ``Timestamp`` can hold it: 64 bits of nanoseconds end in April
  ///   2262.
  /// - Complexity: O(1). If the timestamp is not later than the clock, reading the clock is the only system call.
  public func clockTime(of record: Record) -> Timestamp? {
    let time = record.timestamp
    // The ends of what it can say stand for all that is beyond them.
    if time.nanosecondsSince1970 == .max || time.nanosecondsSince1970 == .min { return nil }
    if !time.isDoubtful { return time }
    guard let slow = try? companionHeader()?.slowTime, slow.covers(record.sequence) else { return nil }
    return slow.clock(at: time.nanosecondsSince1970).map(Timestamp.init(nanosecondsSince1970:))
  }

  /// What makes the log's times doubtful, as things are now.
  func clockDoubts() throws(ImmutaError) -> [ClockDoubt] {
    var doubts: [ClockDoubt] = []
    let now = SystemCalls.wallClock()
    let count = reader.count
    if count > 0, let last = time(of: count - 1), last.subtractingHeld(now) > CommitClock.tolerance {
      let by = Duration.nanoseconds(last.subtractingHeld(now))
      doubts.append(.recordsAhead(from: firstRecord(after: now, count), by: by))
    }
    if let modified = try currentFiles.directory.status(of: currentFiles.log)?.modified,
      modified.subtractingHeld(now) > CommitClock.tolerance
    {
      doubts.append(.fileAhead(by: .nanoseconds(modified.subtractingHeld(now))))
    }
    if let set = writer?.clockSet { doubts.append(set) }
    return doubts
  }

  private func firstRecord(after now: Int64, _ count: Int) -> Int {
    // Of records whose times cannot be read nobody knows; they are passed over towards the end.
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if let time = time(of: middle), time.subtractingHeld(now) > CommitClock.tolerance {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  private func time(of number: Int) -> Int64? { try? reader.timestamp(of: number).nanosecondsSince1970 }
}

extension Timestamp {
  /// Whether it is later than the clock is now, by more than clocks differ.
  package var isDoubtful: Bool {
    nanosecondsSince1970.subtractingHeld(SystemCalls.wallClock()) > CommitClock.tolerance
  }
}
