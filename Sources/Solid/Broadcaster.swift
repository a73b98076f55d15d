import ImmutaLocking
import Synchronization

/// Wakes everybody who waits for an event: one side counts events, any number of others wait for the count.
///
/// ```swift
/// let arrivals = Broadcaster()
///
/// Task {
///   for try await number in arrivals.subscribe() {
///     print("event", number)
///   }
/// }
///
/// arrivals.notify()    // an event has happened
/// arrivals.notify(10)  // ten more
/// arrivals.close()     // the loop above ends once it has seen all eleven
/// ```
///
/// A broadcaster carries no values. It is one number, the ``generation``: the count of events so far. A waiter names
/// the number it has seen and is woken when the count is higher. So no queue fills up, a slow waiter holds up nobody,
/// and a wait that is cancelled or runs out of time loses nothing: the caller still knows its number. What was written
/// before ``notify(_:)`` is visible to everyone who sees the generation it returns.
///
/// You may call everything from any task or thread at once. The only thing that blocks is a short lock, and a notifier
/// takes it only if somebody waits for a number that has come.
public final class Broadcaster: Sendable {
  /// The generation, or its complement (which is negative) once closed: so an event and the closing exclude each other.
  let word: Atomic<Int>

  /// `WaitQueue.lowest` of `state`, written under its lock only: lets a notifier see without it that nobody is
  /// concerned.
  ///
  /// No wake-up is lost, because of this order on the two atomics:
  ///
  ///     notifier                            waiter, under the lock
  ///     N1  raise word                      W1  lower lowest to its number or less
  ///     N2  load lowest; sweep if passed    W2  load word; leave again if it has passed
  ///
  /// All four are sequentially consistent, so they have one order that all threads agree on. If N2 comes after W1, the
  /// notifier sees a number that is low enough, since `lowest` rises above a waiter's number only when that waiter
  /// leaves; it sweeps, and the lock makes the waiter's entry visible to it. If N2 comes before W1, then N1 comes
  /// before W2, and the waiter sees the new generation itself. With weaker orderings each could miss the other.
  let lowest = Atomic<Int>(.max)

  let state = Lock(State())

  struct State: Sendable {
    var queue = WaitQueue<Waiter>()
    var timer: Task<Void, Never>?
  }

  /// Creates a broadcaster.
  ///
  /// - Parameter generation: The count of events so far; not negative.
  public init(generation: Int = 0) {
    precondition(generation >= 0, "a generation counts events: it cannot be negative, as \(generation) is")
    word = Atomic(generation)
  }

  deinit {
    // Nobody waits, since waiters hold the broadcaster; only an alarm that nobody needs may be left.
    state.withLock { $0.timer }?.cancel()
  }

  /// The count of events so far.
  ///
  /// One atomic load.
  public var generation: Int {
    Reading(word.load(ordering: .acquiring)).generation
  }

  /// Whether ``close()`` has been called.
  public var isClosed: Bool {
    Reading(word.load(ordering: .acquiring)).isClosed
  }

  /// How many callers wait now.
  ///
  /// Takes the lock: for tests and statistics.
  public var waiterCount: Int {
    state.withLock { $0.queue.count }
  }

  /// Adds events and wakes their waiters.
  ///
  /// Two atomic operations if no waiter's number has come; O(k log w) if it wakes k of w waiters, lower numbers first,
  /// then first come, first served. The runtime may still run the tasks it wakes in another order. Never blocks on a waiter.
  /// After ``close()`` it does nothing.
  ///
  /// - Parameter n: How many; traps if negative.
  /// - Returns: The generation afterwards.
  @discardableResult
  public func notify(_ n: Int = 1) -> Int {
    precondition(n >= 0, "a broadcaster's events cannot be taken back: notify(\(n))")
    return raise { $0 + n }
  }

  /// Raises the generation to at least the given number, and wakes its waiters; never lowers it.
  ///
  /// For a producer that keeps the count itself. Costs what ``notify(_:)`` costs; after ``close()`` it does nothing.
  public func advance(to generation: Int) {
    raise { max($0, generation) }
  }

  /// Closes the broadcaster: no event comes any more, and all waits for one throw ``BroadcasterClosed``.
  ///
  /// Events that came before are still delivered. Closing again does nothing.
  public func close() {
    var expected = word.load(ordering: .relaxed)
    while expected >= 0 {
      let (exchanged, original) = word.compareExchange(
        expected: expected, desired: ~expected, ordering: .sequentiallyConsistent)
      if exchanged { break }
      expected = original
    }
    // Also when another call got there first, so that when this returns, all waiters have been woken.
    wakeConcerned()
  }

  /// Wakes all waiters, though nothing has come: they must look again at what they wait for. Their `wait` returns the present
  /// generation, which may not be above the number they gave. A wait that begins later goes on.
  package func interrupt() {
    let (waiters, generation, timer) = state.withLock { state in
      let waiters = state.queue.close()
      publishLowest(of: state.queue)
      return (waiters, Reading(word.load(ordering: .sequentiallyConsistent)).generation, state.timer.take())
    }
    timer?.cancel()
    for waiter in waiters { waiter.resume(.passed(generation)) }
  }

  @discardableResult
  private func raise(_ change: (Int) -> Int) -> Int {
    var current = word.load(ordering: .acquiring)
    while true {
      let reading = Reading(current)
      let desired = change(reading.generation)
      if reading.isClosed || desired == reading.generation { return reading.generation }
      // N1 of the argument at `lowest`.
      let (exchanged, original) = word.weakCompareExchange(
        expected: current, desired: desired, successOrdering: .sequentiallyConsistent, failureOrdering: .acquiring)
      if exchanged {
        if lowest.load(ordering: .sequentiallyConsistent) < desired { wakeConcerned() }
        return desired
      }
      current = original
    }
  }

  /// Wakes waiters whose number has come, and, if closed, all.
  private func wakeConcerned() {
    let (passed, closed, generation, timer) = state.withLock { state in
      let reading = Reading(word.load(ordering: .sequentiallyConsistent))
      let passed = state.queue.advance(to: reading.generation)
      var closed: [Waiter] = []
      var timer: Task<Void, Never>?
      if reading.isClosed {
        closed = state.queue.close()
        timer = state.timer.take()
      }
      publishLowest(of: state.queue)
      return (passed, closed, reading.generation, timer)
    }
    timer?.cancel()
    for waiter in passed { waiter.resume(.passed(generation)) }
    for waiter in closed { waiter.resume(.closed) }
  }

  /// Brings `lowest` up to date; every change of the queue is followed by it before the lock is released.
  ///
  /// Not written when it is right already: a thousand waiters for one number then leave the notifiers' cache line
  /// alone.
  func publishLowest(of queue: borrowing WaitQueue<Waiter>) {
    let value = queue.lowest
    if lowest.load(ordering: .relaxed) != value {
      // W1 of the argument at `lowest`. If it was written before, by another waiter for a number as low, that write
      // came earlier under this lock, hence before W2 as well.
      lowest.store(value, ordering: .sequentiallyConsistent)
    }
  }
}

/// What the word says.
struct Reading {
  let generation: Int
  let isClosed: Bool

  init(_ word: Int) {
    isClosed = word < 0
    generation = word < 0 ? ~word : word
  }
}
