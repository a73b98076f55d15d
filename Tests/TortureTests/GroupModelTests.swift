import Foundation
import Immuta
import ImmutaLocking
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Members of a group that come and go at random, in one process: what each is delivered is what a model says.
@Suite struct GroupModelTests {
  @Test(arguments: TestedDurability.allCases)
  func eachMessageIsDeliveredToOneMemberInItsOrder(_ durability: TestedDurability) async throws {
    try await Rounds.run(default: 4, most: 4000, "a group's members, \(durability)") { seed in
      try await Self.round(seed, durability)
    }
  }

  private static func round(_ seed: UInt64, _ durability: TestedDurability) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    let partitions = Int.random(in: 1...7, using: &generator)
    let store = try LogStore(directory: directory.path, partitions: partitions, configuration: durability.configuration)
    defer { store.close() }
    // As members in other processes see it.
    var configuration = durability.configuration
    configuration.access = .readOnly
    let reading = try LogStore(directory: directory.path, configuration: configuration)
    defer { reading.close() }
    let model = GroupModel(partitions)
    var members: [GroupModelMember] = []
    for step in 0..<Int.random(in: 5...25, using: &generator) {
      for _ in 0..<Int.random(in: 0...30, using: &generator) {
        try await store.append("\(step)", key: "\(Int.random(in: 0...99, using: &generator))")
      }
      if generator.oneIn(3), let leaving = members.randomElement(using: &generator) {
        members.removeAll { $0 === leaving }
        try await leaving.leave()
      } else if members.count < 5 {
        let place = generator.oneIn(2) ? store : reading
        members.append(try GroupModelMember(place, model, step, seed: generator.next()))
      }
      // Now and then it comes to rest: then the partitions are shared evenly, and everything was acknowledged.
      if generator.oneIn(4), !members.isEmpty { try await rest(store, members, model) }
    }
    if members.isEmpty { members.append(try GroupModelMember(store, model, -1, seed: seed)) }
    try await rest(store, members, model)
    for member in members { try await member.leave() }
    guard try store.consumers.first?.lag == 0 else { throw Finding("what was acknowledged is not") }
  }

  private static func rest(_ store: LogStore, _ members: [GroupModelMember], _ model: GroupModel) async throws {
    let counts = try (0..<store.partitionCount).map { try store.partition($0).count }
    let deadline = ContinuousClock.now + .seconds(40)
    while true {
      try model.check()
      let held = members.map(\.consumer.partitions)
      let sizes = held.map(\.count)
      let isShared = held.flatMap { $0 }.sorted() == Array(counts.indices)
      if isShared, (sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, model.acknowledged == counts { return }
      if .now > deadline {
        throw Finding("no rest: \(held) of \(counts.count) partitions, \(model.acknowledged) of \(counts) acknowledged")
      }
      try await Task.sleep(for: .milliseconds(1))
    }
  }
}

/// What a group's members may be delivered.
final class GroupModel: Sendable {
  private struct Partition {
    /// The number of the next message, whoever gets it.
    var next = 0
    var acknowledged = 0
    /// Who was delivered what is not acknowledged.
    var member: Int?
  }

  private struct State {
    var partitions: [Partition]
    var finding: Finding?
    /// What happened, for a finding.
    var trace: [String] = []

    func finding(_ text: String, _ partition: Int) -> Finding {
      let trace = trace.filter { $0.hasPrefix("\(partition): ") }.suffix(30)
      return Finding("\(text); before: \(trace.joined(separator: ", "))")
    }
  }

  private let state: Lock<State>

  init(_ partitions: Int) {
    state = Lock(State(partitions: Array(repeating: Partition(), count: partitions)))
  }

  func check() throws { if let finding = state.withLock({ $0.finding }) { throw finding } }

  func found(_ error: any Error) {
    state.withLock { $0.finding = $0.finding ?? (error as? Finding ?? Finding("\(error)")) }
  }

  var acknowledged: [Int] { state.withLock { $0.partitions.map(\.acknowledged) } }

  func delivered(_ sequence: Int, of partition: Int, to member: Int) throws {
    try state.withLock { state in
      state.trace.append("\(partition): d \(sequence) to \(member)")
      let now = state.partitions[partition]
      if let other = now.member, other != member {
        throw state.finding(
          "\(sequence) was delivered to member \(member), and \(other) is at \(now.acknowledged)", partition)
      }
      guard sequence == now.next else {
        throw state.finding("\(sequence) was delivered to member \(member), and \(now.next) comes next", partition)
      }
      state.partitions[partition].next = sequence + 1
      state.partitions[partition].member = member
    }
  }

  /// About to be acknowledged: from then on another member may be delivered what comes next.
  func acknowledges(_ sequence: Int, of partition: Int) {
    state.withLock { state in
      state.trace.append("\(partition): a \(sequence)")
      state.partitions[partition].acknowledged = sequence + 1
      if state.partitions[partition].next == sequence + 1 { state.partitions[partition].member = nil }
    }
  }

  /// About to be given back, with those after it.
  func givesBack(_ sequence: Int, of partition: Int) {
    state.withLock { state in
      state.trace.append("\(partition): g \(sequence)")
      state.partitions[partition].next = sequence
      if state.partitions[partition].acknowledged == sequence { state.partitions[partition].member = nil }
    }
  }

  /// About to leave.
  func leaves(_ member: Int) {
    state.withLock { state in
      for partition in state.partitions.indices where state.partitions[partition].member == member {
        state.partitions[partition].next = state.partitions[partition].acknowledged
        state.trace.append("\(partition): leaves \(member)")
        state.partitions[partition].member = nil
      }
    }
  }
}

/// A member that works on what it gets, now and then on several at once, until it leaves.
private final class GroupModelMember: Sendable {
  let consumer: MessageConsumer
  private let model: GroupModel
  private let number: Int
  private let isLeaving = Flag()
  private let task: Task<Void, Never>

  init(_ store: LogStore, _ model: GroupModel, _ number: Int, seed: UInt64) throws {
    let consumer = try store.consumer("billing")
    (self.consumer, self.model, self.number) = (consumer, model, number)
    task = Task { [isLeaving] in
      do {
        try await Self.work(consumer, model, number, isLeaving, SeededGenerator(seed: seed))
      } catch {
        model.found(error)
      }
    }
  }

  /// In the middle of what it was at.
  func leave() async throws {
    isLeaving.set()
    await task.value
    model.leaves(number)
    consumer.close()
    try model.check()
  }

  private static func work(
    _ consumer: MessageConsumer, _ model: GroupModel, _ number: Int, _ leaving: Flag,
    _ generator: SeededGenerator
  ) async throws {
    var generator = generator
    var held: [StoredMessage] = []
    while !leaving.isSet {
      if generator.oneIn(3), let batch = try await consumer.nextBatch(timeout: .milliseconds(2)) {
        for message in batch { try model.delivered(message.sequence, of: batch.partition, to: number) }
        // It is acknowledged whole, so that what was delivered before it is, too.
        held.removeAll { $0.partition == batch.partition }
        model.acknowledges(batch.sequences.upperBound - 1, of: batch.partition)
        try await consumer.acknowledge(batch)
      } else if let message = try await consumer.next(timeout: .milliseconds(2)) {
        try model.delivered(message.sequence, of: message.partition, to: number)
        held.append(message)
        if !generator.oneIn(4) { continue }
      }
      // In order within a partition, or back again, the newest first.
      while !held.isEmpty, !leaving.isSet {
        if generator.oneIn(10) {
          let message = held.removeLast()
          model.givesBack(message.sequence, of: message.partition)
          consumer.giveBack(message)
        } else {
          let message = held.removeFirst()
          model.acknowledges(message.sequence, of: message.partition)
          try await consumer.acknowledge(message)
        }
        if generator.oneIn(3) { await Task.yield() }
      }
    }
  }
}
