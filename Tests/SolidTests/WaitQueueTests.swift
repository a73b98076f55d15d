import Solid
import Testing

@Suite("The queue of waiters")
struct WaitQueueTests {
  private typealias Queue = QueueUnderTest<String>
  private let start = ContinuousClock.now

  @Test("wakes only those whose number has come, lower numbers first, then first come, first served")
  func order() {
    let queue = Queue()
    for (name, past) in [("a", 2), ("b", 0), ("c", 1), ("d", 0), ("e", 2), ("f", 7)] {
      _ = queue.register(name, past: past, deadline: nil)
    }
    #expect(queue.lowest == 0)
    #expect(queue.advance(to: 0) == [])
    #expect(queue.advance(to: 3) == ["b", "d", "c", "a", "e"])
    #expect(queue.lowest == 7)
    #expect(queue.count == 1)
    #expect(queue.advance(to: 7) == [])
    #expect(queue.advance(to: 8) == ["f"])
    #expect(queue.lowest == .max)
  }

  @Test("hands out each waiter once")
  func once() {
    let queue = Queue()
    let ticket = queue.register("a", past: 0, deadline: nil)
    #expect(queue.advance(to: 1) == ["a"])
    #expect(queue.advance(to: 1) == [])
    #expect(queue.cancel(ticket) == nil)
    #expect(queue.close() == [])
  }

  @Test("does not cancel another wait that has got the slot of one that ended")
  func staleTicket() {
    let queue = Queue()
    let old = queue.register("old", past: 0, deadline: nil)
    #expect(queue.cancel(old) == "old")
    let new = queue.register("new", past: 0, deadline: nil)
    #expect(new.slot == old.slot)
    #expect(queue.cancel(old) == nil)
    #expect(queue.cancel(new) == "new")
  }

  @Test("does not cancel a wait from before it was closed")
  func ticketAcrossClose() {
    let queue = Queue()
    let old = queue.register("old", past: 0, deadline: nil)
    #expect(queue.close() == ["old"])
    #expect(queue.cancel(old) == nil)
    _ = queue.register("new", past: 0, deadline: nil)
    #expect(queue.cancel(old) == nil)
  }

  @Test("uses memory for those who wait, not for those who have waited")
  func slotsAreUsedAgain() {
    let queue = Queue()
    for round in 0..<10_000 {
      let first = queue.register("first", past: .max - 1, deadline: start + .seconds(round))
      _ = queue.armAlarm(at: start)
      let second = queue.register("second", past: .max - 1, deadline: nil)
      #expect(queue.cancel(first) != nil)
      #expect(queue.cancel(second) != nil)
    }
    #expect(queue.slotCount == 2)
    #expect(queue.count == 0)
  }

  @Test("takes everybody out when it closes")
  func close() {
    let queue = Queue()
    _ = queue.register("a", past: 5, deadline: nil)
    _ = queue.register("b", past: 1, deadline: start + .seconds(1))
    let alarm = queue.armAlarm(at: start)
    #expect(queue.close() == ["b", "a"])
    #expect(queue.count == 0)
    #expect(queue.lowest == .max)
    #expect(queue.alarm == nil)
    #expect(alarm.map { queue.ring($0.id, at: start + .seconds(9), generation: 0).again } == .some(nil))
  }

  @Test("agrees with an array, whatever happens", arguments: 1...20 as ClosedRange<UInt64>)
  func model(seed: UInt64) throws {
    struct Expected {
      let name: Int
      let past: Int
      let deadline: ContinuousClock.Instant?
      let ticket: WaitQueue<Int>.Ticket
    }
    var random = SeededGenerator(seed: seed)
    let queue = QueueUnderTest<Int>()
    var model: [Expected] = []
    var generation = 0
    var now = start
    for name in 0..<2_000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let past = generation + Int.random(in: 0..<20, using: &random)
        let timeout = Int.random(in: 0..<400, using: &random)
        let deadline = Bool.random(using: &random) ? now + .milliseconds(timeout) : nil
        let ticket = queue.register(name, past: past, deadline: deadline)
        model.append(Expected(name: name, past: past, deadline: deadline, ticket: ticket))
        if let alarm = queue.armAlarm(at: now) { #expect(alarm == queue.alarm) }
      case 5..<7:
        guard let chosen = model.randomElement(using: &random) else { continue }
        #expect(queue.cancel(chosen.ticket) == chosen.name, "seed \(seed)")
        model.removeAll { $0.name == chosen.name }
      case 7..<9:
        generation += Int.random(in: 0..<3, using: &random)
        let passed = model.filter { $0.past < generation }.sorted { ($0.past, $0.name) < ($1.past, $1.name) }
        #expect(queue.advance(to: generation) == passed.map(\.name), "seed \(seed)")
        model.removeAll { $0.past < generation }
      default:
        now += .milliseconds(Int.random(in: 0..<300, using: &random))
        // As the timer does: ring whenever the alarm's time has come.
        while let alarm = queue.alarm, alarm.instant <= now {
          let expected = model.filter { $0.deadline.map { $0 <= now } ?? false }
          let (passed, expired, again) = queue.ring(alarm.id, at: now, generation: generation)
          #expect(passed == [], "seed \(seed)")
          #expect(Set(expired) == Set(expected.map(\.name)), "seed \(seed)")
          #expect(again == queue.alarm?.instant, "seed \(seed)")
          model.removeAll { expired.contains($0.name) }
        }
        #expect(!model.contains { $0.deadline.map { $0 <= now } ?? false }, "seed \(seed)")
      }
      #expect(queue.count == model.count, "seed \(seed)")
      #expect(queue.lowest == model.map(\.past).min() ?? .max, "seed \(seed)")
    }
  }
}

@Suite("The queue's alarm")
struct WaitQueueAlarmTests {
  private typealias Queue = QueueUnderTest<String>
  private let start = ContinuousClock.now

  @Test("is not set for those who have no deadline")
  func noDeadline() {
    let queue = Queue()
    _ = queue.register("a", past: 0, deadline: nil)
    #expect(queue.armAlarm(at: start) == nil)
  }

  @Test("is set again only by an earlier deadline, and then the old one does nothing")
  func earlier() throws {
    let queue = Queue()
    _ = queue.register("late", past: 0, deadline: start + .milliseconds(100))
    let late = try #require(queue.armAlarm(at: start))
    #expect(late.instant == start + .milliseconds(100))
    _ = queue.register("later", past: 0, deadline: start + .milliseconds(200))
    #expect(queue.armAlarm(at: start) == nil)
    _ = queue.register("early", past: 0, deadline: start + .milliseconds(50))
    let early = try #require(queue.armAlarm(at: start))
    #expect(early.instant == start + .milliseconds(50))
    #expect(early.id != late.id)

    #expect(queue.ring(late.id, at: start + .milliseconds(60), generation: 0) == ([], [], nil))
    #expect(
      queue.ring(early.id, at: start + .milliseconds(60), generation: 0)
        == ([], ["early"], start + .milliseconds(100)))
    #expect(
      queue.ring(early.id, at: start + .milliseconds(201), generation: 0) == ([], ["late", "later"], nil))
    #expect(queue.alarm == nil)
  }

  @Test("counts an event that came before the deadline")
  func eventBeforeDeadline() throws {
    let queue = Queue()
    _ = queue.register("passed", past: 3, deadline: start + .milliseconds(1))
    _ = queue.register("expired", past: 4, deadline: start + .milliseconds(1))
    let alarm = try #require(queue.armAlarm(at: start))
    #expect(
      queue.ring(alarm.id, at: start + .seconds(1), generation: 4) == (["passed"], ["expired"], nil))
  }

  @Test("stays when the waiter it was set for leaves, and serves the next or ends")
  func idle() throws {
    let queue = Queue()
    let ticket = queue.register("a", past: 0, deadline: start + .milliseconds(100))
    let alarm = try #require(queue.armAlarm(at: start))
    _ = queue.cancel(ticket)
    _ = queue.register("b", past: 0, deadline: start + .milliseconds(150))
    #expect(queue.armAlarm(at: start) == nil)
    #expect(
      queue.ring(alarm.id, at: start + .milliseconds(100), generation: 0) == ([], [], start + .milliseconds(150)))
    #expect(queue.advance(to: 1) == ["b"])
    #expect(queue.ring(alarm.id, at: start + .milliseconds(150), generation: 1) == ([], [], nil))
    #expect(queue.alarm == nil)
    _ = queue.register("c", past: 1, deadline: start + .milliseconds(200))
    #expect(queue.armAlarm(at: start + .milliseconds(160))?.instant == start + .milliseconds(200))
  }

  @Test("naps before a far deadline, longer and longer, and never past it")
  func naps() throws {
    let queue = Queue()
    let deadline = start + .seconds(1_000)
    _ = queue.register("a", past: 0, deadline: deadline)
    let alarm = try #require(queue.armAlarm(at: start))
    var now = alarm.instant
    var last = now - start
    #expect(last == WaitQueue<String>.firstNap)
    var rings = 0
    while let again = queue.ring(alarm.id, at: now, generation: 0).again {
      #expect(again <= deadline)
      #expect(again - now <= WaitQueue<String>.longestNap)
      if again < deadline { #expect(again - now == min(last * 2, WaitQueue<String>.longestNap)) }
      last = again - now
      now = again
      rings += 1
    }
    #expect(now == deadline)
    #expect(queue.count == 0)
    #expect(rings < 32)
  }

  @Test("takes ten thousand deadlines in any order, and gives them back earliest first")
  func many() throws {
    var random = SeededGenerator(seed: 7)
    let queue = QueueUnderTest<Int>()
    let delays = (0..<10_000).map { _ in Int.random(in: 1...1_000_000, using: &random) }
    for delay in delays {
      _ = queue.register(delay, past: 0, deadline: start + .microseconds(delay))
      _ = queue.armAlarm(at: start)
    }
    let alarm = try #require(queue.alarm)
    let (_, expired, again) = queue.ring(alarm.id, at: start + .seconds(1), generation: 0)
    #expect(expired == delays.sorted())
    #expect(again == nil)
  }
}

/// A queue that checks its invariants after every change, and that an expectation can change.
private final class QueueUnderTest<Waiter: Sendable> {
  private var queue = WaitQueue<Waiter>()

  var count: Int { queue.count }
  var lowest: Int { queue.lowest }
  var alarm: WaitQueue<Waiter>.Alarm? { queue.alarm }
  var slotCount: Int { queue.slotCount }

  /// Nothing to check between `register` and `armAlarm`: only the two together keep the invariants.
  func register(_ waiter: Waiter, past: Int, deadline: ContinuousClock.Instant?) -> WaitQueue<Waiter>.Ticket {
    queue.register(waiter, past: past, deadline: deadline)
  }

  func armAlarm(at now: ContinuousClock.Instant) -> WaitQueue<Waiter>.Alarm? { checked { $0.armAlarm(at: now) } }

  func cancel(_ ticket: WaitQueue<Waiter>.Ticket) -> Waiter? { checked { $0.cancel(ticket) } }

  func advance(to generation: Int) -> [Waiter] { checked { $0.advance(to: generation) } }

  func close() -> [Waiter] { checked { $0.close() } }

  func ring(
    _ id: UInt64, at now: ContinuousClock.Instant, generation: Int
  ) -> (passed: [Waiter], expired: [Waiter], again: ContinuousClock.Instant?) {
    checked { $0.ring(id, at: now, generation: generation) }
  }

  private func checked<Result>(_ change: (inout WaitQueue<Waiter>) -> Result) -> Result {
    let result = change(&queue)
    // Checking costs time in proportion to the queue.
    if queue.slotCount < 1_000 { #expect(queue.isConsistent) }
    return result
  }
}

private func == (
  left: (passed: [String], expired: [String], again: ContinuousClock.Instant?),
  right: ([String], [String], ContinuousClock.Instant?)
) -> Bool {
  left.passed == right.0 && left.expired == right.1 && left.again == right.2
}
