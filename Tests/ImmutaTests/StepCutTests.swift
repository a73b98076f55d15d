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
    _ counts: [String: Int], steps: StepWatch.Intents, positions: [StepCut.Consumer: StepCut.Position] = [:]
  ) -> StepCut? {
    StepCut(identities, counts: counts, positions: positions, steps: steps, boot: Self.boot)
  }

  @Test func aStepThatIsNotInAllOfItsLogsIsInNone() {
    let seen: StepWatch.Intents = ["a": [1: step(["a": 4, "b": 7])]]
    #expect(cut(["a": 5, "b": 7], steps: seen)?.counts == ["a": 4, "b": 7])
    #expect(cut(["a": 9, "b": 7], steps: seen)?.counts == ["a": 4, "b": 7], "with what came after it")
    #expect(cut(["a": 5, "b": 8], steps: seen)?.counts == ["a": 5, "b": 8])
    #expect(cut(["a": 4, "b": 7, "c": 3], steps: seen)?.counts == ["a": 4, "b": 7, "c": 3])
    #expect(cut(["a": 5], steps: seen)?.counts == ["a": 5], "of a log that is not asked for, nothing is known")
  }

  @Test func whatCameAfterItInAnotherLogIsLeftOutToo() {
    // b has its part of the second step, which came after that of the first in b: and a has none.
    let seen: StepWatch.Intents = ["a": [1: step(["a": 4, "b": 7])], "b": [1: step(["b": 8, "c": 2])]]
    #expect(cut(["a": 4, "b": 9, "c": 3], steps: seen)?.counts == ["a": 4, "b": 7, "c": 2])
  }

  @Test func stepsThatMayHaveGoneByUnseenMakeItLookAgain() {
    func isWhole(_ looks: [UInt64: Int]...) -> Bool {
      var chain = StepChain(looks[0])
      for look in looks.dropFirst() { chain.add(look) }
      return chain.isWhole
    }
    #expect(isWhole([3: 3, 4: 4], [3: 3, 4: 4]))
    #expect(isWhole([4: 4], [5: 5, 6: 6]))
    #expect(!isWhole([3: 3], [5: 5, 6: 6]))
    #expect(
      isWhole([3: 3], [4: 4, 5: 5], [5: 5, 6: 6], [7: 7, 8: 8]), "each look finds what came since the one before")
    #expect(!isWhole([3: 3], [4: 4, 5: 5], [7: 7, 8: 8]))
    #expect(isWhole([:], [1: 1, 2: 2]))
    #expect(!isWhole([:], [2: 2, 3: 3]))
    #expect(!isWhole([4: 4], [6: 6]), "one is being written over")
    #expect(!isWhole([4: 4, 5: 5], [4: 4]), "one was withdrawn")
    #expect(isWhole([UInt64.max: 0], [0: 1, 1: 2]), "generations wrap around")
    // What was there before may not be done yet, and may have made room since.
    var chain = StepChain([4: step(["a": 4, "b": 7])])
    chain.add([5: step(["a": 5, "b": 8]), 6: step(["a": 6, "b": 9])])
    #expect(cut(["a": 5, "b": 7], steps: ["a": chain.intents])?.counts == ["a": 4, "b": 7])
  }

  @Test func aStepOfBeforeARestartCountsOnlyWhereItWasStable() {
    var old = step(["a": 4, "b": 7], boot: 76)
    #expect(cut(["a": 5, "b": 7], steps: ["a": [1: old]])?.counts == ["a": 5, "b": 7])
    old.isStable = true
    #expect(cut(["a": 5, "b": 7], steps: ["a": [1: old]])?.counts == ["a": 4, "b": 7])
  }

  @Test func aConsumerIsWhereTheStepLeads() {
    let consumer = StepCut.Consumer(namespace: "a", name: "mail")
    let mark = ConsumerMark(
      identity: identities["a"], last: .init(3), stable: .init(2), bootIdentity: Self.boot, made: 5)
    let seen: StepWatch.Intents = ["b": [1: step(["b": 7], moving: ("a", "mail", 8, 4))]]
    let moved = cut(["a": 9, "b": 8], steps: seen, positions: [consumer: .init(mark: mark, generation: 8)])
    #expect(moved?.positions[consumer]?.mark.last.number == 4)
    #expect(moved?.positions[consumer]?.generation == 9)
    let waits = cut(["a": 9, "b": 7], steps: seen, positions: [consumer: .init(mark: mark, generation: 8)])
    #expect(waits?.positions[consumer]?.mark.last.number == 3)
    let later = cut(["a": 9, "b": 8], steps: seen, positions: [consumer: .init(mark: mark, generation: 9)])
    #expect(later?.positions[consumer]?.mark.last.number == 3, "it was moved already, and then back")
    #expect(cut(["a": 9, "b": 8], steps: seen)?.positions.isEmpty == true, "it was removed")
  }

  @Test func whatAConsumerDidAfterAStepThatIsLeftOutIsLeftOutToo() {
    let consumer = StepCut.Consumer(namespace: "a", name: "mail")
    let mark = ConsumerMark(
      identity: identities["a"], last: .init(3), stable: .init(2), bootIdentity: Self.boot, made: 5)
    func position(_ number: Int, _ generation: UInt64) -> [StepCut.Consumer: StepCut.Position] {
      var mark = mark
      mark.last = .init(number)
      return [consumer: .init(mark: mark, generation: generation)]
    }
    // Into b, and then into c; b was counted before, and c afterwards.
    let seen: StepWatch.Intents = [
      "b": [1: step(["b": 7], moving: ("a", "mail", 8, 4))], "c": [1: step(["c": 2], moving: ("a", "mail", 9, 5))],
    ]
    let stays = cut(["a": 9, "b": 7, "c": 3], steps: seen, positions: position(3, 8))
    #expect(stays?.counts == ["a": 9, "b": 7, "c": 2])
    #expect(stays?.positions[consumer]?.mark.last.number == 3)
    let moves = cut(["a": 9, "b": 8, "c": 3], steps: seen, positions: position(3, 8))
    #expect(moves?.positions[consumer]?.mark.last.number == 5)
    // What it has read came after the log was counted.
    let early = cut(["a": 4, "b": 8, "c": 3], steps: seen, positions: position(3, 8))
    #expect(early?.counts == ["a": 4, "b": 8, "c": 2])
    #expect(early?.positions[consumer]?.mark.last.number == 4)
    // Of another consumer that had the name, it says nothing.
    var other = position(0, 0)
    other[consumer]?.mark.made = 6
    #expect(cut(["a": 0, "b": 8, "c": 3], steps: seen, positions: other)?.counts == ["a": 0, "b": 8, "c": 3])
    // Where the position has moved already, nobody knows where it was.
    #expect(cut(["a": 9, "b": 7, "c": 3], steps: seen, positions: position(4, 9)) == nil)
  }

  /// Steps over three logs, and consumers that move with what they append, as fast as they go, while somebody else who only reads
  /// the files looks for a moment: one of the consumers appends to two logs in turn.
  @Test(arguments: [false, true]) func eachStepIsWholeInACutOfLiveLogs(ofAnother: Bool) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let names = ["a", "b", "c", "in", "out", "one", "two"]
    let storage = try Storage(directory: directory.path, namespaces: names)
    defer { storage.close() }
    let logs = try names.map { try storage.log($0) }
    var configuration = Storage.Configuration()
    configuration.access = ofAnother ? .readOnly : .readWrite
    let other =
      ofAnother ? try Storage(directory: directory.path, namespaces: names, configuration: configuration) : nil
    defer { other?.close() }
    let read = try other.map { other in try names.map { try other.log($0) } } ?? logs
    let isOver = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        var number = 0
        while !isOver.isSet {
          try await storage.transaction(in: ["a", "b", "c"]) { step in
            for name in ["a", "b", "c"] { try await step.append("x", to: name) }
          }
          try await storage.append("\(number)", to: "in")
          number += 1
          // Those who take turns on few threads let each other go on.
          await Task.yield()
        }
      }
      group.addTask {
        let consumer = try logs[3].consumer("copy")
        while !isOver.isSet {
          _ = try await consumer.processAtOnce(into: logs[4], atMost: 1) { record, transaction in
            try await transaction.append(record.text)
          }
          await Task.yield()
        }
      }
      group.addTask {
        let consumer = try logs[3].consumer("split")
        while !isOver.isSet {
          let log = logs[consumer.position % 2 == 0 ? 5 : 6]
          _ = try await consumer.processAtOnce(into: log, atMost: 1) { record, transaction in
            try await transaction.append(record.text)
          }
          await Task.yield()
        }
      }
      group.addTask {
        defer { isOver.set() }
        var last = 0
        var seen = 0
        for _ in 0..<100 {
          let cut = try LogCut(of: read)
          #expect(cut.failures.isEmpty && cut.isOneMoment)
          let counts = Dictionary(uniqueKeysWithValues: cut.logs.map { ($0.log.namespace, $0.count) })
          #expect(counts["a"] == counts["b"] && counts["b"] == counts["c"], "\(counts)")
          let positions = cut.logs.first { $0.log.namespace == "in" }?.positions ?? []
          func position(_ name: String) -> Int {
            positions.first { $0.consumer == name }?.mark.last.number ?? 0
          }
          #expect(counts["out"] == position("copy"), "what the consumer has appended, and where it is: \(counts)")
          #expect((counts["one"] ?? 0) + (counts["two"] ?? 0) == position("split"), "\(counts)")
          if let count = counts["a"], count > last { (last, seen) = (count, seen + 1) }
          await Task.yield()
        }
        #expect(seen > 3, "the logs grew meanwhile")
      }
      try await group.waitForAll()
    }
  }
}
