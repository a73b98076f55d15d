import ImmutaLibC
import Synchronization

/// Counts how many of an audience have the record that was committed last, and keeps the time when the last one had it.
final class Arrivals: Sendable {
  /// Before each record everybody falls asleep again.
  private static let pause = 2_000_000
  private static let look = 100_000

  private let audience: Int
  private let start = ContinuousClock.now
  /// Acquired and released, so that the last one stores the time after all others have come.
  private let count = Atomic(0)
  /// Nanoseconds since `start`; 0 until everybody has the record. Released by the last one, acquired by the writer.
  private let time = Atomic(0)
  private let failure = Mutex<(any Error)?>(nil)

  init(audience: Int) { self.audience = audience }

  /// One more has the record.
  func add() {
    if count.add(1, ordering: .acquiringAndReleasing).newValue % audience == 0 { time.store(now, ordering: .releasing) }
  }

  /// Somebody will never have it.
  func fail(_ error: any Error) {
    failure.withLock { $0 = $0 ?? error }
  }

  /// The median time, in nanoseconds, from before a commit until everybody has its record; of so many.
  ///
  /// Blocks: the audience has all other threads for itself. The first record is not counted: it is over when the whole audience
  /// has come and waits.
  func median(_ records: Int, commit: (_ number: Int) throws -> Void) throws -> Double {
    var times: [Double] = []
    for number in 0...records {
      sleep(Self.pause)
      let before = now
      try commit(number)
      let time = try last() - before
      if number > 0 { times.append(Double(time)) }
    }
    return Stopwatch.median(times)
  }

  private func last() throws -> Int {
    while true {
      let last = time.exchange(0, ordering: .acquiring)
      if last != 0 { return last }
      try failure.withLock { if let error = $0 { throw error } }
      try Interruption.check()
      sleep(Self.look)
    }
  }

  private var now: Int { Int(start.duration(to: .now) / .nanoseconds(1)) }

  private func sleep(_ nanoseconds: Int) {
    var time = timespec(tv_sec: 0, tv_nsec: nanoseconds)
    nanosleep(&time, nil)
  }
}
