import Dispatch
import Immuta
import Testing

/// Threads for calls that block. What was added is done, whatever the threads are about to do at that moment.
@Suite struct WorkThreadsTests {
  /// The caller that adds work takes a thread's gate, and is held up before it opens the gate. Meanwhile the thread has rested long
  /// enough, finds the work by itself, does it, and rests again. The gate is then opened for nothing.
  @Test func aThreadThatIsWokenLateLeavesNoWorkUndone() {
    let rest: Int64 = 50_000_000
    let found = DispatchSemaphore(value: 0)
    let threads = WorkThreads(restTime: rest) { found.wait() }
    #expect(Self.isDone(by: threads) {})
    // The thread rests now. It finds the second piece of work, and only then is woken for it.
    Self.sleep(nanoseconds: rest / 5)
    #expect(Self.isDone(by: threads) { found.signal() })
    // It has ended.
    Self.sleep(nanoseconds: 4 * rest)
    found.signal()
    #expect(Self.isDone(by: threads) {})
  }

  /// Whether work is done that is added now.
  private static func isDone(by threads: WorkThreads, _ work: @escaping @Sendable () -> Void) -> Bool {
    let done = DispatchSemaphore(value: 0)
    let isAdded: Void? = try? threads.add {
      work()
      done.signal()
    }
    return isAdded != nil && done.wait(timeout: .now() + .seconds(20)) == .success
  }

  private static func sleep(nanoseconds: Int64) {
    _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .nanoseconds(Int(nanoseconds)))
  }
}
