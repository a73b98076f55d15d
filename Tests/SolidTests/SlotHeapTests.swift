import Solid
import Testing

@Suite("A heap of slots")
struct SlotHeapTests {
  @Test("gives the lowest first, and equals in the order they came")
  func order() {
    var heap = SlotHeap<Int>()
    for (serial, priority) in [5, 1, 3, 1, 5, 3, 1].enumerated() {
      heap.insert(slot: 10 + serial, priority: priority, serial: UInt64(serial))
    }
    var slots: [Int] = []
    while let first = heap.first {
      slots.append(first.slot)
      heap.remove(slot: first.slot)
      #expect(heap.isConsistent)
    }
    #expect(slots == [11, 13, 16, 12, 15, 10, 14])
  }

  @Test("forgets a slot that is removed from its middle, and ignores one it does not have")
  func removal() {
    var heap = SlotHeap<Int>()
    for slot in 0..<7 { heap.insert(slot: slot, priority: slot, serial: UInt64(slot)) }
    heap.remove(slot: 3)
    heap.remove(slot: 3)
    heap.remove(slot: 99)
    #expect(heap.count == 6)
    #expect(!heap.contains(slot: 3))
    #expect(heap.contains(slot: 6))
    #expect(heap.isConsistent)
  }

  @Test("agrees with a sorted array, whatever is inserted and removed", arguments: 1...20 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var heap = SlotHeap<Int>()
    var model: [(priority: Int, serial: UInt64, slot: Int)] = []
    for serial in 0..<2_000 as Range<UInt64> {
      let slot = Int.random(in: 0..<300, using: &random)
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<60:
        guard !heap.contains(slot: slot) else { continue }
        let priority = Int.random(in: 0..<40, using: &random)
        heap.insert(slot: slot, priority: priority, serial: serial)
        model.append((priority, serial, slot))
      case 60..<97:
        heap.remove(slot: slot)
        model.removeAll { $0.slot == slot }
      default:
        let bound = Int.random(in: 0..<40, using: &random)
        let expected = model.filter { $0.priority < bound }.sorted {
          ($0.priority, $0.serial) < ($1.priority, $1.serial)
        }
        let removed = heap.removeAll(below: bound)
        #expect(removed.map(\.slot) == expected.map(\.slot), "seed \(seed)")
        model.removeAll { $0.priority < bound }
      }
      #expect(heap.isConsistent, "seed \(seed)")
      #expect(heap.count == model.count, "seed \(seed)")
      let first = model.min { ($0.priority, $0.serial) < ($1.priority, $1.serial) }
      #expect(heap.first?.slot == first?.slot, "seed \(seed)")
    }
  }
}
