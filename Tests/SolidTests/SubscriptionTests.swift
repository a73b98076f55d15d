import Solid
import Synchronization
import Testing

@Suite("A subscription", .timeLimit(.minutes(1)))
struct SubscriptionTests {
  @Test(
    "starts where it is told",
    arguments: [
      (Broadcaster.History.all, 0), (.none, 3), (.since(0), 0), (.since(2), 2), (.since(3), 3), (.since(10), 10),
    ])
  func history(_ history: Broadcaster.History, first: Int) async throws {
    let broadcaster = Broadcaster()
    broadcaster.notify(3)
    var subscription = broadcaster.subscribe(from: history)
    #expect(subscription.position == first)
    #expect(try await subscription.next(timeout: .zero) == (first < 3 ? first : nil))
    broadcaster.advance(to: 20)
    #expect(try await subscription.next() == (first < 3 ? first + 1 : first))
  }

  @Test("delivers only what comes later unless told otherwise")
  func defaultHistory() {
    #expect(Broadcaster(generation: 9).subscribe().position == 9)
  }

  @Test("delivers each event once, in order, and ends when the broadcaster is closed and all have been seen")
  func sequence() async throws {
    let broadcaster = Broadcaster()
    let following = Task {
      var seen: [Int] = []
      for try await number in broadcaster.subscribe(from: .all) { seen.append(number) }
      return seen
    }
    try await broadcaster.settles(at: 1)
    broadcaster.notify(3)
    try await broadcaster.settles(at: 1)
    broadcaster.notify()
    broadcaster.notify(2)
    broadcaster.close()
    #expect(try await following.value == [0, 1, 2, 3, 4, 5])
  }

  @Test("keeps ending once it has ended, and says so with an error where nil means that time passed")
  func end() async throws {
    let broadcaster = Broadcaster()
    broadcaster.notify()
    broadcaster.close()
    var subscription = broadcaster.subscribe(from: .all)
    #expect(try await subscription.next(timeout: .zero) == 0)
    await #expect(throws: BroadcasterClosed.self) { try await subscription.next(timeout: .seconds(3_600)) }
    #expect(try await subscription.next() == nil)
    #expect(try await subscription.next() == nil)
    #expect(subscription.position == 1)
  }

  @Test("keeps its place when it runs out of time or is cancelled")
  func place() async throws {
    let broadcaster = Broadcaster()
    var subscription = broadcaster.subscribe()
    #expect(try await subscription.next(timeout: .milliseconds(1)) == nil)
    #expect(subscription.position == 0)

    let start = subscription
    let task = Task {
      var mine = start
      do {
        _ = try await mine.next()
      } catch is CancellationError {
        return mine
      }
      throw BroadcasterClosed()
    }
    try await broadcaster.settles(at: 1)
    task.cancel()
    subscription = try await task.value
    broadcaster.notify(2)
    #expect(try await subscription.next() == 0)
    #expect(try await subscription.next(timeout: .zero) == 1)
    #expect(try await subscription.next(timeout: .zero) == nil)
  }

  @Test("goes its own way when copied")
  func copy() async throws {
    let broadcaster = Broadcaster()
    broadcaster.notify(3)
    var one = broadcaster.subscribe(from: .all)
    #expect(try await one.next() == 0)
    var two = one
    #expect(try await one.next() == 1)
    #expect(try await one.next() == 2)
    #expect(try await two.next() == 1)
  }

  @Test("passes over what has come, and never goes back")
  func skipping() async throws {
    let broadcaster = Broadcaster()
    var subscription = broadcaster.subscribe(from: .all)
    broadcaster.notify(5)
    subscription.skipToLatest()
    #expect(subscription.position == 5)
    #expect(try await subscription.next(timeout: .zero) == nil)
    broadcaster.notify()
    #expect(try await subscription.next() == 5)
    var ahead = broadcaster.subscribe(from: .since(100))
    ahead.skipToLatest()
    #expect(ahead.position == 100)
  }

  @Test("wakes ten thousand with one event")
  func many() async throws {
    let broadcaster = Broadcaster()
    try await withThrowingTaskGroup(of: Int?.self) { group in
      for _ in 0..<10_000 {
        var subscription = broadcaster.subscribe(from: .all)
        group.addTask { try await subscription.next() }
      }
      try await broadcaster.settles(at: 10_000)
      broadcaster.notify()
      for try await number in group { #expect(number == 0) }
    }
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("stays on the actor that iterates it")
  func isolation() async throws {
    actor Follower {
      private let executor: CountingExecutor

      nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

      init(executor: CountingExecutor) { self.executor = executor }

      func follow(_ subscription: Subscription) async throws -> (events: Int, jobs: Int) {
        let before = executor.jobs.load(ordering: .relaxed)
        var events = 0
        for try await _ in subscription { events += 1 }
        return (events, executor.jobs.load(ordering: .relaxed) - before)
      }
    }
    let broadcaster = Broadcaster(generation: 1_000)
    broadcaster.close()
    let follower = Follower(executor: CountingExecutor())
    let (events, jobs) = try await follower.follow(broadcaster.subscribe(from: .all))
    #expect(events == 1_000)
    #expect(jobs == 0)
  }
}
