import Solid
import Synchronization
import Testing

/// A wake-up that is lost shows as a test that hangs: the time limit ends it.
@Suite("Under load", .serialized, .timeLimit(.minutes(1)))
struct StressTests {
  @Test("every subscriber sees every number once, in order, whatever the notifiers do")
  func everySubscriberSeesEverything() async throws {
    let notifiers = 4
    let subscribers = 64
    let events = 2_000
    let broadcaster = Broadcaster()
    try await withThrowingTaskGroup { group in
      for subscriber in 0..<subscribers {
        var subscription = broadcaster.subscribe(from: .all)
        group.addTask {
          for expected in 0..<notifiers * events {
            // Some with a deadline too, so that the timer takes part.
            let number =
              subscriber.isMultiple(of: 4)
              ? try await subscription.next(timeout: .seconds(3_600)) : try await subscription.next()
            try #require(number == expected)
          }
        }
      }
      for _ in 0..<notifiers {
        group.addTask {
          for event in 0..<events {
            broadcaster.notify()
            if event.isMultiple(of: 8) { await Task.yield() }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(broadcaster.generation == notifiers * events)
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("two tasks that wait for each other in turn never miss a turn")
  func pingPong() async throws {
    let rounds = 100_000
    let ping = Broadcaster()
    let pong = Broadcaster()
    async let answering: Void = {
      for round in 0..<rounds {
        _ = try await ping.wait(past: round)
        pong.notify()
      }
    }()
    for round in 0..<rounds {
      ping.notify()
      #expect(try await pong.wait(past: round) == round + 1)
    }
    try await answering
  }

  @Test("a notification that comes just while a waiter registers is seen by one or the other")
  func registerAgainstNotify() async throws {
    let rounds = 100_000
    let broadcaster = Broadcaster()
    let seen = Atomic<Int>(0)
    async let waiting: Void = {
      for round in 0..<rounds {
        let generation = try await broadcaster.wait(past: round)
        try #require(generation == round + 1)
        seen.store(generation, ordering: .releasing)
      }
    }()
    var spins = 0
    for round in 1...rounds {
      broadcaster.notify()
      // Not through a broadcaster: the next event must come while the waiter is on its way into the next wait.
      while seen.load(ordering: .acquiring) < round {
        spins += 1
        if spins.isMultiple(of: 64) { await Task.yield() }
        try Task.checkCancellation()
      }
    }
    try await waiting
  }

  @Test("a wait that is cancelled just while it registers ends, though no event ever comes")
  func cancelAgainstRegister() async throws {
    let broadcaster = Broadcaster()
    let started = Counter()
    for round in 1...20_000 {
      let waiting = Task {
        started.value.store(round, ordering: .releasing)
        do {
          _ = try await broadcaster.wait(past: 0)
          return false
        } catch {
          return error is CancellationError
        }
      }
      try await until { started.value.load(ordering: .acquiring) == round }
      // A little later each time, to come upon every step on its way in.
      for _ in 0..<round % 200 { _ = started.value.load(ordering: .acquiring) }
      waiting.cancel()
      try #require(await waiting.value)
    }
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("a wait that is cancelled while its event comes ends once, with the one or the other")
  func cancelAgainstNotify() async throws {
    let broadcaster = Broadcaster()
    for round in 0..<20_000 {
      let waiting = Task { try await broadcaster.wait(past: round) }
      if round.isMultiple(of: 3) { try await broadcaster.settles(at: 1) }
      // Some are cancelled before their event, so that it is certain that both happen; the others race with it.
      if round.isMultiple(of: 8) {
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        broadcaster.notify()
        continue
      }
      async let notified: Int = broadcaster.notify()
      waiting.cancel()
      switch await waiting.result {
      case .success(let generation): #expect(generation == round + 1)
      case .failure(let error): #expect(error is CancellationError)
      }
      _ = await notified
    }
    #expect(broadcaster.waiterCount == 0)
    #expect(broadcaster.generation == 20_000)
  }

  @Test("a cancelled subscription goes on where it was, and misses nothing")
  func cancelledSubscriptionsMissNothing() async throws {
    let events = 5_000
    let broadcaster = Broadcaster()
    let due = Atomic<Int>(0)
    // One event at a time, so that each has a good chance to come while a wait is being cancelled.
    async let notifying: Void = {
      for event in 0..<events {
        try await until { due.load(ordering: .relaxed) > event }
        broadcaster.notify()
      }
    }()
    var subscription = broadcaster.subscribe(from: .all)
    var expected = 0
    var attempts = 0
    while expected < events {
      let start = subscription
      // The first wait for some events is certain to be cancelled: they come after it only.
      let isEarly = expected.isMultiple(of: 8) && due.load(ordering: .relaxed) == expected
      if !isEarly { due.store(expected + 1, ordering: .relaxed) }
      let task = Task { () -> (Subscription, Int?) in
        var mine = start
        do {
          let number = try await mine.next()
          return (mine, number)
        } catch is CancellationError {
          return (mine, nil)
        }
      }
      attempts += 1
      if attempts.isMultiple(of: 2) { await Task.yield() }
      task.cancel()
      let (after, number) = try await task.value
      subscription = after
      if isEarly {
        try #require(number == nil)
        due.store(expected + 1, ordering: .relaxed)
      } else if let number {
        try #require(number == expected)
        expected += 1
      }
    }
    try await notifying
    #expect(broadcaster.waiterCount == 0)
  }

  @Test("deadlines, cancellations, events and the end race without leaving anybody behind")
  func everythingAtOnce() async throws {
    for round in 0..<100 {
      let broadcaster = Broadcaster()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for n in 0..<200 {
          group.addTask {
            do {
              let generation = try await broadcaster.wait(past: n, timeout: .microseconds((n * 37 + round) % 3_000))
              if let generation { #expect(generation > n) }
            } catch is BroadcasterClosed {
              #expect(broadcaster.isClosed)
            }
          }
          group.addTask {
            let waiting = Task { try await broadcaster.wait(past: n + 50) }
            if n.isMultiple(of: 2) { waiting.cancel() }
            _ = await waiting.result
          }
        }
        group.addTask {
          for _ in 0..<150 {
            broadcaster.notify()
            await Task.yield()
          }
          broadcaster.close()
        }
        try await group.waitForAll()
      }
      #expect(broadcaster.waiterCount == 0)
    }
  }
}
