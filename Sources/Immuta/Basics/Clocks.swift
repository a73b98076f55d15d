import ImmutaLibC
import Synchronization

/// The time, by clocks that people set and by others.
package enum Clocks {
  /// The offset that tests add to the wall clock. Relaxed: a test sets it before it starts the work that should see it.
  private static let wallClockOffset = Atomic<Int64>(0)

  /// Runs `body` while the wall clock is wrong by so much, in nanoseconds, for all of the process.
  package static func withWallClock<R>(off nanoseconds: Int64, _ body: () async throws -> R) async rethrows -> R {
    wallClockOffset.store(nanoseconds, ordering: .relaxed)
    defer { wallClockOffset.store(0, ordering: .relaxed) }
    return try await body()
  }

  /// Nanoseconds since 1970, kept within the range of 64 bits.
  static func wallClock() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    let (seconds, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    let now = overflow ? (time.tv_sec < 0 ? .min : .max) : seconds.addingHeld(Int64(time.tv_nsec))
    return now.addingHeld(wallClockOffset.load(ordering: .relaxed))
  }

  /// Nanoseconds of a clock that nobody sets, and that goes on while the machine sleeps.
  static func steadyClock() -> Int64 {
    var time = timespec()
    #if os(Linux)
      unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    #else
      unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    #endif
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  /// Nanoseconds of a clock that nobody sets, and that stands still while the machine sleeps: what waits are measured by.
  static func steadyUptime() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  /// The wall clock as of the kernel's last tick, if reading that is cheaper; to be compared only with itself.
  static func coarseWallClock() -> Int64 {
    #if os(Linux)
      var time = timespec()
      unsafe clock_gettime(CLOCK_REALTIME_COARSE, &time)
      // Wrapping: different ticks stay different.
      return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    #else
      return wallClock()
    #endif
  }
}

extension ContinuousClock.Instant {
  /// So much later than now. A century is as good as any longer time, and can be added to any clock.
  package static func after(_ timeout: Duration) -> ContinuousClock.Instant {
    .now + min(timeout, .seconds(100 * 365 * 86_400))
  }
}
