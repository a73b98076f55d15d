/// Tells the time of commits: never earlier than the one before.
///
/// Reading the wall clock takes a third of a small append, so it is read once in a tick of the kernel's, which a
/// cheaper call tells: a record that comes alone has its exact time, and in a burst those of one tick (1 to 10 ms)
/// share the first one's.
struct CommitClock: Sendable {
  private var last: Int64
  private var tick = Int64.min

  /// - Parameter last: the time of the last record there is.
  init(last: Int64) {
    self.last = last
  }

  /// The time of a commit, in nanoseconds since 1970.
  @inline(__always)
  mutating func now() -> Int64 {
    let tick = SystemCalls.coarseWallClock()
    if tick != self.tick {
      self.tick = tick
      last = max(last, SystemCalls.wallClock())
    }
    return last
  }
}
