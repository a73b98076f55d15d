/// When a log rolls, by the configuration of its segments. A pure state machine: its owner counts bytes and reads the clock.
struct RollState: Sendable {
  private let maximumBytes: Int
  private let maximumAge: Int64?
  /// How many records' entries the companion has room for, by the limit on file sizes.
  private let maximumCount: Int
  /// A record whose payload ends beyond this byte begins another segment, unless it is the first record of its segment.
  private(set) var lastEnd: Int
  private let recordHeaderSize: Int
  /// When the segment becomes too old, by a clock that nobody sets; nil while it has no record, or if it may have any age.
  private(set) var deadline: Int64?
  private var isOld = false

  /// - Parameters:
  ///   - sizeLimit: how large the system lets a file become: a log that rolls begins another segment there.
  ///   - firstTime: the time of the first record of the segment that is appended to; nil if it has none.
  init(_ limits: SegmentLimits, _ format: LogFormat, sizeLimit: Int = .max, firstTime: Int64?) {
    let rolls = limits.maximumBytes != nil || limits.maximumAge != nil
    maximumBytes = rolls ? min(limits.maximumBytes ?? .max, sizeLimit) : .max
    maximumCount = rolls && sizeLimit != .max ? CompanionEntry.room(in: sizeLimit) : .max
    maximumAge = limits.maximumAge?.nanoseconds
    recordHeaderSize = format.recordHeaderSize
    lastEnd = Self.lastEnd(maximumBytes, recordHeaderSize)
    if let firstTime, let maximumAge {
      // If the clock was set back, the age is at least 0.
      let age = max(0, Clocks.wallClock().subtractingHeld(firstTime))
      deadline = Clocks.steadyClock().addingHeld(max(0, maximumAge - age))
    }
  }

  /// Whether the log ever rolls by itself.
  var hasLimits: Bool { maximumAge != nil || maximumBytes != .max }

  /// The first record of the segment was committed.
  mutating func noteFirst() {
    if let maximumAge, deadline == nil { deadline = Clocks.steadyClock().addingHeld(maximumAge) }
  }

  /// Takes note of the time.
  mutating func noteTime() {
    if let deadline, !isOld, Clocks.steadyClock() >= deadline { (isOld, lastEnd) = (true, -1) }
  }

  /// Whether a record of so many bytes, or more, begins another segment.
  ///
  /// - Parameters:
  ///   - count: records of the segment.
  ///   - tail: where the last of them ends.
  func isDue(count: Int, tail: Int, adding size: Int) -> Bool {
    if count == 0 { return false }
    if isOld || count >= maximumCount { return true }
    return maximumBytes != .max && size > maximumBytes - recordHeaderSize - tail
  }

  /// A file of the segment cannot grow any more: another begins. False where the log rolls by hand only.
  mutating func noteFull() -> Bool {
    guard hasLimits else { return false }
    (isOld, lastEnd) = (true, -1)
    return true
  }

  /// Whether it is time to make the next segment: half of the room is used.
  func isNextDue(tail: Int) -> Bool {
    if isOld { return true }
    return maximumBytes != .max && tail > maximumBytes / 2
  }

  /// A new segment is appended to from now on.
  mutating func begin() {
    (isOld, deadline) = (false, nil)
    lastEnd = Self.lastEnd(maximumBytes, recordHeaderSize)
  }

  private static func lastEnd(_ maximumBytes: Int, _ recordHeaderSize: Int) -> Int {
    maximumBytes == .max ? .max : maximumBytes - recordHeaderSize
  }
}
