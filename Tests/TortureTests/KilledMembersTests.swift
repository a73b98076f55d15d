import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Members of a group in processes of their own, which are killed at random moments.
@Suite struct KilledMembersTests {
  @Test(arguments: TestedDurability.allCases)
  func eachMessageIsDeliveredWhoeverDies(_ durability: TestedDurability) async throws {
    try await Rounds.run(default: 2, most: 1000, "killed members, \(durability)") { seed in
      try await Self.round(seed, durability)
    }
  }

  private static func round(_ seed: UInt64, _ durability: TestedDurability) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    let partitions = Int.random(in: 1...6, using: &generator)
    let store = try LogStore(directory: directory.path, partitions: partitions, configuration: durability.configuration)
    defer { store.close() }
    try store.consumer("billing").close()
    var living: [OtherMember] = []
    var dead: [OtherMember] = []
    for step in 0..<Int.random(in: 4...10, using: &generator) {
      for _ in 0..<Int.random(in: 0...60, using: &generator) {
        try await store.append("\(step)", key: "\(Int.random(in: 0...99, using: &generator))")
      }
      if living.count < 4, !generator.oneIn(4) {
        living.append(try OtherMember(directory.path, seed &+ UInt64(step)))
      } else if let place = living.indices.randomElement(using: &generator) {
        let member = living.remove(at: place)
        try member.end(killing: !generator.oneIn(3))
        dead.append(member)
      }
      try await Task.sleep(for: .milliseconds(Int.random(in: 0...30, using: &generator)))
    }
    let last = try OtherMember(directory.path, seed)
    for member in living { try member.end(killing: generator.oneIn(2)) }
    let counts = try (0..<partitions).map { try store.partition($0).count }
    let deadline = ContinuousClock.now + .seconds(40)
    while try store.consumers[0].lag != 0 {
      if .now > deadline { throw Finding("\(try store.consumers[0]) has not come to the end: \(counts)") }
      try await Task.sleep(for: .milliseconds(2))
    }
    try last.end(killing: false)
    try GroupHistory(dead + living + [last]).check(counts)
  }

  @Test func thePartitionsOfAKilledMemberMove() async throws {
    let directory = TemporaryDirectory()
    let store = try LogStore(directory: directory.path, partitions: 6)
    defer { store.close() }
    let member = try OtherMember(directory.path, 1)
    let heir = try store.consumer("billing")
    try await wait("it has its share") { heir.partitions.count == 3 }
    for number in 0..<600 { try await store.append("\(number)", key: "\(number)") }
    // From then on it would look only after five seconds.
    try await wait("it is at rest") { heir.isAtRest }
    let start = ContinuousClock.now
    try member.end(killing: true)
    try await wait("it has all") { heir.partitions.count == 6 }
    // Where nothing else keeps the machine busy it takes milliseconds.
    #expect(ContinuousClock.now - start < .seconds(4))
    while let message = try await heir.next(timeout: .zero) { try await heir.acknowledge(message) }
    #expect(try store.consumers[0].lag == 0)
  }

  private func wait(_ what: String, until condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(40)
    while !condition() {
      if .now > deadline { throw Finding("never: \(what)") }
      try await Task.sleep(for: .milliseconds(1))
    }
  }
}

/// A member in another process, and what it said.
final class OtherMember {
  private let child: ChildProcess
  private(set) var lines: [String] = []
  /// From then on it may be dead.
  private(set) var end = Int64.max

  init(_ directory: String, _ seed: UInt64) throws {
    child = try OtherProcess.start("member", directory, "\(seed)")
    guard child.readLine(within: .seconds(30)) == "open" else { throw Finding("a member does not open") }
  }

  func end(killing isKilled: Bool) throws {
    if isKilled {
      end = GroupMember.now
      child.kill()
    } else {
      child.closeInput()
    }
    lines = child.readLines(within: .seconds(30))
    let status = child.wait()
    if !isKilled, status != 0 { throw Finding("a member ended with \(String(describing: status)): \(lines.suffix(3))") }
  }
}

/// What several processes say of the same messages.
private struct GroupHistory {
  private struct Event {
    let kind: Substring
    let partition: Int
    let sequence: Int
    /// When a message was asked for, or something was said.
    let time: Int64
    /// When the message was delivered.
    let delivery: Int64
    let member: Int
  }

  private let events: [Event]
  private let ends: [Int64]

  init(_ members: [OtherMember]) throws {
    var events: [Event] = []
    for (number, member) in members.enumerated() {
      for line in member.lines {
        let words = line.split(separator: " ")
        guard words.count == 5, let partition = Int(words[1]), let sequence = Int(words[2]), let time = Int64(words[3]),
          let delivery = Int64(words[4])
        else { throw Finding("a member printed \(line)") }
        events.append(
          Event(
            kind: words[0], partition: partition, sequence: sequence, time: time, delivery: delivery, member: number))
      }
    }
    self.events = events
    ends = members.map(\.end)
  }

  /// Throws what contradicts the promises.
  func check(_ counts: [Int]) throws {
    for (partition, count) in counts.enumerated() {
      let delivered = events.filter { $0.kind == "d" && $0.partition == partition }
      let missing = Set(0..<count).subtracting(delivered.map(\.sequence))
      guard missing.isEmpty else { throw Finding("\(partition): \(missing.sorted()) were delivered to nobody") }
      try checkOrder(delivered)
      try checkAcknowledged(partition, delivered)
      try checkAlone(partition, delivered)
    }
  }

  /// A member gets what comes next, or goes back to where somebody else had come; it never skips.
  private func checkOrder(_ delivered: [Event]) throws {
    for (member, of) in Dictionary(grouping: delivered, by: \.member) {
      for (one, next) in zip(of, of.dropFirst()) where next.sequence > one.sequence + 1 {
        // Another member had it in between.
        let others = Set(delivered.filter { $0.member != member }.map(\.sequence))
        let skipped = Set(one.sequence + 1..<next.sequence)
        guard skipped.isSubset(of: others) else {
          throw Finding("member \(member) was delivered \(next.sequence) after \(one.sequence)")
        }
      }
    }
  }

  /// What is acknowledged is delivered to nobody who asks later.
  private func checkAcknowledged(_ partition: Int, _ delivered: [Event]) throws {
    for done in events where done.kind == "k" && done.partition == partition {
      for message in delivered where message.sequence <= done.sequence && message.time > done.time {
        throw Finding("\(partition): \(message.sequence) was delivered after \(done.sequence) was acknowledged")
      }
    }
  }

  /// While a member that lives has a message, nobody else gets that one, nor another of its partition.
  private func checkAlone(_ partition: Int, _ delivered: [Event]) throws {
    for one in delivered {
      let over = events.filter { event in
        guard event.member == one.member, event.time >= one.delivery else { return false }
        return event.kind == "c" || event.kind == "a" && event.partition == partition && event.sequence >= one.sequence
      }
      let end = min(over.map(\.time).min() ?? .max, ends[one.member])
      for other in delivered where other.member != one.member && other.time > one.delivery && other.delivery < end {
        throw Finding(
          "\(partition): \(other.sequence) was delivered to \(other.member) while \(one.member) had \(one.sequence)")
      }
    }
  }
}
