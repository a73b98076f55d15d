import Immuta
import ImmutaTestSupport
import Testing

/// Keeps its place in a log, as a consumer would.
private actor Consumer {
  let reader: RecordReader

  init(_ reader: RecordReader) { self.reader = reader }

  func take(_ count: Int) async throws -> [String] {
    var texts: [String] = []
    while let record = try await reader.next() {
      texts.append(record.text)
      if texts.count == count { break }
    }
    return texts
  }
}

/// Records one at a time, by an object that keeps its place.
@Suite(.timeLimit(.minutes(3))) struct ReaderTests {
  @Test func breakAndASecondLoopGoOnWhereTheFirstOneStopped() async throws {
    let open = try await OpenLog(6)
    defer { open.close() }
    let reader = open.log.reader(from: .beginning)
    var texts: [String] = []
    while let record = try await reader.next() {
      texts.append(record.text)
      if texts.count == 2 { break }
    }
    while let record = try await reader.next(timeout: .zero) { texts.append(record.text) }
    #expect(texts == (0..<6).map(String.init))
    #expect(reader.position == 6 && reader.nextPosition?.sequence == 6)
    try await open.log.append("6")
    #expect(try reader.nextAtOnce()?.text == "6")
    #expect(try reader.nextAtOnce() == nil)
  }

  @Test func anActorHoldsAReaderAndAwaitsIt() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    let log = open.log
    let consumer = Consumer(log.reader())
    #expect(try await consumer.take(2) == ["0", "1"])
    let waiting = await startWaiting { try await consumer.take(3) }
    for number in 3..<5 { try await log.append("\(number)") }
    #expect(try await value(of: waiting) == ["2", "3", "4"])
  }

  @Test func ofTasksThatShareAReaderEachRecordGoesToOne() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    let reader = log.reader()
    let count = 2_000
    // Some of them wait while others take, and the last records come while all of them wait.
    let taken = Box<[Int]>([])
    let tasks = (0..<4).map { _ in
      Task {
        while let record = try await reader.next() { taken.withLock { $0.append(record.sequence) } }
      }
    }
    for number in 0..<count { try await log.append("\(number)") }
    #expect(await eventually { taken.withLock { $0.count } >= count })
    for task in tasks { task.cancel() }
    for task in tasks { await #expect(throws: CancellationError.self) { try await value(of: task) } }
    #expect(taken.withLock { $0.sorted() } == Array(0..<count))
  }

  @Test func aReaderThatWasCancelledOrTimedOutHasLostNothing() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    let reader = log.reader()
    let waiting = await startWaiting { try await reader.next() }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await value(of: waiting) }
    #expect(try await reader.next(timeout: .milliseconds(1)) == nil)
    #expect(try await reader.next(timeout: .seconds(-1)) == nil)
    try await log.append("first")
    #expect(try await reader.next(timeout: .seconds(Int64.max))?.text == "first")
  }

  @Test func aReaderIsMovedAndRefusesWhatIsNoNumber() async throws {
    let open = try await OpenLog(5)
    defer { open.close() }
    let reader = open.log.reader(from: .latest)
    #expect(try reader.nextAtOnce() == nil)
    reader.position = 3
    #expect(try reader.nextAtOnce()?.text == "3")
    try reader.move(to: 1)
    #expect(try reader.nextAtOnce()?.text == "1")
    #expect(throws: ImmutaError.recordNotFound(-1)) { try reader.move(to: -1) }
    #expect(reader.position == 2)
    let beyond = open.log.reader(from: .sequence(9))
    await #expect(throws: ImmutaError.positionBeyondEnd(position: 9, count: 5)) { try await beyond.next() }
  }

  @Test func makingAReaderNeverFailsItsFirstNextDoes() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let unknown = storage.reader("nowhere")
    await #expect(throws: ImmutaError.namespaceNotFound("nowhere")) { try await unknown.next() }
    let reader = storage.reader("log")
    let waiting = await startWaiting { try await reader.next() }
    storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: waiting) }
    #expect(throws: ImmutaError.storageClosed) { try reader.nextAtOnce() }
  }

  @Test(arguments: [(0, []), (2, ["3", "4"]), (5, ["0", "1", "2", "3", "4"]), (9, ["0", "1", "2", "3", "4"])])
  func theLastRecordsAreThoseOfTheMomentOfTheCall(count: Int, expected: [String]) async throws {
    let open = try await OpenLog(5)
    defer { open.close() }
    var stream = open.log.stream(from: .last(count))
    try await open.log.append("later")
    var texts: [String] = []
    while let record = try stream.nextAtOnce() { texts.append(record.text) }
    #expect(texts == expected + ["later"])
  }

  @Test func codeThatIsNotAsyncReadsARecordByNumberWithoutAwait() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    func read(_ log: Log, _ number: Int) throws(ImmutaError) -> String { try log.record(at: number).text }
    #expect(try read(open.log, 1) == "1")
    #expect(throws: ImmutaError.recordNotFound(3)) { try read(open.log, 3) }
    #expect(try await open.log.record(at: 2).text == "2")
    #expect(open.log.firstSequence == 0)
  }
}

/// The records that there are, to their end.
@Suite(.timeLimit(.minutes(3))) struct HistoryTests {
  @Test func aHistoryEndsWithTheLastRecordThatWasThereWhenItWasMade() async throws {
    let open = try await OpenLog(4)
    defer { open.close() }
    let history = open.log.history(from: .skipping(1))
    try await open.log.append("later")
    var texts: [String] = []
    for try await record in history { texts.append(record.text) }
    #expect(texts == ["1", "2", "3"] && history.end == 4)
    func read(_ history: RecordHistory) throws(ImmutaError) -> [String] {
      var history = history
      var texts: [String] = []
      while let record = try history.next() { texts.append(record.text) }
      return texts
    }
    #expect(try read(history) == ["1", "2", "3"])
    #expect(try read(open.log.history(from: .last(2))) == ["3", "later"])
    for start in [StreamPosition.latest, .skipping(5), .skipping(99)] {
      #expect(try read(open.log.history(from: start)) == [])
    }
    #expect(throws: ImmutaError.positionBeyondEnd(position: 99, count: 5)) {
      try read(open.log.history(from: .sequence(99)))
    }
  }

  @Test func aHistoryOfStableRecordsEndsWithTheLastStableOne() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    try await open.log.sync()
    try await open.log.append("not stable")
    let stable = open.log.history(only: .durable)
    #expect(stable.end == 3 && open.log.history().end == 4)
  }

  @Test(arguments: [true, false])
  func aHistoryOfAClosedStorageThrowsAndStays(isEmpty: Bool) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<3).map { pattern(1 << 20, seed: $0) })
    let storage = try directory.open()
    var history = storage.history("log", from: isEmpty ? .latest : .beginning)
    if !isEmpty { #expect(try await history.next()?.sequence == 0) }
    storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await history.next() }
    #expect(history.position == (isEmpty ? 3 : 1))
    var unknown = storage.history("nowhere")
    await #expect(throws: ImmutaError.storageClosed) { try await unknown.next() }
  }

  @Test func aHistoryStopsWhenItsTaskIsCancelled() async throws {
    let open = try await OpenLog(100)
    defer { open.close() }
    let history = open.log.history()
    let task = Task {
      var seen = 0
      for try await _ in history {
        seen += 1
        withUnsafeCurrentTask { $0?.cancel() }
      }
      return seen
    }
    await #expect(throws: CancellationError.self) { try await value(of: task) }
  }

  @Test func aRangeIsReadOnceAndHeld() async throws {
    let directory = TemporaryDirectory()
    let payloads = (0..<120).map { pattern(100 << 10, seed: $0) }
    try await directory.fill(payloads)
    let storage = try directory.open()
    let log = try storage.log("log")
    let calls = CallsOn(directory.file("log.log"))
    try SystemCalls.withHook(calls) {
      let records = try log.records(in: 0..<120)
      let reading = calls.count
      // Two records fit a chunk.
      #expect((1...120).contains(reading))
      storage.close()
      let closing = calls.count
      for (number, record) in records.enumerated() { #expect(holds(record.payload, payloads[number])) }
      #expect(records.count == 120 && records[119].sequence == 119 && records.last?.sequence == 119)
      #expect(calls.count == closing)
    }
  }
}

/// Counts the reads of a file.
private final class CallsOn: SystemCallHook {
  private let path: String
  private let calls = Box(0)

  init(_ path: String) { self.path = path }

  var count: Int { calls.withLock { $0 } }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    if path == self.path, [.read, .map, .open].contains(call) { calls.withLock { $0 += 1 } }
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
