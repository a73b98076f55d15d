import Solid
import Synchronization

/// Gives way to other tasks until the condition holds.
///
/// A test's time limit bounds it.
func until(_ condition: () -> Bool) async throws {
  while !condition() {
    try Task.checkCancellation()
    await Task.yield()
  }
}

extension Broadcaster {
  /// Returns once exactly so many callers wait.
  func settles(at count: Int) async throws {
    try await until { waiterCount == count }
  }
}

/// A number that tasks share.
final class Counter: Sendable {
  let value = Atomic<Int>(0)
}

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// An executor that counts what it is asked to run, to see whether an actor's task ever left and came back.
final class CountingExecutor: SerialExecutor {
  let jobs = Atomic<Int>(0)

  func enqueue(_ job: consuming ExecutorJob) {
    jobs.add(1, ordering: .relaxed)
    let job = UnownedJob(job)
    // Serial because the tests that use it have one task on it at a time.
    Task.detached { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }
}
