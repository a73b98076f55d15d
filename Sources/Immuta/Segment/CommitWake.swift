/// Decides whether a commit wakes the followers in other processes, which costs a call: they wait in the kernel, and nothing that
/// the writer could load shows whether anybody waits.
///
/// The call says how many it woke. As long as it wakes somebody, the next commit calls, too. Where calls go unanswered,
/// they are made again with the first commits of each tick of the kernel's clock (1 to 10 ms), and otherwise once in 4,096
/// commits, however time goes. So a writer without followers pays a countdown for each commit, and a writer of
/// single records, whose commits each fall into a tick of their own, always calls.
///
/// A follower that just saw a commit may so miss the next. That is why it looks again by itself for a while before it
/// sleeps: see ``FollowPace``.
struct CommitWake: Sendable {
  /// Commits until the next call, within a tick.
  private var left = 0
  /// Calls that woke nobody.
  private var unanswered = 0

  /// Calls that may go unanswered in a tick.
  static var mostUnanswered: Int { 4 }
  /// Commits without a call, where the clock stands still: those of 100 bytes take half a millisecond.
  static var pause: Int { 4096 }

  /// Whether this commit calls.
  @inline(__always)
  mutating func isDue() -> Bool {
    left &-= 1
    return left < 0
  }

  /// The commit's time is of another tick than that of the commit before.
  mutating func beginTick() {
    (left, unanswered) = (0, 0)
  }

  /// The commit called, and woke so many.
  mutating func called(waking count: Int) {
    if count > 0 {
      // Other commits come while the woken followers look: two calls for them.
      unanswered = min(unanswered, Self.mostUnanswered - 2)
    } else {
      unanswered += 1
    }
    left = unanswered < Self.mostUnanswered ? 0 : Self.pause
  }
}
