/// A binary min-heap of small slot numbers that can also remove a slot from its middle.
///
/// Equal priorities leave in the order of their serial numbers, that is first in, first out. The heap knows where each slot
/// stands, so taking back a cancelled one costs O(log n) and leaves no rest, however many come and go.
///
/// Invariants: no entry precedes its parent · `positions[slot]` is the entry's place, or `absent`.
package struct SlotHeap<Priority: Comparable & Sendable>: Sendable {
  package struct Entry: Sendable {
    package let priority: Priority
    package let serial: UInt64
    package let slot: Int

    func precedes(_ other: Entry) -> Bool {
      if priority != other.priority { return priority < other.priority }
      return serial < other.serial
    }
  }

  private static var absent: Int { -1 }

  private var entries: [Entry] = []
  private var positions: [Int] = []

  package init() {}

  package var count: Int { entries.count }

  /// The entry that leaves next.
  ///
  /// O(1).
  package var first: Entry? { entries.first }

  package func contains(slot: Int) -> Bool {
    slot < positions.count && positions[slot] != Self.absent
  }

  /// Puts a slot in.
  ///
  /// O(log n), and O(1) when it comes after all the others, as a follower's wait does. Traps if the slot is in the heap.
  package mutating func insert(slot: Int, priority: Priority, serial: UInt64) {
    precondition(!contains(slot: slot), "slot \(slot) is already in the heap")
    while positions.count <= slot { positions.append(Self.absent) }
    let entry = Entry(priority: priority, serial: serial, slot: slot)
    entries.append(entry)
    siftUp(entry, from: entries.count - 1)
  }

  /// Takes the slot out wherever it stands; does nothing if it is not there.
  ///
  /// O(log n).
  package mutating func remove(slot: Int) {
    guard contains(slot: slot) else { return }
    let hole = positions[slot]
    positions[slot] = Self.absent
    let last = entries.removeLast()
    guard hole < entries.count else { return }
    if hole > 0, last.precedes(entries[(hole - 1) / 2]) {
      siftUp(last, from: hole)
    } else {
      siftDown(last, from: hole)
    }
  }

  /// Takes out all entries with a priority below the bound, in order.
  ///
  /// O(k log n), and O(n) when they are most of it: one event wakes every follower, so this is the way that counts.
  package mutating func removeAll(below bound: Priority) -> [Entry] {
    // They are the top of the tree. Level by level, the places come in ascending order.
    var places: [Int] = []
    func visit(_ place: Int) {
      if place < entries.count, entries[place].priority < bound { places.append(place) }
    }
    visit(0)
    var visited = 0
    while visited < places.count {
      visit(2 * places[visited] + 1)
      visit(2 * places[visited] + 2)
      visited += 1
    }
    let taken = places.map { entries[$0] }
    if taken.count * 8 < entries.count {
      for entry in taken { remove(slot: entry.slot) }
    } else {
      for entry in taken { positions[entry.slot] = Self.absent }
      rebuild(from: entries.filter { $0.priority >= bound })
    }
    return Self.sorted(taken)
  }

  /// Takes out everything, in order.
  package mutating func removeAll() -> [Entry] {
    defer { self = SlotHeap() }
    return Self.sorted(entries)
  }

  private mutating func rebuild(from remaining: [Entry]) {
    entries = remaining
    for place in (0..<entries.count / 2).reversed() { siftDown(entries[place], from: place) }
    for (place, entry) in entries.enumerated() { positions[entry.slot] = place }
  }

  /// Followers that came in order are in order in the heap too, so most often there is nothing to do.
  private static func sorted(_ entries: [Entry]) -> [Entry] {
    let isSorted = zip(entries, entries.dropFirst()).allSatisfy { $0.precedes($1) }
    return isSorted ? entries : entries.sorted { $0.precedes($1) }
  }

  /// Moves ancestors down until `entry` fits, starting at a place whose content may be overwritten.
  private mutating func siftUp(_ entry: Entry, from start: Int) {
    var hole = start
    while hole > 0 {
      let parent = (hole - 1) / 2
      guard entry.precedes(entries[parent]) else { break }
      place(entries[parent], at: hole)
      hole = parent
    }
    place(entry, at: hole)
  }

  /// Moves the earlier of two children up until `entry` fits, starting at a place whose content may be overwritten.
  private mutating func siftDown(_ entry: Entry, from start: Int) {
    var hole = start
    while true {
      var child = 2 * hole + 1
      guard child < entries.count else { break }
      if child + 1 < entries.count, entries[child + 1].precedes(entries[child]) { child += 1 }
      guard entries[child].precedes(entry) else { break }
      place(entries[child], at: hole)
      hole = child
    }
    place(entry, at: hole)
  }

  private mutating func place(_ entry: Entry, at position: Int) {
    entries[position] = entry
    positions[entry.slot] = position
  }

  /// Whether the invariants hold.
  ///
  /// O(n); for tests.
  package var isConsistent: Bool {
    for (place, entry) in entries.enumerated() {
      if positions[entry.slot] != place { return false }
      if place > 0, entry.precedes(entries[(place - 1) / 2]) { return false }
    }
    return positions.count { $0 != Self.absent } == entries.count
  }
}
