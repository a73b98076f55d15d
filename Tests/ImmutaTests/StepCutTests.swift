import ImmutaTestSupport
import Testing

@testable import Immuta

/// Numbers that were read one after the other become those of one moment.
@Suite(.timeLimit(.minutes(3))) struct StepCutTests {
  private let identities = ["a": LogIdentity.random(), "b": LogIdentity.random(), "c": LogIdentity.random()]
  private static let boot: UInt64 = 77

  /// A step that gives each of the logs a record after so many.
  private func step(
    _ counts: [String: Int], moving consumer: (String, String, UInt64, Int)? = nil, boot: UInt64 = Self.boot
  ) -> StepIntent {
    let parts = counts.sorted { $0.key < $1.key }.map { name, count in
      StepIntent.LogPart(
        name, identities[name] ?? .random(), .v2, first: 0, counts: count..<count + 1, bytes: 16..<32, time: 1,
        checksum: 0)
    }
    let consumers = consumer.map { namespace, name, generation, number in
      [
        StepIntent.ConsumerPart(
          namespace, name, made: 5, generation: generation, place: ConsumerMark.Place(number, index: 3, time: 4))
      ]
    }
    return StepIntent(logs: parts, consumers: consumers ?? [], isStable: false, bootIdentity: boot)
  }

  private func cut(
    _ counts: [String: Int], before: StepCut.Seen = [:], after: StepCut.Seen,
    positions: [StepCut.Consumer: StepCut.Position?] = [:]
  ) -> StepCut? {
    StepCut(identities, counts: counts, positions: positions, before: before, after: after, boot: Self.boot)
  }

  @Test func aStepThatIsNotInAllOfItsLogsIsInNone() {
    let seen: StepCut.Seen = ["a": [1: step(["a": 4, "b": 7])]]
    #expect(cut(["a": 5, "b": 7], after: seen)?.counts == ["a": 4, "b": 7])
    #expect(cut(["a": 9, "b": 7], after: seen)?.counts == ["a": 4, "b": 7], "with what came after it")
    #expect(cut(["a": 5, "b": 8], after: seen)?.counts == ["a": 5, "b": 8])
    #expect(cut(["a": 4, "b": 7, "c": 3], after: seen)?.counts == ["a": 4, "b": 7, "c": 3])
    #expect(cut(["a": 5], after: seen)?.counts == ["a": 5], "of a log that is not asked for, nothing is known")
  }

  @Test func whatCameAfterItInAnotherLogIsLeftOutToo() {
    // b has its part of the second step, which came after that of the first in b: and a has none.
    let seen: StepCut.Seen = ["a": [1: step(["a": 4, "b": 7])], "b": [1: step(["b": 8, "c": 2])]]
    #expect(cut(["a": 4, "b": 9, "c": 3], after: seen)?.counts == ["a": 4, "b": 7, "c": 2])
  }

  @Test func stepsThatMayHaveGoneByUnseenMakeItLookAgain() {
    let (one, two, three) = (step(["a": 4, "b": 7]), step(["a": 5, "b": 8]), step(["a": 6, "b": 9]))
    #expect(cut(["a": 7, "b": 10], before: ["a": [4: one]], after: ["a": [5: two, 6: three]]) != nil)
    #expect(cut(["a": 7, "b": 10], before: ["a": [3: one]], after: ["a": [5: two, 6: three]]) == nil)
    #expect(cut(["a": 7, "b": 10], after: ["a": [2: two, 3: three]]) == nil)
    #expect(cut(["a": 7, "b": 10], before: ["a": [4: one]], after: [:]) == nil, "the file went")
    #expect(
      cut(["a": 7, "b": 10], before: ["a": [4: one]], after: ["a": [6: three]]) == nil, "one is being written over")
    // What was there before may not be done yet, and may have made room since.
    #expect(
      cut(["a": 5, "b": 7], before: ["a": [4: one]], after: ["a": [5: two, 6: three]])?.counts == ["a": 4, "b": 7])
  }

  @Test func aStepOfBeforeARestartCountsOnlyWhereItWasStable() {
    var old = step(["a": 4, "b": 7], boot: 76)
    #expect(cut(["a": 5, "b": 7], after: ["a": [1: old]])?.counts == ["a": 5, "b": 7])
    old.isStable = true
    #expect(cut(["a": 5, "b": 7], after: ["a": [1: old]])?.counts == ["a": 4, "b": 7])
  }

  @Test func aConsumerIsWhereTheStepLeads() {
    let consumer = StepCut.Consumer(namespace: "a", name: "mail")
    let mark = ConsumerMark(
      identity: identities["a"], last: .init(3), stable: .init(2), bootIdentity: Self.boot, made: 5)
    let seen: StepCut.Seen = ["b": [1: step(["b": 7], moving: ("a", "mail", 8, 4))]]
    let moved = cut(["a": 9, "b": 8], after: seen, positions: [consumer: .init(mark: mark, generation: 8)])
    #expect(moved?.positions[consumer]?.mark.last.number == 4)
    #expect(moved?.positions[consumer]?.generation == 9)
    let waits = cut(["a": 9, "b": 7], after: seen, positions: [consumer: .init(mark: mark, generation: 8)])
    #expect(waits?.positions[consumer]?.mark.last.number == 3)
    let later = cut(["a": 9, "b": 8], after: seen, positions: [consumer: .init(mark: mark, generation: 9)])
    #expect(later?.positions[consumer]?.mark.last.number == 3, "it was moved already, and then back")
    #expect(cut(["a": 9, "b": 8], after: seen) == nil, "its position was not read in time")
    #expect(
      cut(["a": 9, "b": 8], after: seen, positions: [consumer: nil as StepCut.Position?])?.positions.isEmpty == true)
  }

  /// Steps over three logs, and a consumer that moves with what it appends, as fast as they go.
  @Test func eachStepIsWholeInACutOfLiveLogs() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try Storage(directory: directory.path, namespaces: ["a", "b", "c", "in", "out"])
    defer { storage.close() }
    let logs = try ["a", "b", "c", "in", "out"].map { try storage.log($0) }
    for number in 0..<2_000 { try await storage.append("\(number)", to: "in") }
    let isOver = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        while !isOver.isSet {
          try await storage.transaction(in: ["a", "b", "c"]) { step in
            for name in ["a", "b", "c"] { try await step.append("x", to: name) }
          }
          // Between two steps there is a moment that can be found.
          try await Task.sleep(for: .milliseconds(5))
        }
      }
      group.addTask {
        let consumer = try logs[3].consumer("copy")
        for _ in 0..<2_000 where !isOver.isSet {
          try await Task.sleep(for: .milliseconds(5))
          _ = try await consumer.processNext(into: logs[4], atMost: 1) { record, transaction in
            try await transaction.append(record.text)
          }
        }
      }
      group.addTask {
        defer { isOver.set() }
        var last = 0
        var seen = 0
        for _ in 0..<100 {
          let cut = try LogCut(of: logs)
          #expect(cut.failures.isEmpty && cut.isOneMoment)
          let counts = Dictionary(uniqueKeysWithValues: cut.logs.map { ($0.log.namespace, $0.count) })
          #expect(counts["a"] == counts["b"] && counts["b"] == counts["c"], "\(counts)")
          let position = cut.logs.first { $0.log.namespace == "in" }?.positions.first?.mark.last.number ?? 0
          #expect(counts["out"] == position, "what the consumer has appended, and where it is")
          if let count = counts["a"], count > last { (last, seen) = (count, seen + 1) }
          try await Task.sleep(for: .milliseconds(1))
        }
        #expect(seen > 3, "the logs grew meanwhile")
      }
      try await group.waitForAll()
    }
  }
}
