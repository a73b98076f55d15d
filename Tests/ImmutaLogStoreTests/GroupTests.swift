import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Synchronization
import Testing

@testable import ImmutaLogStore

/// Members of a group: who has which partitions, and when.
@Suite struct GroupTests {
  let place: Workplace
  let store: LogStore

  init() throws {
    place = try Workplace()
    store = try place.open(10)
  }

  private func expectBalance(_ members: [MessageConsumer]) async throws {
    try await eventually {
      let partitions = members.map(\.partitions)
      let counts = partitions.map(\.count)
      return partitions.flatMap { $0 }.sorted() == Array(0..<10) && (counts.max() ?? 0) - (counts.min() ?? 0) <= 1
    }
  }

  /// When they only look again where somebody has something for them, or after five seconds.
  private func waitForRest(of members: [MessageConsumer]) async throws {
    try await eventually { members.allSatisfy(\.isAtRest) }
  }

  /// That it took less than waiting for the next look that comes by itself.
  private func expectSoon(_ body: () async throws -> Void) async throws {
    let start = ContinuousClock.now
    try await body()
    #expect(ContinuousClock.now - start < .seconds(4))
  }

  @Test func membersShareThePartitionsEvenlyAsTheyComeAndGo() async throws {
    try fill(store, 0..<100)
    var members = [try store.consumer("billing")]
    #expect(members[0].partitions == Array(0..<10))
    for _ in 0..<3 {
      members.append(try store.consumer("billing"))
      try await expectBalance(members)
    }
    for _ in 0..<3 {
      members.remove(at: 0).close()
      try await expectBalance(members)
    }
    // One that is let go leaves, too.
    var other: MessageConsumer? = try store.consumer("billing")
    try await expectBalance(members + [try #require(other)])
    other = nil
    try await expectBalance(members)
  }

  @Test func membersBeyondThePartitionsWaitForTheirTurn() async throws {
    let members = try (0..<12).map { _ in try store.consumer("billing") }
    try await expectBalance(members)
    let idle = try #require(members.first { $0.partitions.isEmpty })
    let message = Task { try await idle.next() }
    try fill(store, 0..<50)
    for member in members where member !== idle { member.close() }
    #expect(try await message.value != nil)
    try await eventually { idle.partitions.count == 10 }
  }

  @Test func aPartitionGoesWhenWhatWasDeliveredIsAcknowledged() async throws {
    for partition in 0..<10 { try await store.partition(partition).log.append("\(partition)") }
    let first = try store.consumer("billing")
    let delivered = try await take(10, from: first)
    let second = try store.consumer("billing")
    // It looks at once, and has to wait.
    #expect(second.partitions == [])
    try await waitForRest(of: [first, second])
    #expect(first.partitions.count == 10 && second.partitions == [])
    // Of what is to go, nothing more is delivered.
    for partition in 0..<10 { try await store.partition(partition).log.append("more") }
    var more: [StoredMessage] = []
    while let message = try first.nextAtOnce() { more.append(message) }
    #expect(more.count == 5)
    try await waitForRest(of: [first, second])
    try await expectSoon {
      for message in delivered + more { try await first.acknowledge(message) }
      try await expectBalance([first, second])
    }
    var rest: [StoredMessage] = []
    while let message = try second.nextAtOnce() { rest.append(message) }
    #expect(rest.map(\.text) == Array(repeating: "more", count: 5))
    try #require(!rest.isEmpty)
    #expect(Set(rest.map(\.partition)).isDisjoint(with: more.map(\.partition)))
    // What was acknowledged in time may be acknowledged again, and nothing else.
    for message in delivered { try await first.acknowledge(message) }
    await #expect(throws: ImmutaError.partitionNotHeld(rest[0].partition, consumer: "billing")) {
      try await first.acknowledge(rest[0])
    }
    await #expect(throws: ImmutaError.partitionNotHeld(rest[0].partition, consumer: "billing")) {
      try await first.seek(to: .beginning, in: rest[0].partition)
    }
    #expect(try first.position(of: rest[0].partition) == 1)
    #expect(try first.lag(of: rest[0].partition) == 1)
  }

  @Test func aPartitionGoesWhenWhatWasDeliveredIsGivenBack() async throws {
    for partition in 0..<10 { try await store.partition(partition).log.append("\(partition)") }
    let first = try store.consumer("billing")
    let delivered = try await take(10, from: first)
    let second = try store.consumer("billing")
    for message in delivered { first.giveBack(message) }
    try await expectBalance([first, second])
    let again = try await take(5, from: first) + take(5, from: second)
    try expectAll(again, 0..<10)
  }

  @Test func aPartitionThatStaysAfterAllIsDeliveredToWhoeverWaits() async throws {
    for partition in 0..<10 { try await store.partition(partition).log.append("\(partition)") }
    let first = try store.consumer("billing")
    _ = try await take(10, from: first)
    let second = try store.consumer("billing")
    // Once it gives nothing of five partitions.
    var withheld: [Int] = []
    try await eventually {
      for partition in 0..<10 { try await store.partition(partition).log.append("more") }
      var given: Set<Int> = []
      while let message = try first.nextAtOnce() { given.insert(message.partition) }
      withheld = Set(0..<10).subtracting(given).sorted()
      return withheld.count == 5
    }
    let more = Task { try await take(5, from: first) }
    try await eventually { first.waiterCount == 1 }
    try await expectSoon {
      second.close()
      let partitions = Set(try await more.value.map(\.partition))
      #expect(partitions.isSubset(of: withheld))
    }
    #expect(first.partitions.count == 10)
  }

  @Test func whatAMemberLeavesUnacknowledgedIsDeliveredToAnother() async throws {
    try fill(store, 0..<100)
    let first = try store.consumer("billing")
    let delivered = try await take(100, from: first)
    for message in delivered where message.sequence % 2 == 0 { try await first.acknowledge(message) }
    let second = try store.consumer("billing")
    first.close()
    try await expectBalance([second])
    var again: [StoredMessage] = []
    while let message = try second.nextAtOnce() { again.append(message) }
    // In each partition, what comes after the last that was acknowledged.
    #expect(
      again.count
        == (0..<10).count { (try? store.partition($0).count % 2 == 0 && store.partition($0).count > 0) ?? false })
  }

  @Test func aMemberWhoseFileWasRemovedJoinsAgain() async throws {
    let members = [try store.consumer("billing"), try store.consumer("billing")]
    try await expectBalance(members)
    try await waitForRest(of: members)
    // Another file has the name of the first one's: nobody sees that one any more.
    let folder = "\(place.path)/logstore.groups/billing"
    try FileBytes.write([], to: "\(folder)/new")
    #expect(rename("\(folder)/new", "\(folder)/0") == 0)
    try await expectSoon {
      try await eventually { try store.consumers[0].members.count == 2 }
      let third = try store.consumer("billing")
      try await expectBalance(members + [third])
    }
    try FileManager.default.removeItem(atPath: "\(folder)/1")
    try await eventually { try store.consumers[0].members.count == 2 }
  }

  @Test func aMemberThatHasNothingEndsWithItsStore() async throws {
    let all = try store.consumer("billing", partitions: Array(0..<10))
    let reading = try place.open(access: .readOnly)
    let idle = try reading.consumer("billing")
    let message = Task { try await idle.next() }
    reading.close()
    await #expect(throws: ImmutaError.storageClosed) { try await message.value }
    #expect(try store.consumers[0].members.isEmpty)
    // Others get what it could have had.
    all.close()
    #expect(try store.consumer("billing").partitions.count == 10)
  }

  @Test func otherGroupsAreOfNoConcern() async throws {
    let billing = try store.consumer("billing")
    let mail = try store.consumer("mail")
    #expect(billing.partitions.count == 10 && mail.partitions.count == 10)
    billing.close()
    #expect(mail.partitions.count == 10)
  }

  @Test func whoComesWhileAnotherMakesThePositionsWaitsForThem() async throws {
    /// Stops whoever makes the last partition's position for as long as another takes to come, or for a moment where that one
    /// waits.
    final class Maker: SystemCallHook {
      let path: String
      let begin: @Sendable () -> DispatchSemaphore
      let isFirst = Atomic<Bool>(true)
      init(_ path: String, _ begin: @escaping @Sendable () -> DispatchSemaphore) {
        (self.path, self.begin) = (path, begin)
      }
      func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
        if call == .flush, path == self.path, isFirst.exchange(false, ordering: .relaxed) {
          _ = begin().wait(timeout: .now() + .milliseconds(300))
        }
        return .proceed
      }
      func didCall(_ call: SystemCall, path: String) {}
    }
    let reading = try place.open(access: .readOnly)
    let other = Lock<Result<MessageConsumer, any Error>?>(nil)
    let maker = Maker("\(place.path)/9.bilog.consumers/billing.position.new") {
      let hasCome = DispatchSemaphore(value: 0)
      Thread {
        let result = Result {
          let consumer = try reading.consumer("billing")
          // A partition that it cannot take would be told here.
          _ = try consumer.nextAtOnce()
          return consumer
        }
        other.withLock { $0 = result }
        hasCome.signal()
      }.start()
      return hasCome
    }
    let first = try SystemCalls.withHook(maker) { try store.consumer("billing") }
    try await eventually { other.withLock { $0 } != nil }
    let second = try #require(try other.withLock { $0 }?.get())
    try await expectBalance([first, second])
    first.close()
    for partition in 0..<10 { try await store.partition(partition).log.append("\(partition)") }
    try expectAll(await take(10, from: second), 0..<10)
  }

  @Test func sharesAreEvenAndAllPartitionsAreInOne() {
    for partitions in 1...40 {
      for members in 1...50 {
        let shares = (0..<members).map { GroupPlan.share(of: $0, among: members, partitions) }
        #expect(shares.reduce(0, +) == partitions && shares == shares.sorted(by: >))
        #expect((shares.first ?? 0) - (shares.last ?? 0) <= 1)
        for place in 0..<members {
          #expect(GroupPlan.order(for: place, among: members, partitions).sorted() == Array(0..<partitions))
        }
      }
    }
  }

  @Test func whatGoesIsWhatCanGo() {
    let held = [
      GroupPlan.Held(partition: 0, isIdle: false, isLeaving: true),
      .init(partition: 1, isIdle: false, isLeaving: false),
      .init(partition: 2, isIdle: true, isLeaving: false), .init(partition: 3, isIdle: false, isLeaving: false),
    ]
    #expect(GroupPlan.leaving(held, share: 5) == [])
    #expect(GroupPlan.leaving(held, share: 4) == [])
    #expect(GroupPlan.leaving(held, share: 3) == [2])
    #expect(GroupPlan.leaving(held, share: 2) == [2, 0])
    #expect(GroupPlan.leaving(held, share: 1) == [2, 0, 3])
    #expect(GroupPlan.leaving(held, share: 0) == [2, 0, 3, 1])
  }

  @Test func anIdleMemberSeldomLooks() async throws {
    let members = [try store.consumer("billing"), try store.consumer("billing")]
    try await expectBalance(members)
    try await waitForRest(of: members)
    let before = members.map(\.looks)
    try fill(store, 0..<100)
    for member in members {
      while let message = try member.nextAtOnce() { try await member.acknowledge(message) }
    }
    // What others do with their messages is nothing to look at. One look may have come by itself.
    for (member, before) in zip(members, before) { #expect(member.looks - before <= 1) }
    #expect(members.allSatisfy { $0.partitions.count == 5 })
  }
}
