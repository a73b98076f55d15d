import Foundation
import Immuta
import ImmutaTestSupport
import Logging
import Testing

/// A consumer delivers each record at least once, over whatever becomes of the process and of the log.
@Suite(.timeLimit(.minutes(2))) struct ConsumerTests {
  private static let file = "log.consumers/billing.position"

  /// A log with so many records, `0`, `1` and so on; open.
  private func open(
    _ directory: TemporaryDirectory, appending count: Int = 0, _ durability: Durability = .buffered,
    access: Storage.Access = .readWrite
  ) async throws -> Storage {
    let storage = try directory.open(durability, access: access)
    let log = try storage.log("log")
    if count > 0 { try await log.append(contentsOf: (0..<count).map { "\(log.count + $0)" }) }
    return storage
  }

  private func take(_ count: Int, _ consumer: Consumer) throws -> [String] {
    try (0..<count).map { _ in try #require(try consumer.nextAtOnce()).text }
  }

  // MARK: Delivery

  @Test func itGoesOnAfterWhatWasAcknowledged() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 10)
      defer { storage.close() }
      let billing = try storage.log("log").consumer("billing")
      #expect(billing.position == 0 && billing.lag == 10)
      #expect(try take(5, billing) == ["0", "1", "2", "3", "4"])
      try await billing.acknowledge(through: 2)
      #expect(billing.position == 3 && billing.lag == 7)
    }
    let storage = try await open(directory)
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing", startingAt: .latest)
    #expect(billing.position == 3)
    #expect(try take(2, billing) == ["3", "4"], "what was not acknowledged comes again")
  }

  /// Each writes over the older of the file's two slots.
  @Test func whoOpensItAgainAndAgainGoesOnAfterTheOneBefore() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 40)
    defer { storage.close() }
    let log = try storage.log("log")
    for round in 0..<8 {
      let billing = try log.consumer("billing")
      #expect(billing.position == 5 * round)
      for number in 5 * round..<5 * round + 4 { try await billing.acknowledge(through: number) }
      billing.close()
      try log.seekConsumer("billing", to: .sequence(5 * round + 5))
    }
    let billing = try log.consumer("billing")
    try await billing.seek(to: .sequence(1))
    billing.close()
    #expect(try log.consumer("billing").position == 1)
  }

  @Test func movingItLeavesTheOlderPositionUntilTheNewOneIsWritten() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    try log.consumer("billing").close()
    try log.seekConsumer("billing", to: .sequence(3))
    let before = try directory.bytes(of: Self.file)
    try log.seekConsumer("billing", to: .sequence(7))
    let after = try directory.bytes(of: Self.file)
    // What a power cut leaves that tears the write.
    let changed = (0..<TwoSlots.size).filter { before[$0] != after[$0] }
    for kept in [0, changed.count / 2, changed.count - 1] {
      var torn = before
      for place in changed.prefix(kept) { torn[place] = after[place] }
      try directory.write(torn, to: Self.file)
      #expect(try log.consumers.first?.position == 3)
    }
  }

  /// It was made on stable storage, and the log was not yet.
  @Test func whatHasReadNothingBeginsInTheLogThatAPowerCutLeft() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 3)
    defer { storage.close() }
    let log = try storage.log("log")
    try log.consumer("billing").close()
    var mark = try directory.mark(of: Self.file)
    mark.identity = LogIdentity.random()
    for (isRestarted, place) in [(true, 0), (true, 2), (false, 0)] {
      mark.bootIdentity = BootIdentity.current ^ (isRestarted ? 1 : 0)
      (mark.last, mark.stable) = (.init(2), .init(place))
      try directory.write(mark, to: Self.file)
      if isRestarted, place == 0 {
        let billing = try log.consumer("billing")
        #expect(billing.position == 0)
        try await billing.acknowledge(through: 0)
        billing.close()
        #expect(try directory.mark(of: Self.file).identity == log.identity)
      } else {
        #expect(
          await error { _ = try log.consumer("billing") }
            == .foreignPosition(expected: try #require(mark.identity), found: log.identity))
      }
    }
  }

  @Test func acknowledgingARecordAcknowledgesThoseBeforeIt() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    let records = try (0..<4).map { _ in try #require(try billing.nextAtOnce()) }
    try await billing.acknowledge(records[3])
    try await billing.acknowledge(records[1])
    #expect(billing.position == 4, "it never goes back by that")
    // What is acknowledged without having been delivered is not delivered.
    try await billing.acknowledge(through: 7)
    #expect(try take(1, billing) == ["8"])
    #expect(await error { try await billing.acknowledge(through: 10) } == .positionBeyondEnd(position: 11, count: 10))
    #expect(await error { try await billing.acknowledge(through: -1) } == .invalidPosition(-1))
    #expect(billing.position == 8)
  }

  @Test func aBatchIsAcknowledgedByOneWrite() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 1_000)
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      var count = 0
      while let batch = try billing.nextBatchAtOnce() {
        count += batch.count
        try await billing.acknowledge(batch)
        #expect(billing.position == count)
      }
      #expect(count == 1_000)
      #expect(injector.count(.write, of: Self.file) <= 10)
      #expect(injector.count(.flush, of: Self.file) == 0)
    }
  }

  @Test func anAcknowledgementIsOneSmallWriteAndWithSyncedOneFlush() async throws {
    for (durability, flushes) in [(Durability.buffered, 0), (.synced, 1)] {
      let directory = TemporaryDirectory()
      let storage = try await open(directory, appending: 3, durability)
      defer { storage.close() }
      let billing = try storage.log("log").consumer("billing")
      let record = try #require(try await billing.next())
      let injector = FaultInjector(directory: directory.path)
      try await injector.run {
        try await billing.acknowledge(record)
        #expect(injector.count(.write, of: Self.file) == 1)
        #expect(injector.count(.flush, of: Self.file) == flushes)
        #expect(injector.count(.read, of: "log.idx") == 0)
        // Once more is nothing.
        try await billing.acknowledge(record)
        #expect(injector.count(.write, of: Self.file) == 1)
        #expect(injector.count(.flush, of: Self.file) == flushes)
      }
    }
  }

  @Test func itBeginsWhereItIsToldTo() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    let moment = try await log.record(at: 0).timestamp
    let starts: [(StreamPosition, Int)] = [
      (.beginning, 0), (.latest, 10), (.last(3), 7), (.skipping(4), 4), (.sequence(10), 10), (.time(moment), 0),
      (.position(try #require(log.position(of: 5))), 5),
    ]
    for (number, (start, position)) in starts.enumerated() {
      let consumer = try log.consumer("c\(number)", startingAt: start)
      #expect(consumer.position == position)
      consumer.close()
      // Kept, though nothing was acknowledged.
      #expect(try log.consumer("c\(number)", startingAt: .sequence(1)).position == position)
    }
    for start in [StreamPosition.sequence(11), .skipping(11)] {
      #expect(
        await error { _ = try log.consumer("x", startingAt: start) } == .positionBeyondEnd(position: 11, count: 10))
    }
    #expect(await error { _ = try log.consumer("x", creating: false) } == .consumerNotFound("x"))
    #expect(!directory.exists("log.consumers/x.position"), "nothing is half made")
    for name in ["", "a/b", ".hidden", String(repeating: "x", count: 201)] {
      #expect(await error { _ = try log.consumer(name) } == .invalidConsumer(name))
    }
  }

  @Test func itMovesWhereItIsToldTo() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing")
    try await billing.acknowledge(through: 7)
    try await billing.seek(to: .sequence(2))
    #expect(billing.position == 2)
    #expect(try take(1, billing) == ["2"])
    #expect(await error { try await billing.seek(to: .sequence(11)) } == .positionBeyondEnd(position: 11, count: 10))
    #expect(billing.position == 2)
    billing.close()
    try log.seekConsumer("billing", to: .last(1))
    #expect(try log.consumer("billing").position == 9)
  }

  // MARK: Waiting

  @Test func itWaitsForWhatComes() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing")
    #expect(try await billing.next(timeout: .milliseconds(5)) == nil)
    let waiting = await startWaiting { try await billing.next()?.text }
    try await log.append("came")
    #expect(try await value(of: waiting) == "came")
    let batch = await startWaiting { try await billing.nextBatch()?.map(\.text) }
    try await log.append(contentsOf: ["a", "b"])
    #expect(try await value(of: batch)?.first == "a")
  }

  @Test func closingItEndsTheWait() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    let waiting = await startWaiting { try await billing.next() }
    let another = await startWaiting { try await billing.nextBatch(timeout: .seconds(600)) }
    billing.close()
    await #expect(throws: ImmutaError.consumerClosed("billing")) { _ = try await value(of: waiting) }
    await #expect(throws: ImmutaError.consumerClosed("billing")) { _ = try await value(of: another) }
    #expect(await error { try await billing.acknowledge(through: 0) } == .consumerClosed("billing"))
    billing.close()
  }

  @Test func cancellingTheTaskEndsTheWait() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory)
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    let waiting = await startWaiting { try await billing.next() }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { _ = try await value(of: waiting) }
    try await storage.append("after", to: "log")
    #expect(try await billing.next()?.text == "after")
  }

  @Test func itClosesWithItsStorage() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 3)
    let billing = try storage.log("log").consumer("billing")
    try await billing.acknowledge(through: 1)
    let waiting = await startWaiting {
      while let record = try await billing.next() { _ = record }
    }
    storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: waiting) }
    // Though somebody holds it still.
    let again = try await open(directory)
    defer { again.close() }
    #expect(try again.log("log").consumer("billing").position == 2)
    withExtendedLifetime(billing) {}
  }

  // MARK: One at a time

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func oneHasItAtATime(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    let writer = try await open(directory, appending: 3)
    defer { writer.close() }
    let storage = access == .readOnly ? try await open(directory, access: .readOnly) : writer
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    let failure = await error { _ = try writer.log("log").consumer("billing") }
    guard case .consumerInUse(let owner) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(owner.consumer == "billing" && owner.namespace == "log")
    #expect(owner.processID == ProcessInfo.processInfo.processIdentifier && owner.since != nil)
    #expect(await error { try writer.log("log").removeConsumer("billing") } == failure)
    #expect(await error { try writer.log("log").seekConsumer("billing", to: .latest) } == failure)
    #expect(try writer.log("log").consumers.map(\.owner) == [owner])
    _ = try writer.log("log").consumer("another")
    billing.close()
    #expect(try writer.log("log").consumer("billing").position == 0)
  }

  @Test func whoeverMakesItFirstHasIt() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 3)
    defer { storage.close() }
    let log = try storage.log("log")
    let made = await withTaskGroup(of: Consumer?.self) { group in
      for _ in 0..<8 { group.addTask { try? log.consumer("billing") } }
      return await group.reduce(into: [Consumer]()) { if let one = $1 { $0.append(one) } }
    }
    #expect(made.count == 1)
    #expect(try log.consumers.map(\.name) == ["billing"])
  }

  @Test func theyAreListedAndRemoved() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.consumers.isEmpty)
    let billing = try log.consumer("billing")
    try await billing.acknowledge(through: 3)
    try log.consumer("audit", startingAt: .latest).close()
    try directory.write([1, 2, 3], to: "log.consumers/broken.position")
    let found = try log.consumers
    #expect(found.map(\.name) == ["audit", "billing", "broken"])
    #expect(found.map(\.position) == [10, 4, nil])
    #expect(found.map(\.lag) == [0, 6, nil])
    #expect(found[0].owner == nil && found[1].owner != nil && found[0].fault == nil && found[2].fault != nil)
    try log.removeConsumer("audit")
    #expect(try log.consumers.map(\.name) == ["billing", "broken"])
    #expect(await error { try log.removeConsumer("audit") } == .consumerNotFound("audit"))
    billing.close()
    try storage.remove("log")
    #expect(!directory.exists("log.consumers"))
  }

  // MARK: What counts after an accident

  @Test func afterARestartOfTheMachineOnlyWhatIsStableCounts() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    let log = try storage.log("log")
    try await log.sync()
    try await log.append(contentsOf: (10..<20).map(String.init))
    let billing = try log.consumer("billing")
    try await billing.acknowledge(through: 5)
    #expect(try directory.mark(of: Self.file).stable.number == 6)
    try await billing.acknowledge(through: 15)
    var found = try directory.mark(of: Self.file)
    #expect(found.last.number == 16 && found.stable.number <= 10, "the log may lose more than ten records")
    #expect(found.identity == log.identity)
    storage.close()
    // All of the log is stable by now.
    found = try directory.mark(of: Self.file)
    #expect(found.stable.number == 16 && found.stable.index > 0)

    found.stable = ConsumerMark.Place(6)
    found.bootIdentity ^= 1
    try directory.write(found, to: Self.file)
    let again = try await open(directory)
    defer { again.close() }
    #expect(try again.log("log").consumers.map(\.position) == [6])
    let consumer = try again.log("log").consumer("billing")
    #expect(consumer.position == 6)
    try await consumer.acknowledge(through: 6)
    #expect(try directory.mark(of: Self.file).last.number == 7)
  }

  @Test func whatIsStableIsNotedThoughNothingIsAcknowledged() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing")
    try await billing.acknowledge(through: 8)
    #expect(try directory.mark(of: Self.file).stable.number == 0)
    try await log.sync()
    #expect(try await eventually { try directory.mark(of: Self.file).stable.number == 9 })
    withExtendedLifetime(billing) {}
  }

  @Test func theIntervalIsThatOfTheLog() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10, .interval(.milliseconds(20)))
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      try await billing.acknowledge(through: 3)
      #expect(await eventually { injector.count(.flush, of: Self.file) == 1 })
      try await billing.acknowledge(through: 4)
      #expect(await eventually { injector.count(.flush, of: Self.file) == 2 })
    }
  }

  @Test func aTornSlotLeavesTheOneBefore() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 10)
      defer { storage.close() }
      let billing = try storage.log("log").consumer("billing")
      for number in 0..<4 { try await billing.acknowledge(through: number) }
    }
    let whole = try directory.bytes(of: Self.file)
    var positions: Set<Int> = []
    for slot in 0..<2 {
      var bytes = whole
      bytes[slot * TwoSlots.slotSize + 40] ^= 1
      try directory.write(bytes, to: Self.file)
      let storage = try await open(directory)
      defer { storage.close() }
      positions.insert(try storage.log("log").consumer("billing").position)
    }
    #expect(positions.count == 2 && positions.isSubset(of: [3, 4]))
  }

  @Test(arguments: ["empty", "zeros", "cut", "changed"])
  func aDamagedPositionIsAnErrorAndNotTheBeginning(damage: String) async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    try log.consumer("billing", startingAt: .sequence(4)).close()
    var bytes = try directory.bytes(of: Self.file)
    switch damage {
    case "empty": bytes = []
    case "zeros": bytes = [UInt8](repeating: 0, count: bytes.count)
    case "cut": bytes = Array(bytes[..<100])
    default: for offset in [50, TwoSlots.slotSize + 50] { bytes[offset] ^= 0xFF }
    }
    try directory.write(bytes, to: Self.file)
    let failure = await error { _ = try log.consumer("billing") }
    guard case .corrupted(let damage) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(damage.path.hasSuffix(Self.file) && damage.reason.code == .consumerPosition)
    #expect(try log.consumers.map(\.fault) == [failure])
    // Its file was not touched, and nobody has it.
    try log.seekConsumer("billing", to: .sequence(5))
    #expect(try log.consumer("billing").position == 5)
  }

  @Test func anUnknownVersionIsRefused() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    try log.consumer("billing").close()
    let magic = try directory.bytes(of: Self.file).withUnsafeBytes { $0.load(as: UInt64.self) }
    let slot = TwoSlots.encoded(magic: magic, version: 9, generation: 0, used: TwoSlots.sector) { _ in }
    try directory.write(slot + [UInt8](repeating: 0, count: TwoSlots.size - TwoSlots.sector), to: Self.file)
    guard case .unsupportedVersion(let found) = await error({ _ = try log.consumer("billing") }) else {
      Issue.record("an unknown version was taken")
      return
    }
    #expect(found.subject == .consumerPosition && found.found == 9 && found.supported == 1)
  }

  @Test func aPositionOfAnotherLogIsRefused() async throws {
    let directory = TemporaryDirectory()
    let (mine, others) = (LogIdentity.random(), LogIdentity.random())
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    try log.consumer("billing").close()
    let identity = try #require(log.identity)
    var found = try directory.mark(of: Self.file)
    found.identity = others
    try directory.write(found, to: Self.file)
    #expect(await error { _ = try log.consumer("billing") } == .foreignPosition(expected: others, found: identity))
    found.identity = identity
    found.last.number = 11
    try directory.write(found, to: Self.file)
    #expect(await error { _ = try log.consumer("billing") } == .positionBeyondEnd(position: 11, count: 10))
    #expect(mine != others)
  }

  /// The log of a backup has its identity, and has as many records again: but others.
  @Test func aLogThatWasPutBackAndHasGrownIsNoticed() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try await open(directory, appending: 5)
      storage.close()
    }
    let old = try ["log.log", "log.idx"].map { ($0, try directory.bytes(of: $0)) }
    do {
      let storage = try await open(directory, appending: 10)
      defer { storage.close() }
      let billing = try storage.log("log").consumer("billing")
      try await billing.acknowledge(through: 9)
    }
    for (name, bytes) in old { try directory.write(bytes, to: name) }
    do {
      let storage = try await open(directory)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(await error { _ = try log.consumer("billing") } == .positionBeyondEnd(position: 10, count: 5))
      try await log.append(contentsOf: (0..<20).map(String.init))
      #expect(
        await error { _ = try log.consumer("billing") } == .positionOutdated(position: 10, consumer: "billing"))
      try log.seekConsumer("billing", to: .sequence(5))
      #expect(try log.consumer("billing").position == 5)
    }
  }

  @Test(arguments: [Durability.buffered, .synced])
  func aPositionThatHasLostItsNameIsToldAtOnceOrSoon(durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 100, durability)
    defer { storage.close() }
    let billing = try storage.log("log").consumer("billing")
    try directory.remove(Self.file)
    var failure: ImmutaError?
    var number = 0
    #expect(
      await eventually(within: .seconds(10)) {
        failure = await error { try await billing.acknowledge(through: number) }
        number += 1
        return failure != nil
      })
    guard case .logMoved(let path) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(path.hasSuffix(Self.file))
  }

  /// The place that comes next was removed: that is told, and not passed over.
  @Test func whatRetentionRemovedIsTold() async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing")
    try await billing.acknowledge(through: 3)
    try await log.roll()
    try await log.append("10")
    try await log.removeRecords(before: 10)
    #expect(await error { _ = try await billing.next() } == .recordRemoved(sequence: 4, first: 10))
    billing.close()
    let again = try log.consumer("billing")
    #expect(again.position == 4 && again.lag == 1)
    #expect(await error { _ = try await again.next() } == .recordRemoved(sequence: 4, first: 10))
    try await again.seek(to: .beginning)
    #expect(try await again.next()?.text == "10")
  }

  /// Nobody is sent to a record that was removed, however he is sent there.
  @Test(arguments: [StreamPosition.sequence(4), .skipping(9), .sequence(0)])
  func whatRetentionRemovedIsNoPlaceToSeek(place: StreamPosition) async throws {
    let directory = TemporaryDirectory()
    let storage = try await open(directory, appending: 10)
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing", startingAt: .sequence(10))
    let queue = try log.workQueue("mails", startingAt: .sequence(10))
    try await log.roll()
    try await log.append("10")
    try await log.removeRecords(before: 10)
    func isRemoved(_ error: ImmutaError?) -> Bool {
      guard case .recordRemoved(_, 10, _) = error else { return false }
      return error?.namespace == "log"
    }
    #expect(isRemoved(await error { try await billing.seek(to: place) }))
    #expect(isRemoved(await error { try await queue.seek(to: place) }))
    #expect(isRemoved(await error { _ = try log.consumer("new", startingAt: place) }))
    #expect(isRemoved(await error { _ = try log.workQueue("newer", startingAt: place) }))
    #expect(billing.position == 10)
    #expect(try await queue.next()?.record.text == "10")
    billing.close()
    queue.close()
    for name in ["billing", "mails", "other"] {
      #expect(isRemoved(await error { try log.seekConsumer(name, to: place) }))
    }
    #expect(try log.consumers.map(\.name) == ["billing", "mails"] && log.consumers.map(\.position) == [10, 10])
    try log.seekConsumer("billing", to: .beginning)
    try log.seekConsumer("mails", to: .sequence(10))
  }
}

/// What the limits would remove, consumers hold back.
@Suite(.timeLimit(.minutes(2))) struct WaitingRetentionTests {
  private func open(
    _ directory: TemporaryDirectory, _ retention: Retention, lines: Box<[String]>? = nil
  ) throws -> Storage {
    var configuration = Storage.Configuration()
    configuration.retention = retention
    if let lines { configuration.logger = Logger(label: "test") { _ in CollectingHandler(lines: lines) } }
    return try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
  }

  /// Segments of ten records.
  private func fill(_ log: Log, segments: Int) async throws {
    for _ in 0..<segments {
      try await log.append(contentsOf: (0..<10).map { "\(log.count + $0)" })
      try await log.roll()
    }
  }

  @Test func whatAConsumerHasNotReadStays() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, Retention(maximumRecords: 10, waitingFor: ["billing", "audit"]))
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing")
    try await fill(log, segments: 4)
    #expect(log.firstSequence == 0)
    try await billing.acknowledge(through: 29)
    try await fill(log, segments: 1)
    // One that was never made has read nothing.
    #expect(log.firstSequence == 0)
    let audit = try log.consumer("audit")
    try await audit.acknowledge(through: 24)
    // By the timer: nothing is appended.
    #expect(await eventually { log.firstSequence == 20 })
    try await audit.acknowledge(through: 49)
    try await fill(log, segments: 1)
    #expect(await eventually { log.firstSequence == 30 }, "up to where billing is")
    #expect(try await billing.next()?.sequence == 30)
    withExtendedLifetime(audit) {}
  }

  /// A power cut leaves what is on stable storage: that is what counts.
  @Test func onlyAPositionOnStableStorageLetsRecordsGo() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, Retention(maximumRecords: 10, waitingFor: ["billing"]))
    defer { storage.close() }
    let log = try storage.log("log")
    let billing = try log.consumer("billing")
    try await fill(log, segments: 1)
    try await billing.acknowledge(through: 9)
    let file = "log.consumers/billing.position"
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      try await fill(log, segments: 2)
      #expect(await eventually { log.firstSequence == 10 })
      #expect(injector.count(.flush, of: file) > 0)
    }
    #expect(try directory.mark(of: file).stable.number >= log.firstSequence)
    withExtendedLifetime(billing) {}
  }

  /// The position is on stable storage, and says that a part of it would not survive: as it is before the log's end is stable.
  @Test func whatAPowerCutMayTakeBackOfAPositionLetsNothingGo() async throws {
    let directory = TemporaryDirectory()
    let file = "log.consumers/billing.position"
    do {
      let storage = try open(directory, Retention())
      defer { storage.close() }
      let log = try storage.log("log")
      try await fill(log, segments: 3)
      try await log.consumer("billing").acknowledge(through: 29)
    }
    var mark = try directory.mark(of: file)
    #expect(mark.last.number == 30)
    mark.stable = ConsumerMark.Place(10)
    try directory.write(mark, to: file)
    let storage = try open(directory, Retention(maximumRecords: 10, waitingFor: ["billing"]))
    defer { storage.close() }
    let log = try storage.log("log")
    try await fill(log, segments: 2)
    #expect(await eventually { log.firstSequence >= 10 })
    #expect(log.firstSequence == 10)
  }

  /// A segment that was just left is larger until it is sealed.
  @Test func whatIsOnlyReservedCountsForNoLimit() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, Retention(maximumBytes: 2_000))
    defer { storage.close() }
    let log = try storage.log("log")
    for _ in 0..<10 {
      try await fill(log, segments: 1)
      try await Task.sleep(for: .milliseconds(5))
      #expect(log.firstSequence == 0, "so far it has less than 1,200 bytes")
    }
  }

  @Test func beyondTheHardLimitNobodyIsWaitedForAndIsNamed() async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    let retention = Retention(maximumBytes: 200, waitingFor: ["billing", "quick"], hardMaximumBytes: 400)
    let storage = try open(directory, retention, lines: lines)
    defer { storage.close() }
    let log = try storage.log("log")
    let (billing, quick) = (try log.consumer("billing"), try log.consumer("quick"))
    for _ in 0..<8 {
      try await fill(log, segments: 1)
      try await quick.acknowledge(through: log.count - 1)
    }
    #expect(await eventually { log.firstSequence > 0 })
    #expect(await eventually { lines.withLock { $0.contains { $0.contains("billing") && $0.contains("missed") } } })
    #expect(!lines.withLock { $0.contains { $0.contains("quick") } })
    await #expect(throws: ImmutaError.recordRemoved(sequence: 0, first: log.firstSequence)) {
      _ = try await billing.next()
    }
  }

  @Test func aDamagedPositionHoldsEverythingAndIsNamed() async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    let storage = try open(directory, Retention(maximumRecords: 10, waitingFor: ["billing"]), lines: lines)
    defer { storage.close() }
    let log = try storage.log("log")
    try await fill(log, segments: 1)
    try log.consumer("billing", startingAt: .latest).close()
    try directory.write([], to: "log.consumers/billing.position")
    try await fill(log, segments: 3)
    #expect(await eventually { lines.withLock { $0.contains { $0.contains("billing") } } })
    #expect(log.firstSequence == 0)
    try log.seekConsumer("billing", to: .latest)
    try await fill(log, segments: 1)
    #expect(await eventually { log.firstSequence > 0 })
  }

  @Test func limitsThatMakeNoSenseAreRefused() {
    let directory = TemporaryDirectory()
    #expect(throws: ImmutaError.invalidConsumer("a/b")) { try open(directory, Retention(waitingFor: ["a/b"])) }
    for retention in [
      Retention(hardMaximumBytes: 1), Retention(waitingFor: ["a"], hardMaximumBytes: 0),
      Retention(maximumBytes: 10, waitingFor: ["a"], hardMaximumBytes: 9),
    ] {
      #expect(throws: ImmutaError.self) { try open(directory, retention) }
    }
  }
}
