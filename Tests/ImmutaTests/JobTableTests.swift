import ImmutaTestSupport
import Testing

@testable import Immuta

/// What becomes of a queue's jobs, beside a table that is too simple to be wrong.
@Suite struct JobTableTests {
  /// A dictionary, and a front.
  private struct Model {
    var front = 0
    var done: Set<Int> = []
    var entries: [Int: JobEntry] = [:]

    mutating func settle() {
      while done.contains(front) { front += 1 }
      done = done.filter { $0 >= front }
      entries = entries.filter { $0.key >= front }
    }
  }

  @Test func itSaysWhatAnArrayOfAllJobsWouldSay() async throws {
    try await Rounds.run(default: 12, "a queue's jobs") { seed in
      var generator = SeededGenerator(seed: seed)
      let begin = [0, 5, 1023, 1024, 70_000].randomElement(using: &generator) ?? 0
      var (table, model) = (JobTable(front: begin), Model(front: begin))
      let width = [10, 900, 5000].randomElement(using: &generator) ?? 10
      for step in 0..<600 {
        let number = model.front + Int.random(in: 0..<width, using: &generator)
        let isDone = model.done.contains(number)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...3:
          table.markDone(number)
          model.done.insert(number)
          model.entries[number] = nil
        case 4...6 where !isDone:
          let statuses: [JobEntry.Status] = [.leased, .waiting, .dated, .ready, .taken]
          let entry = JobEntry(
            statuses.randomElement(using: &generator) ?? .ready, deliveries: Int.random(in: 0..<9, using: &generator),
            deadline: Int64.random(in: 0..<1000, using: &generator))
          table.set(number, entry)
          model.entries[number] = entry
        case 7:
          table.forget(number)
          model.entries[number] = nil
        case 8:
          let now = Int64.random(in: 0..<1000, using: &generator)
          table.release(by: now)
          for (number, entry) in model.entries where entry.isTimed && entry.deadline <= now {
            model.entries[number]?.status = .ready
          }
          let left = model.entries.values.filter(\.isTimed).map(\.deadline).min()
          guard table.earliest ?? .max <= left ?? .max else {
            throw Finding("step \(step): a deadline at \(left ?? 0) is passed over")
          }
        case 9 where generator.oneIn(8):
          let range = number..<number + Int.random(in: 0..<3000, using: &generator)
          table.markDone(range)
          for number in range {
            model.done.insert(number)
            model.entries[number] = nil
          }
        case 9 where generator.oneIn(8):
          table.moveFront(to: number)
          model.front = number
        case 9 where generator.oneIn(8):
          let passed = (model.front..<number).filter { number in
            let status = model.entries[number]?.status
            return !model.done.contains(number) && status != .leased && status != .taken
          }
          guard table.pass(before: number) == passed.count else { throw Finding("step \(step): not \(passed.count)") }
          for number in passed {
            model.done.insert(number)
            model.entries[number] = nil
          }
        default: break
        }
        model.settle()
        try Self.compare(&table, model, width, step)
      }
    }
  }

  private static func compare(_ table: inout JobTable, _ model: Model, _ width: Int, _ step: Int) throws {
    guard table.front == model.front else { throw Finding("step \(step): front \(table.front), not \(model.front)") }
    guard table.entryCount == model.entries.count else {
      throw Finding("step \(step): \(table.entryCount) entries, not \(model.entries.count)")
    }
    let ready = model.entries.filter { $0.value.status == .ready }.keys.min()
    guard table.firstReady() == ready else { throw Finding("step \(step): ready is not \(ready ?? -1)") }
    guard table.isIdle == (model.done.isEmpty && model.entries.isEmpty) else { throw Finding("step \(step): idle") }
    for number in stride(from: max(0, model.front - 3), to: model.front + width, by: max(1, width / 40)) {
      let isDone = number < model.front || model.done.contains(number)
      guard table.isDone(number) == isDone else { throw Finding("step \(step): \(number) is done: \(!isDone)") }
      let (entry, expected) = (table.entry(number), model.entries[number])
      guard entry?.status == expected?.status, entry?.deliveries == expected?.deliveries else {
        throw Finding("step \(step): the entry of \(number)")
      }
      var untouched = max(number, model.front)
      while model.done.contains(untouched) || model.entries[untouched] != nil { untouched += 1 }
      guard table.firstUntouched(from: number) == untouched else {
        throw Finding("step \(step): the first after \(number) is not \(untouched)")
      }
    }
  }

  @Test func aMillionJobsTakeLittleMemory() {
    // What the bar of the whole queue rests on: 16 bytes for a job that a worker has, a bit for one that is done.
    #expect(MemoryLayout<JobEntry>.stride == 16)
    #expect(JobBlock.size / 64 * 8 == 128)
  }

  @Test func whatIsOnFileIsReadAsItWasWritten() throws {
    let event = QueueEvent(
      kind: .due, number: 7, index: 900, time: -5, deliveries: 3, stable: 6, due: 12, delay: 11)
    var bytes = [UInt8](repeating: 0xFF, count: QueueEvent.size)
    bytes.withUnsafeMutableBytes { event.encode(into: $0) }
    #expect(bytes.withUnsafeBytes { QueueEvent(decoding: $0) } == event)
    let header = QueueHeader(
      identity: .random(), queue: 9, front: ConsumerMark.Place(5, index: 16, time: 4), stable: 3, blocks: 2)
    #expect(header.encoded.withUnsafeBytes { QueueHeader(decoding: $0) } == header)
    let block = QueueBlock(
      first: 1024, end: 1030, index: 3, time: 8, done: [5], entries: [.init(offset: 1, deliveries: 2, due: 3, delay: 4)]
    )
    #expect(block.encoded.withUnsafeBytes { QueueBlock(decoding: $0) } == block)
    let all = QueueBlock(first: 0, end: 4096, index: 3, time: 8, done: [], entries: [])
    #expect(all.encoded.withUnsafeBytes { QueueBlock(decoding: $0) } == all)
    // What nobody has written says nothing.
    var generator = SeededGenerator(seed: 1)
    for encoded in [bytes, header.encoded, block.encoded] {
      for _ in 0..<2000 {
        var damaged = Array(encoded.prefix(Int.random(in: 0...encoded.count, using: &generator)))
        if !damaged.isEmpty { damaged[Int.random(in: 0..<damaged.count, using: &generator)] ^= 0x80 }
        damaged.withUnsafeBytes { bytes in
          _ = QueueEvent(decoding: bytes)
          _ = QueueHeader(decoding: bytes)
          _ = QueueBlock(decoding: bytes)
        }
      }
    }
  }
}
