import Dispatch
import Solid
import Synchronization
import Testing

@Suite("Waiting for a number", .timeLimit(.minutes(1)))
struct WaitingTests {
  @Test("returns at once what has come already, even when cancelled or closed")
  func passed() async throws {
    let broadcaster = Broadcaster(generation: 5)
    #expect(try await broadcaster.wait(past: 4) == 5)
    #expect(try await broadcaster.wait(past: -1) == 5)

    let cancelled = Task {
      while !Task.isCancelled { await Task.yield() }
      return try await broadcaster.wait(past: 4)
    }
    cancelled.cancel()
    #expect(try await cancelled.value == 5)

    broadcaster.close()
    #expect(try await broadcaster.wait(past: 0) == 5)
    #expect(try await broadcaster.wait(past: 0, timeout: .seconds(1)) == 5)
    #expect(try await broadcaster.wait(past: 0, until: .now) == 5)
    await #expect(throws: BroadcasterClosed.self) { try await broadcaster.wait(past: 5) }
    await #expect(throws: BroadcasterClosed.self) { try await broadcaster.wait(past: 5, timeout: .zero) }
  }

  @Test("wakes with the generation when it has passed")
  func woken() async throws {
    let broadcaster = Broadcaster()
    let waiting = Task { try await broadcaster.wait(past: 2) }
    try await broadcaster.settles(at: 1)
    broadcaster.notify(2)
    #expect(broadcaster.waiterCount == 1)
    broadcaster.notify(3)
    #expect(try await waiting.value == 5)
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("is woken by advance as by notify")
  func advanced() async throws {
    let broadcaster = Broadcaster()
    let waiting = Task { try await broadcaster.wait(past: 9) }
    try await broadcaster.settles(at: 1)
    broadcaster.advance(to: 9)
    #expect(broadcaster.waiterCount == 1)
    broadcaster.advance(to: 10)
    #expect(try await waiting.value == 10)
  }

  @Test("leaves those alone whose number has not come")
  func onlyThoseConcerned() async throws {
    let broadcaster = Broadcaster()
    let waiting = (0..<100).map { past in Task { try await broadcaster.wait(past: past) } }
    try await broadcaster.settles(at: 100)
    for generation in 1...100 {
      broadcaster.notify()
      #expect(broadcaster.waiterCount == 100 - generation)
      #expect(try await waiting[generation - 1].value == generation)
    }
  }

  @Test("wakes lower numbers first, then first come, first served")
  func order() async throws {
    // The runtime starts woken tasks on any of its threads, in any order. A line of its own shows the order of waking.
    let line = Line()
    let broadcaster = Broadcaster()
    let names = Names()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (count, (name, past)) in [("a", 3), ("b", 0), ("c", 3), ("d", 1), ("e", 0)].enumerated() {
        group.addTask(executorPreference: line) {
          _ = try await broadcaster.wait(past: past)
          names.list.withLock { $0.append(name) }
        }
        try await broadcaster.settles(at: count + 1)
      }
      // Who counts as waiting may not sleep yet. The line is free for this job once all of them do.
      await withTaskExecutorPreference(line) {}
      #expect(names.list.withLock { $0.isEmpty })
      broadcaster.notify(4)
      try await group.waitForAll()
    }
    let woken = names.list.withLock { $0 }
    #expect(woken == ["b", "e", "d", "a", "c"])
  }

  @Test("returns on the caller's actor")
  func onActor() async throws {
    actor Caller {
      var isAsleep = false

      func wait(for broadcaster: Broadcaster) async throws {
        isAsleep = true
        _ = try await broadcaster.wait(past: 0)
        preconditionIsolated()
        isAsleep = false
      }
    }
    let (caller, broadcaster) = (Caller(), Broadcaster())
    let waiting = Task { try await caller.wait(for: broadcaster) }
    try await broadcaster.settles(at: 1)
    #expect(await caller.isAsleep)
    broadcaster.notify()
    try await waiting.value
    #expect(await !caller.isAsleep)
  }

  @Test("ends ten thousand waits with one notification")
  func many() async throws {
    let broadcaster = Broadcaster()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<10_000 { group.addTask { try await broadcaster.wait(past: 0) } }
      try await broadcaster.settles(at: 10_000)
      broadcaster.notify()
      #expect(broadcaster.waiterCount == 0)
      for try await generation in group { #expect(generation == 1) }
    }
  }

  // MARK: Closing

  @Test("ends with an error for everybody when the broadcaster closes")
  func close() async throws {
    let broadcaster = Broadcaster(generation: 1)
    let waiting = (0..<20).map { n in Task { try await broadcaster.wait(past: n + 1) } }
    let timed = (0..<20).map { n in Task { try await broadcaster.wait(past: n + 1, timeout: .seconds(3_600)) } }
    try await broadcaster.settles(at: 40)
    broadcaster.close()
    #expect(broadcaster.waiterCount == 0)
    for task in waiting { await #expect(throws: BroadcasterClosed.self) { try await task.value } }
    for task in timed { await #expect(throws: BroadcasterClosed.self) { try await task.value } }
    #expect(!broadcaster.hasTimer)
  }

  // MARK: Cancelling

  @Test("throws when the task was cancelled before")
  func cancelledBefore() async throws {
    let broadcaster = Broadcaster()
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return try await broadcaster.wait(past: 0)
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("throws when the task is cancelled meanwhile, and loses nothing")
  func cancelledDuring() async throws {
    let broadcaster = Broadcaster()
    let task = Task { try await broadcaster.wait(past: 0) }
    let other = Task { try await broadcaster.wait(past: 0) }
    try await broadcaster.settles(at: 2)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(broadcaster.waiterCount == 1)
    broadcaster.notify()
    #expect(try await other.value == 1)
    #expect(try await broadcaster.wait(past: 0) == 1)
  }

  @Test("leaves nobody behind when ten thousand are cancelled")
  func manyCancelled() async throws {
    let broadcaster = Broadcaster()
    // Told as a value: the test runner searches all errors that are alive whenever another one is thrown.
    let tasks = (0..<10_000).map { n in
      Task {
        do {
          if n.isMultiple(of: 2) {
            _ = try await broadcaster.wait(past: n)
          } else {
            _ = try await broadcaster.wait(past: n, timeout: .seconds(3_600))
          }
          return false
        } catch {
          return error is CancellationError
        }
      }
    }
    try await broadcaster.settles(at: 10_000)
    for task in tasks { task.cancel() }
    for task in tasks { #expect(await task.value) }
    #expect(broadcaster.waiterCount == 0)
    // And notifying finds nobody to wake.
    broadcaster.notify(20_000)
  }

  @Test("is kept by nobody: a broadcaster goes when its users do, even while its timer naps")
  func lifetime() async throws {
    // A timer that held it would let go no sooner than its nap ends. One attempt of ten in time is proof that it does
    // not; more than one may be needed on a busy machine.
    var wentInTime = false
    for _ in 0..<10 where !wentInTime {
      weak var observed: Broadcaster?
      let start = ContinuousClock.now
      do {
        let broadcaster = Broadcaster()
        observed = broadcaster
        let waiting = Task { try await broadcaster.wait(past: 0, timeout: .seconds(3_600)) }
        try await broadcaster.settles(at: 1)
        broadcaster.notify()
        #expect(try await waiting.value == 1)
      }
      try await until { observed == nil }
      wentInTime = ContinuousClock.now - start < WaitQueue<Int>.firstNap
    }
    #expect(wentInTime)
  }
}

private final class Names: Sendable {
  let list = Mutex<[String]>([])
}

/// Runs jobs one after the other, in the order they came.
private final class Line: TaskExecutor {
  private let queue = DispatchQueue(label: "line")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
