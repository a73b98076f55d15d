import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Consumers of a store: what each delivers, and where it goes on.
@Suite struct ConsumerTests {
  let place: Workplace
  let store: LogStore

  init() throws {
    place = try Workplace()
    store = try place.open(4)
  }

  @Test func eachMessageIsDeliveredAndAConsumerGoesOnAfterWhatItAcknowledged() async throws {
    try fill(store, 0..<40)
    let first = try store.consumer("billing")
    #expect(first.partitions == [0, 1, 2, 3] && first.lag == 40)
    var delivered = try await take(20, from: first)
    for message in delivered { try await first.acknowledge(message) }
    _ = try await take(5, from: first)
    #expect(first.lag == 20)
    first.close()
    let second = try store.consumer("billing", creating: false)
    delivered += try await take(20, from: second)
    try expectAll(delivered, 0..<40)
    #expect(try second.nextAtOnce() == nil)
  }

  @Test func batchesAreAcknowledgedTogether() async throws {
    try fill(store, 0..<400)
    let consumer = try store.consumer("billing")
    var delivered: [StoredMessage] = []
    while let batch = try await consumer.nextBatch(timeout: .zero) {
      #expect(batch.allSatisfy { $0.partition == batch.partition })
      delivered += batch
      try await consumer.acknowledge(batch)
    }
    try expectAll(delivered, 0..<400)
    #expect(consumer.lag == 0)
    for partition in 0..<4 {
      #expect(try consumer.position(of: partition) == store.partition(partition).count)
      #expect(try consumer.lag(of: partition) == 0)
    }
  }

  @Test func eachPartitionHasItsTurn() async throws {
    for number in 0..<2_000 { try await store.partition(number % 2 * 3).log.append("\(number)") }
    let consumer = try store.consumer("billing")
    let delivered = try await take(300, from: consumer)
    for partition in [0, 3] { #expect(delivered.filter { $0.partition == partition }.count >= 100) }
  }

  @Test func whatIsGivenBackIsDeliveredAgain() async throws {
    for number in 0..<3 { try await store.partition(2).log.append("\(number)") }
    let consumer = try store.consumer("billing")
    let delivered = try await take(3, from: consumer)
    try await consumer.acknowledge(delivered[0])
    consumer.giveBack(delivered[0])
    #expect(try consumer.nextAtOnce() == nil)
    consumer.giveBack(delivered[1])
    #expect(try await take(2, from: consumer).map(\.text) == ["1", "2"])
  }

  @Test func aWaitEndsWithAMessageAndWithTheConsumerAndWithTheStore() async throws {
    let consumer = try store.consumer("billing")
    let message = Task { try await consumer.next() }
    try await store.append("hello", key: "k")
    let hello = try #require(try await message.value)
    #expect(hello.text == "hello")
    try await consumer.acknowledge(hello)
    #expect(try await consumer.next(timeout: .milliseconds(1)) == nil)
    let closed = Task { try await consumer.next() }
    consumer.close()
    await #expect(throws: ImmutaError.consumerClosed("billing")) { try await closed.value }
    #expect(throws: ImmutaError.consumerClosed("billing")) { try consumer.nextAtOnce() }

    let other = try store.consumer("billing")
    let ended = Task { try await other.next(timeout: .seconds(60)) }
    store.close()
    await #expect(throws: ImmutaError.storageClosed) { try await ended.value }
    #expect(throws: ImmutaError.storageClosed) { try other.nextAtOnce() }
    #expect(throws: ImmutaError.storageClosed) { try store.consumer("billing") }
  }

  @Test func aWaitIsCancelledWithItsTask() async throws {
    let consumer = try store.consumer("billing")
    let task = Task { try await consumer.next() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func namedPartitionsAreHeldAloneAndOthersLeftToTheGroup() async throws {
    try fill(store, 0..<40)
    let named = try store.consumer("billing", partitions: [0, 3, 0])
    #expect(named.partitions == [0, 3])
    #expect(throws: ImmutaError.self) { try store.consumer("billing", partitions: [1, 3]) }
    let group = try store.consumer("billing")
    #expect(group.partitions == [1, 2])
    let owner = user { _ = try store.consumer("billing", partitions: [2]) }
    #expect(owner?.namespace == "2" && owner?.processID == ProcessInfo.processInfo.processIdentifier)
    var delivered: [StoredMessage] = []
    while let message = try named.nextAtOnce() { delivered.append(message) }
    while let message = try group.nextAtOnce() { delivered.append(message) }
    try expectAll(delivered, 0..<40)
    named.close()
    try await eventually { group.partitions == [0, 1, 2, 3] }
    #expect(throws: ImmutaError.partitionNotFound(4, count: 4)) { try store.consumer("billing", partitions: [4]) }
    #expect(throws: ImmutaError.self) { try store.consumer("billing", partitions: []) }
    #expect(throws: ImmutaError.consumerNotFound("other")) { try store.consumer("other", creating: false) }
    #expect(throws: ImmutaError.invalidConsumer("a/b")) { try store.consumer("a/b") }
  }

  @Test func aNewConsumerBeginsWhereItIsToldInAllPartitions() async throws {
    try fill(store, 0..<20)
    let one = try store.consumer("late", partitions: [1], startingAt: .latest)
    one.close()
    let late = try store.consumer("late", startingAt: .latest)
    #expect(late.lag == 0)
    try fill(store, 20..<30)
    try expectAll(try await take(10, from: late), 20..<30)
  }

  @Test func consumersAreListedMovedAndRemoved() async throws {
    #expect(try store.consumers == [])
    try fill(store, 0..<40)
    let consumer = try store.consumer("billing")
    for message in try await take(40, from: consumer) { try await consumer.acknowledge(message) }
    _ = try store.consumer("named", partitions: [2])
    let listed = try store.consumers
    #expect(listed.map(\.name) == ["billing", "named"])
    #expect(listed[0].lag == 0 && listed[0].partitions.keys.sorted() == [0, 1, 2, 3])
    #expect(listed[0].members.map(\.processID) == [ProcessInfo.processInfo.processIdentifier])
    #expect(listed[0].partitions.values.allSatisfy { $0.owner != nil })
    #expect(listed[1].partitions.keys.sorted() == [2] && listed[1].members == [])
    #expect(listed[1].lag == (try store.partition(2).count))

    #expect(user { try store.seekConsumer("billing", to: .beginning) } != nil)
    #expect(user { try store.removeConsumer("billing") } != nil)
    // One that has no partition is a member all the same.
    consumer.close()
    let all = try store.consumer("billing", partitions: [0, 1, 2, 3])
    let idle = try store.consumer("billing")
    all.close()
    try await eventually { idle.partitions.count == 4 }
    try await idle.seek(to: .sequence(1), in: 2)
    #expect(try idle.position(of: 2) == 1 && idle.nextAtOnce()?.sequence == 1)
    idle.close()
    try store.seekConsumer("billing", to: .beginning)
    #expect(try store.consumers[0].lag == 40)
    try store.seekConsumer("billing", to: .latest, in: 1)
    #expect(try store.consumers[0].lag == 40 - store.partition(1).count)
    try store.removeConsumer("billing")
    #expect(try store.consumers.map(\.name) == ["named"])
    #expect(throws: ImmutaError.consumerNotFound("billing")) { try store.removeConsumer("billing") }
    #expect(try !FileManager.default.contentsOfDirectory(atPath: "\(place.path)/logstore.groups").contains("billing"))
  }

  @Test func aDamagedPositionIsThrownAndStays() async throws {
    try fill(store, 0..<40)
    let consumer = try store.consumer("billing")
    for message in try await take(40, from: consumer) { try await consumer.acknowledge(message) }
    consumer.close()
    let file = "\(place.path)/2.bilog.consumers/billing.position"
    let whole = try #require(try FileBytes.read(file))
    try FileBytes.write([UInt8](repeating: 7, count: 4096), to: file)
    let error = failure(of: { _ = try store.consumer("billing") })
    if case .corrupted(let damage) = error {
      #expect(damage.path.hasSuffix("2.bilog.consumers/billing.position"))
    } else {
      Issue.record("a damaged position was passed over: \(String(describing: error))")
    }
    #expect(try store.consumers[0].lag == nil && store.consumers[0].partitions[2]?.fault != nil)
    try FileBytes.write(whole, to: file)
    let other = try store.consumer("billing")
    #expect(other.lag == 0)
  }

  @Test func aFaultOfAPartitionIsThrownAndTheOthersGoOn() async throws {
    try fill(store, 0..<40)
    let holder = try store.consumer("billing", partitions: [2])
    let member = try store.consumer("billing")
    let file = "\(place.path)/2.bilog.consumers/billing.position"
    try FileBytes.write([UInt8](repeating: 7, count: 4096), to: file)
    holder.close()
    var delivered = 0
    var isThrown = false
    let deadline = ContinuousClock.now + .seconds(30)
    while try !isThrown || delivered < 40 - store.partition(2).count, .now < deadline {
      do {
        if try await member.next(timeout: .milliseconds(100)) != nil { delivered += 1 }
      } catch let error as ImmutaError {
        if case .corrupted = error { isThrown = true } else { throw error }
      }
    }
    #expect(isThrown && member.partitions == [0, 1, 3])
    #expect(delivered == 40 - (try store.partition(2).count))
  }

  @Test func retentionWaitsInEachPartition() async throws {
    store.close()
    var configuration = Storage.Configuration()
    configuration.segments.maximumBytes = 500
    configuration.retention = Retention(maximumRecords: 1, waitingFor: ["billing"])
    let store = try LogStore(directory: place.path, configuration: configuration)
    defer { store.close() }
    let consumer = try store.consumer("billing")
    for number in 0..<200 { try await store.partition(number % 2).log.append("message \(number)") }
    for partition in 0..<2 {
      let log = try store.partition(partition).log
      try await log.roll()
      #expect(log.firstSequence == 0)
    }
    while let message = try consumer.nextAtOnce() {
      if message.partition == 1 { try await consumer.acknowledge(message) }
    }
    try await store.sync()
    let read = try store.partition(1).log
    try await eventually {
      try await store.partition(1).log.append("more")
      return read.firstSequence > 0
    }
    #expect(try store.partition(0).log.firstSequence == 0)
  }

  @Test func aStoreThatIsOpenForReadingIsConsumed() async throws {
    let reading = try place.open(access: .readOnly)
    defer { reading.close() }
    let consumer = try reading.consumer("billing")
    let message = Task { try await consumer.next() }
    try await store.append("hello", key: "k")
    let taken = try #require(try await message.value)
    #expect(taken.text == "hello")
    try await consumer.acknowledge(taken)
    consumer.close()
    #expect(try store.consumer("billing").lag == 0)
  }
}

/// What a call throws; nil where it throws nothing.
func failure(of call: () throws -> Void) -> ImmutaError? {
  do {
    try call()
    return nil
  } catch {
    return error as? ImmutaError
  }
}

/// Who has what a call wants, by the error that it throws.
func user(_ call: () throws -> Void) -> ConsumerOwner? {
  if case .consumerInUse(let owner) = failure(of: call) { owner } else { nil }
}

func fill(_ store: LogStore, _ numbers: Range<Int>) throws {
  for number in numbers { try store.append("\(number)", key: "key \(number)") }
}

/// So many messages, which exist already.
func take(_ count: Int, from consumer: MessageConsumer) async throws -> [StoredMessage] {
  var taken: [StoredMessage] = []
  while taken.count < count {
    guard let message = try await consumer.next(timeout: .seconds(20)) else {
      throw Finding("only \(taken.count) of \(count) messages came")
    }
    taken.append(message)
  }
  return taken
}

/// Each message once, and those of a partition in their order.
func expectAll(_ messages: [StoredMessage], _ numbers: Range<Int>) throws {
  #expect(messages.compactMap { Int($0.text) }.sorted() == Array(numbers))
  for (_, of) in Dictionary(grouping: messages, by: \.partition) {
    #expect(of.map(\.sequence) == of.map(\.sequence).sorted())
  }
}

/// Waits until something holds, for as long as it may take on a busy machine.
func eventually(_ condition: () async throws -> Bool, _ location: SourceLocation = #_sourceLocation) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try await !condition() {
    if .now > deadline {
      Issue.record("it did not come about", sourceLocation: location)
      return
    }
    try await Task.sleep(for: .milliseconds(1))
  }
}
