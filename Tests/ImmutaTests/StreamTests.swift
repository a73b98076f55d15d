import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Where a stream begins, and how it waits.
@Suite(.timeLimit(.minutes(3))) struct StreamTests {
  // MARK: Where it begins

  @Test func fromTheBeginningEveryRecordComesOnceInOrder() async throws {
    let open = try await OpenLog(10)
    defer { open.close() }
    let log = open.log
    var stream = log.stream(from: .beginning)
    for number in 0..<10 { #expect(try await stream.next()?.text == "\(number)") }
    #expect(try await stream.next(timeout: .zero) == nil)
    try await log.append("10")
    #expect(try await stream.next()?.sequence == 10)
  }

  @Test func latestMeansCommittedAfterTheCall() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    let log = open.log
    let transaction = try await log.beginTransaction()
    try await transaction.append("begun before the call")
    var stream = log.stream(from: .latest)
    #expect(try await stream.next(timeout: .zero) == nil)
    try await transaction.commit()
    #expect(try await stream.next()?.text == "begun before the call")
  }

  @Test func ofATransactionOfThreeLatestDeliversAllThree() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    let log = open.log
    let waiting = await startWaiting {
      var stream = log.stream(from: .latest)
      var texts: [String] = []
      while texts.count < 3, let record = try await stream.next() { texts.append(record.text) }
      return texts
    }
    try await log.transaction { transaction in
      for text in ["a", "b", "c"] { try await transaction.append(text) }
    }
    #expect(try await value(of: waiting) == ["a", "b", "c"])
  }

  @Test(arguments: [0, 1, 9, 10, 11, 25]) func skippingMeansThatRecordFirstWrittenOrNot(skipped: Int) async throws {
    let open = try await OpenLog(10)
    defer { open.close() }
    let log = open.log
    var stream = log.stream(from: .skipping(skipped))
    #expect(stream.position == skipped)
    if skipped < 10 {
      #expect(try await stream.next()?.sequence == skipped)
    } else {
      #expect(try await stream.next(timeout: .milliseconds(1)) == nil)
      let waiting = await startWaiting { [stream] in
        var stream = stream
        return try await stream.next()?.text
      }
      for number in 10...skipped { try await log.append("\(number)") }
      #expect(try await value(of: waiting) == "\(skipped)")
    }
  }

  @Test func thePositionCanBeSet() async throws {
    let open = try await OpenLog(10)
    defer { open.close() }
    let log = open.log
    var stream = log.stream()
    for position in [7, 2, 2, 9, 0] {
      stream.position = position
      #expect(try await stream.next()?.text == "\(position)")
      #expect(stream.position == position + 1)
    }
    stream.position = 12
    #expect(try await stream.next(timeout: .zero) == nil)
    for number in 10...12 { try await log.append("\(number)") }
    #expect(try await stream.next()?.text == "12")
  }

  @Test func copiesGoTheirOwnWays() async throws {
    let open = try await OpenLog(10)
    defer { open.close() }
    let log = open.log
    var one = log.stream()
    _ = try await one.next()
    var other = one
    for number in 1..<10 { #expect(try await one.next()?.sequence == number) }
    for number in 1..<10 { #expect(try await other.next()?.sequence == number) }
    var seen: [Int] = []
    other.position = 8
    for try await record in other {
      seen.append(record.sequence)
      if seen.count == 2 { break }
    }
    #expect(seen == [8, 9] && other.position == 8)
  }

  // MARK: How it waits

  @Test func nextAtOnceNeverWaits() async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    let log = open.log
    var stream = log.stream()
    #expect(try stream.nextAtOnce()?.text == "0")
    #expect(try stream.nextAtOnce() == nil)
    #expect(try stream.nextAtOnce() == nil)
    try await log.append("1")
    #expect(try stream.nextAtOnce()?.text == "1")
  }

  @Test(arguments: [Duration.zero, .seconds(-1), .nanoseconds(1), .milliseconds(20)])
  func aTimeoutThatPassesLosesNothing(timeout: Duration) async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    let log = open.log
    var stream = log.stream()
    #expect(try await stream.next(timeout: timeout)?.text == "0")
    let start = ContinuousClock.now
    #expect(try await stream.next(timeout: timeout) == nil)
    #expect(ContinuousClock.now - start >= timeout)
    #expect(stream.position == 1)
    try await log.append("1")
    try await log.append("2")
    #expect(try await stream.next(timeout: timeout)?.text == "1")
    #expect(try await stream.next()?.text == "2")
  }

  @Test(arguments: [Duration.seconds(10), .seconds(1 << 40), .seconds(Int64.max)])
  func aRecordThatArrivesInTimeIsDelivered(timeout: Duration) async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    let waiting = await startWaiting {
      var stream = log.stream()
      return try await stream.next(timeout: timeout)?.text
    }
    try await log.append("in time")
    #expect(try await value(of: waiting) == "in time")
  }

  @Test func aCancelledNextLosesNothing() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    for round in 0..<200 {
      let waiting = await startWaiting {
        var stream = log.stream(from: .skipping(round))
        do {
          let record = try await stream.next()
          return (record?.sequence, stream)
        } catch is CancellationError {
          return (nil, stream)
        }
      }
      waiting.cancel()
      try await log.append("\(round)")
      var (first, stream) = try await value(of: waiting)
      if first == nil { first = try await stream.next()?.sequence }
      #expect(first == round)
    }
  }

  @Test func aTaskThatIsCancelledAlreadyGetsTheError() async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    let log = open.log
    let outcome = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      var stream = log.stream()
      let error = await #expect(throws: CancellationError.self) { try await stream.next() }
      return (error != nil, stream.position, try stream.nextAtOnce()?.text)
    }
    let (isCancelled, position, text) = try await value(of: outcome)
    #expect(isCancelled && position == 0 && text == "0")
  }

  @Test func closingWakesEveryoneWhoWaits() async throws {
    let open = try await OpenLog(1)
    let (storage, log) = (open.storage, open.log)
    var waiting: [Task<Record?, any Error>] = []
    for number in 0..<40 {
      waiting.append(
        await startWaiting {
          var stream = log.stream(from: number % 2 == 0 ? .latest : .skipping(5 + number))
          return number % 4 < 2 ? try await stream.next() : try await stream.next(timeout: .seconds(100))
        })
    }
    storage.close()
    for task in waiting {
      await #expect(throws: ImmutaError.storageClosed) { try await value(of: task) }
    }
  }

  @Test func anUnknownNamespaceAndAClosedStorageAreThrownByTheFirstNext() async throws {
    let open = try await OpenLog(1)
    let (storage, log) = (open.storage, open.log)
    var unknown = storage.stream("unknown")
    for _ in 0..<2 {
      await #expect(throws: ImmutaError.namespaceNotFound("unknown")) { try await unknown.next() }
      await #expect(throws: ImmutaError.namespaceNotFound("unknown")) { try await unknown.next(timeout: .zero) }
      #expect(throws: ImmutaError.namespaceNotFound("unknown")) { try unknown.nextAtOnce() }
    }
    storage.close()
    for position in [StreamPosition.beginning, .latest, .skipping(7)] {
      var late = storage.stream("log", from: position)
      await #expect(throws: ImmutaError.storageClosed) { try await late.next() }
      var ofLog = log.stream(from: position)
      await #expect(throws: ImmutaError.storageClosed) { try await ofLog.next() }
      await #expect(throws: ImmutaError.storageClosed) { try await ofLog.next(timeout: .seconds(1)) }
    }
  }

  private actor Collector {
    var texts: [String] = []

    func collect(_ log: Log, count: Int) async throws -> [String] {
      for try await record in log.stream() {
        // Touches the actor's state between suspensions: compiles and runs only on the actor.
        texts.append(record.text)
        if texts.count == count { break }
      }
      return texts
    }
  }

  @Test func anActorIteratesWhereItIs() async throws {
    let open = try await OpenLog(5)
    defer { open.close() }
    let log = open.log
    let collector = Collector()
    let collecting = await startWaiting { try await collector.collect(log, count: 8) }
    for number in 5..<8 { try await log.append("\(number)") }
    #expect(try await value(of: collecting) == (0..<8).map(String.init))
  }

  // MARK: What it leaves behind

  @Test func recordsOutliveStreamStorageAndFile() async throws {
    let sizes = [0, 10, 5_000, 20_000, 300_000, 2 << 20, 9 << 20]
    var records: [Record] = []
    var directory: TemporaryDirectory? = TemporaryDirectory()
    for isReopened in [false, true] {
      guard let directory else { break }
      var storage: Storage? = try directory.open()
      if !isReopened {
        for (number, size) in sizes.enumerated() {
          try await storage?.append(pattern(size, seed: number), to: "log")
        }
      }
      var stream = try #require(storage?.stream("log"))
      for _ in sizes { records.append(try #require(try await stream.next())) }
      for number in sizes.indices { records.append(try #require(try await storage?.log("log").record(at: number))) }
      if let held = try storage?.log("log").records(in: 0..<5) { records += held }
      storage?.close()
      storage = nil
    }
    directory = nil
    #expect(records.count == 2 * (2 * sizes.count + 5))
    for record in records { #expect(holds(record.payload, pattern(sizes[record.sequence], seed: record.sequence))) }
  }

  @Test func aStreamKeepsItsLogOpenAfterTheStorageIsLetGo() async throws {
    let directory = TemporaryDirectory()
    var stream: RecordStream? = try {
      let storage = try directory.open()
      return storage.stream("log")
    }()
    #expect(performing: { try directory.open() }, throws: isLocked)
    #expect(try stream?.nextAtOnce() == nil)
    stream = nil
    let storage = try directory.open()
    storage.close()
  }
}
