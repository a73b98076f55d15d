/// Which waiter waits for which number, and until when: every decision of a ``Broadcaster``, and none of its effects.
///
/// A pure value: it reads no clock, takes no lock, resumes nobody. Each method returns the waiters it has taken out,
/// and the caller resumes them once its lock is released. A waiter is handed out exactly once, by whichever of
/// `advance`, `cancel`, `ring` and `close` comes first.
///
/// Waiters live in slots that are used again, so the memory is that of the most that ever waited at once (under 100
/// bytes each), however many waits are cancelled or run out of time.
///
/// Invariants: a slot is occupied, in `thresholds`, and not in `free`, or none of these · a slot in `deadlines` is
/// occupied · while `deadlines` is not empty there is an alarm, and it rings no later than the first of them.
package struct WaitQueue<Waiter: Sendable>: Sendable {
  package typealias Instant = ContinuousClock.Instant

  /// Names one wait for ever: a slot is used again, a serial number is not.
  package struct Ticket: Hashable, Sendable {
    package let slot: Int
    package let serial: UInt64

    package init(slot: Int, serial: UInt64) {
      self.slot = slot
      self.serial = serial
    }
  }

  /// A request to call ``ring(_:at:)`` with `id` at `instant`.
  package struct Alarm: Hashable, Sendable {
    package let id: UInt64
    package let instant: Instant
  }

  private struct Slot: Sendable {
    var serial: UInt64
    var waiter: Waiter?
  }

  private struct Armed: Sendable {
    let id: UInt64
    var instant: Instant
    var nap: Duration
  }

  private var slots: [Slot] = []
  private var free: [Int] = []
  private var thresholds = SlotHeap<Int>()
  private var deadlines = SlotHeap<Instant>()
  private var armed: Armed?
  private var lastSerial: UInt64 = 0
  private var lastAlarm: UInt64 = 0

  package init() {}

  /// How many wait.
  package var count: Int { thresholds.count }

  /// The lowest number anybody waits to see passed, `Int.max` when nobody waits.
  ///
  /// O(1).
  package var lowest: Int { thresholds.first?.priority ?? .max }

  /// The alarm that is set, if any.
  package var alarm: Alarm? { armed.map { Alarm(id: $0.id, instant: $0.instant) } }

  /// How many slots exist, occupied or not: what bounds the memory.
  package var slotCount: Int { slots.count }

  /// Takes a waiter in until the generation is above `past`.
  ///
  /// O(log n). With a deadline, ``armAlarm(at:)`` must follow before the lock is released.
  package mutating func register(_ waiter: Waiter, past: Int, deadline: Instant?) -> Ticket {
    lastSerial += 1
    let slot: Int
    if let used = free.popLast() {
      slot = used
      slots[slot] = Slot(serial: lastSerial, waiter: waiter)
    } else {
      slot = slots.count
      slots.append(Slot(serial: lastSerial, waiter: waiter))
    }
    thresholds.insert(slot: slot, priority: past, serial: lastSerial)
    if let deadline { deadlines.insert(slot: slot, priority: deadline, serial: lastSerial) }
    return Ticket(slot: slot, serial: lastSerial)
  }

  /// Takes one waiter out, or returns nil if it has left already.
  ///
  /// O(log n).
  package mutating func cancel(_ ticket: Ticket) -> Waiter? {
    guard ticket.slot < slots.count, slots[ticket.slot].serial == ticket.serial,
      slots[ticket.slot].waiter != nil
    else { return nil }
    return take(ticket.slot)
  }

  /// Takes out waiters whose number has come: lower numbers first, then first come, first served.
  ///
  /// O(k log n).
  package mutating func advance(to generation: Int) -> [Waiter] {
    guard lowest < generation else { return [] }
    return thresholds.removeAll(below: generation).map { vacate($0.slot) }
  }

  /// Takes everybody out, in the order of ``advance(to:)``, and forgets the alarm.
  package mutating func close() -> [Waiter] {
    let woken = thresholds.removeAll().map { vacate($0.slot) }
    self = WaitQueue(lastSerial: lastSerial, lastAlarm: lastAlarm)
    return woken
  }

  private init(lastSerial: UInt64, lastAlarm: UInt64) {
    self.lastSerial = lastSerial
    self.lastAlarm = lastAlarm
  }

  private mutating func take(_ slot: Int) -> Waiter {
    thresholds.remove(slot: slot)
    return vacate(slot)
  }

  /// Empties a slot that is not in `thresholds` any more.
  private mutating func vacate(_ slot: Int) -> Waiter {
    guard let waiter = slots[slot].waiter else { preconditionFailure("slot \(slot) is empty") }
    slots[slot].waiter = nil
    deadlines.remove(slot: slot)
    free.append(slot)
    return waiter
  }
}

// MARK: - Deadlines

extension WaitQueue {
  // A cancelled `Task.sleep` gives its task back at once, but the runtime keeps its timer until the time it was set for. So an
  // alarm is not taken back when the waiter it was set for leaves early: it finds nobody, and ends or goes on to the next. And a
  // young alarm never sleeps for long: if an earlier deadline replaces it, its timer is gone after a nap. The naps double, so a
  // long wait is not a periodic one.
  package static var firstNap: Duration { .milliseconds(250) }
  package static var longestNap: Duration { .seconds(64) }

  /// Returns the alarm to set, or nil if none is needed or one that is set already comes in time.
  ///
  /// The new alarm replaces an older one, whose ringing is ignored from now on. O(1).
  package mutating func armAlarm(at now: Instant) -> Alarm? {
    guard let earliest = deadlines.first?.priority else { return nil }
    if let armed, armed.instant <= earliest { return nil }
    lastAlarm += 1
    armed = Armed(id: lastAlarm, instant: min(earliest, now + Self.firstNap), nap: Self.firstNap)
    return alarm
  }

  /// Takes out waiters whose number or whose deadline has come, and says when to ring again.
  ///
  /// An event that came before the deadline counts even if its notifier has not got the lock yet, so waiters whose number has
  /// come are never among the expired. `again` is nil when nobody is left to ring for, or another alarm has replaced this one.
  /// O(k log n).
  package mutating func ring(
    _ id: UInt64, at now: Instant, generation: Int
  ) -> (passed: [Waiter], expired: [Waiter], again: Instant?) {
    guard let armed, armed.id == id else { return ([], [], nil) }
    let passed = advance(to: generation)
    var expired: [Waiter] = []
    while let first = deadlines.first, first.priority <= now {
      expired.append(take(first.slot))
    }
    guard let earliest = deadlines.first?.priority else {
      self.armed = nil
      return (passed, expired, nil)
    }
    let nap = expired.isEmpty ? min(armed.nap * 2, Self.longestNap) : armed.nap
    let again = min(earliest, now + nap)
    self.armed = Armed(id: id, instant: again, nap: nap)
    return (passed, expired, again)
  }

  /// Whether the invariants hold.
  ///
  /// O(n); for tests.
  package var isConsistent: Bool {
    guard thresholds.isConsistent, deadlines.isConsistent, thresholds.count + free.count == slots.count else {
      return false
    }
    for (slot, content) in slots.enumerated() {
      if (content.waiter != nil) != thresholds.contains(slot: slot) { return false }
      if content.waiter == nil, deadlines.contains(slot: slot) { return false }
    }
    guard let earliest = deadlines.first?.priority else { return true }
    return armed.map { $0.instant <= earliest } ?? false
  }
}
