/// Tells the time of commits: never earlier than the one before.
///
/// Reading the wall clock takes a third of a small append, so it is read once in each tick of the kernel's clock, which a cheaper
/// call reports: a record that comes alone has its exact time, and in a burst the records of one tick (1 to 10 ms) share the
/// first one's.
///
/// If the clock is up to a minute before the last time, time stands still until the clock has passed it. If it is further back,
/// it was wrong before or is wrong now, and time goes on slowly: see ``SlowTime``. A pure state machine: its owner reads the
/// clocks, and reports news.
struct CommitClock: Sendable {
  /// The time of the last commit.
  private(set) var last: Int64
  private var tick = Int64.min
  /// The slow time, present or last, while the clock is before the last time.
  private(set) var slow: SlowTime?
  /// The wall clock, and one that nobody sets, as they were read together.
  private var anchor: (wall: Int64, steady: Int64)?

  /// How often the two clocks are compared.
  private static var comparison: Int64 { 1_000_000_000 }

  /// - Parameters:
  ///   - last: the time of the last record; nil where there is none.
  ///   - slow: what was known of times when the log was closed.
  init(last: Int64?, slow: SlowTime?) {
    self.last = last ?? .min
    self.slow = slow
  }

  /// Whether `last` is the time of a commit in this tick.
  @inline(__always)
  func isCurrent(_ tick: Int64) -> Bool { tick == self.tick }

  /// What a reading found that people should know.
  struct News: Equatable {
    /// By how much the wall clock was set.
    var jump: Int64?
    /// `slow` is another than before.
    var isOther = false
    /// By how much the clock is before the last time, if it was not at the reading before.
    var lag: Int64?
  }

  /// Takes the clock's reading for the commits of a tick.
  ///
  /// - Parameters:
  ///   - wall: nanoseconds since 1970.
  ///   - record: the number of the record that is committed.
  ///   - steady: nanoseconds by a clock that nobody sets; asked about once a second.
  mutating func read(_ wall: Int64, tick: Int64, record: Int, steady: () -> Int64) -> News {
    self.tick = tick
    var news = News()
    compare(wall, steady, &news)
    if wall >= last {
      last = wall
      if slow?.lasts == true {
        slow?.end = record
        news.isOther = true
      }
      return news
    }
    if let slow, slow.lasts {
      let known = slow.clock(at: last) ?? .max
      if wall >= known { last = max(last, slow.time(at: wall)) }
      if known.subtractingHeld(wall) <= ClockDoubt.tolerance { return news }
    }
    let lag = last.subtractingHeld(wall)
    if lag > ClockDoubt.tolerance {
      last = last.addingHeld(1)
      slow = SlowTime(first: record, time: last, clock: wall)
      news.isOther = true
      news.lag = lag
    }
    return news
  }

  private mutating func compare(_ wall: Int64, _ steady: () -> Int64, _ news: inout News) {
    guard let before = anchor else {
      anchor = (wall, steady())
      return
    }
    let passed = wall.subtractingHeld(before.wall)
    if passed >= 0, passed < Self.comparison { return }
    let now = steady()
    let jump = passed.subtractingHeld(now.subtractingHeld(before.steady))
    if jump > ClockDoubt.tolerance || jump < -ClockDoubt.tolerance { news.jump = jump }
    anchor = (wall, now)
  }
}
