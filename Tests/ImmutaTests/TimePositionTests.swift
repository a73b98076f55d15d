import Foundation
import ImmutaTestSupport
import Synchronization
import Testing

@testable import Immuta

/// Finding records by the moment of their commit.
@Suite(.timeLimit(.minutes(3))) struct TimePositionTests {
  private static let second: Int64 = 1_000_000_000
  private static let year = 365 * 86_400 * second

  /// A closed log whose records have these times.
  ///
  /// - Parameter firsts: the first records of its segments but the first.
  private func makeLog(
    _ directory: TemporaryDirectory, times: [Int64], slow: SlowTime? = nil, damaged: Set<Int> = [], firsts: [Int] = []
  ) async throws {
    let storage = try directory.open()
    let log = try storage.log("log")
    let ends = firsts + [times.count]
    for (first, end) in zip([0] + firsts, ends) {
      if first > 0 { try await log.roll() }
      try await log.append(contentsOf: (first..<end).map { "\($0)" })
    }
    storage.close()
    for (first, end) in zip([0] + firsts, ends) {
      let name = segment(first, "idx")
      var companion = try directory.bytes(of: name)
      var header = try #require(companion.withUnsafeBytes { CompanionHeader.current(in: $0) })
      header.slowTime = slow
      companion.replaceSubrange(
        header.slotOffset..<header.slotOffset + CompanionHeader.slotSize, with: header.encoded())
      for number in first..<end {
        let range = CompanionEntry.offset(of: number - first)..<CompanionEntry.offset(of: number - first + 1)
        var entry = try #require(
          companion[range].withUnsafeBytes { CompanionEntry(decoding: $0, number: number - first) })
        entry.time = times[number]
        companion[range].withUnsafeMutableBytes { entry.encode(into: $0, number: number - first) }
        if damaged.contains(number) { companion[range.lowerBound + 9] ^= 1 }
      }
      try directory.write(companion, to: name)
    }
  }

  /// The file of the segment that begins with a record.
  private func segment(_ first: Int, _ kind: String) -> String {
    if first == 0 { return "log.\(kind)" }
    return "log.segments/" + String(repeating: "0", count: 20 - "\(first)".count) + "\(first).\(kind)"
  }

  /// Some of the numbers of a log's records, in order.
  private func randomFirsts(_ count: Int, _ generator: inout SeededGenerator) -> [Int] {
    let oneIn = Int.random(in: 3...50, using: &generator)
    return (1..<max(2, count)).filter { _ in generator.oneIn(oneIn) }.filter { $0 < count }
  }

  /// Records that seldom have a time of their own.
  private func randomTimes(_ count: Int, _ generator: inout SeededGenerator) -> [Int64] {
    var time = Timestamp.now.nanosecondsSince1970 - Self.year
    return (0..<count).map { _ in
      if generator.oneIn(3) { time += Int64.random(in: 1...5, using: &generator) }
      return time
    }
  }

  private func moment(_ time: Int64) -> Timestamp { Timestamp(nanosecondsSince1970: time) }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func itIsTheFirstRecordThatIsNotEarlier(access: Storage.Access) async throws {
    try await Rounds.run(default: 10, "finding records by time") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let times = randomTimes(Int.random(in: 1...200, using: &generator), &generator)
      let firsts = generator.oneIn(2) ? [] : randomFirsts(times.count, &generator)
      try await makeLog(directory, times: times, firsts: firsts)
      let storage = try directory.open(access: access)
      defer { storage.close() }
      let log = try storage.log("log")
      for time in (times[0] - 1)...(times[times.count - 1] + 1) {
        let expected = times.firstIndex { $0 >= time } ?? times.count
        guard try log.sequence(at: moment(time)) == expected else { throw Finding("another record at \(time)") }
        var history = storage.history("log", from: .time(moment(time)))
        guard try await history.next()?.sequence == (expected < times.count ? expected : nil) else {
          throw Finding("the history begins elsewhere at \(time)")
        }
        var stream = log.stream(from: .time(moment(time)))
        guard stream.position == expected else { throw Finding("the stream stands elsewhere at \(time)") }
        guard try stream.nextAtOnce()?.sequence == (expected < times.count ? expected : nil) else {
          throw Finding("the stream begins elsewhere at \(time)")
        }
      }
      let reader = storage.reader("log", from: .time(moment(times[0])))
      guard try await reader.next()?.sequence == 0 else { throw Finding("the reader begins elsewhere") }
    }
  }

  @Test func anEmptyLogHasNoRecordOfAnyMoment() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    for time in [Int64.min, 0, .max] {
      #expect(try open.log.sequence(at: moment(time)) == 0)
      var history = open.log.history(from: .time(moment(time)))
      #expect(try await history.next() == nil)
    }
  }

  @Test func recordsOfManyLogsAreFoundByFewReads() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let start = Timestamp.now.nanosecondsSince1970 - Self.year
    let count = 5_000
    try await makeLog(directory, times: (0..<count).map { start + Int64($0) })
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let reads = CountedReads(directory.path)
    let numbers = [0, 1, 2_500, 4_998, 4_999]
    let found = try SystemCalls.withHook(reads) { try numbers.map { try log.sequence(at: moment(start + Int64($0))) } }
    #expect(found == numbers)
    // 13 steps for 5,000 records, and a look at what was found.
    #expect(reads.count > 0 && reads.count <= 5 * 15, "\(reads.count) reads")
  }

  @Test func aRecordWhoseTimeIsNotKnownIsNotPassedOverUnlessALaterOneIsTooEarly() async throws {
    try await Rounds.run(default: 20, "finding records by time, some of them damaged") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let times = randomTimes(Int.random(in: 5...60, using: &generator), &generator)
      // A log whose last entry is damaged is recovered when it is opened.
      let firsts = generator.oneIn(2) ? [] : randomFirsts(times.count, &generator)
      let damaged = Set((0..<times.count - 1).filter { !firsts.contains($0 + 1) && generator.oneIn(2) })
      try await makeLog(directory, times: times, damaged: damaged, firsts: firsts)
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      for time in (times[0] - 1)...(times[times.count - 1] + 1) {
        let tooEarly = times.indices.last { times[$0] < time && !damaged.contains($0) }
        let expected = tooEarly.map { $0 + 1 } ?? 0
        guard try log.sequence(at: moment(time)) == expected else { throw Finding("another record at \(time)") }
        if expected < times.count, damaged.contains(expected) {
          var stream = log.stream(from: .time(moment(time)))
          do {
            _ = try stream.nextAtOnce()
            throw Finding("the damaged record at \(time) was passed over")
          } catch let error as ImmutaError {
            guard case .corrupted(let corruption) = error, corruption.sequence == expected else { throw error }
          }
        }
      }
    }
  }

  @Test func longRunsOfDamagedEntriesArePassedOnce() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let start = Timestamp.now.nanosecondsSince1970 - Self.year
    let count = 4_000
    try await makeLog(
      directory, times: (0..<count).map { start + Int64($0) }, damaged: Set(1..<count - 1))
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let reads = CountedReads(directory.path)
    let found = try SystemCalls.withHook(reads) {
      try [0, 1, count - 1, count].map { try log.sequence(at: moment(start + Int64($0))) }
    }
    #expect(found == [0, 1, 1, count])
    #expect(reads.count < 200, "\(reads.count) reads")
  }

  @Test func recordsThatWereFoundWithoutACompanionHaveTheTimeOfTheFile() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0], [1], [2]])
    try directory.remove("log.idx")
    let changed = Date(timeIntervalSince1970: 1_700_000_000)
    try FileManager.default.setAttributes([.modificationDate: changed], ofItemAtPath: directory.file("log.log"))
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.reader.hasOwnEntries)
    #expect(try log.sequence(at: moment(1_700_000_000 * Self.second)) == 0)
    #expect(try log.sequence(at: moment(1_700_000_000 * Self.second + 1)) == 3)
  }

  // MARK: Segments

  @Test func recordsOfManySegmentsAreFoundByOpeningFewOfThem() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let start = Timestamp.now.nanosecondsSince1970 - Self.year
    let times = (0..<600).map { start + Int64($0) }
    try await makeLog(directory, times: times, firsts: Array(stride(from: 2, to: 600, by: 2)))
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let opened = CountedReads(directory.path, of: .open)
    let found = try SystemCalls.withHook(opened) { try log.sequence(at: moment(start + 101)) }
    #expect(found == 101)
    // Nine halve 300 segments; each has a log and a companion, and may be looked at twice.
    #expect(opened.count > 0 && opened.count <= 9 * 4, "\(opened.count) files were opened")
  }

  @Test func aMissingSegmentIsNotPassedOverUnlessALaterRecordIsTooEarly() async throws {
    let directory = TemporaryDirectory()
    let start = Timestamp.now.nanosecondsSince1970 - Self.year
    try await makeLog(directory, times: (0..<12).map { start + Int64($0) }, firsts: [4, 8])
    try directory.remove(segment(4, "log"))
    try directory.remove(segment(4, "idx"))
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    let found = try (0...12).map { try log.sequence(at: moment(start + Int64($0))) }
    #expect(found == [0, 1, 2, 3, 4, 4, 4, 4, 4, 9, 10, 11, 12])
    var stream = log.stream(from: .time(moment(start + 6)))
    #expect { try stream.nextAtOnce() } throws: { error in
      guard case ImmutaError.corrupted(let corruption) = error else { return false }
      return corruption.sequence == 4
    }
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func recordsThatWereRemovedAreNotLookedFor(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    let start = Timestamp.now.nanosecondsSince1970 - Self.year
    try await makeLog(directory, times: (0..<12).map { start + Int64($0) }, firsts: [4, 8])
    let storage = try directory.open()
    defer { storage.close() }
    let other = access == .readOnly ? try directory.open(access: .readOnly) : nil
    defer { other?.close() }
    let log = try (other ?? storage).log("log")
    #expect(try log.sequence(at: moment(start)) == 0)
    #expect(try await storage.log("log").removeRecords(before: 5) == 4)
    #expect(try log.sequence(at: moment(start)) == 4)
    #expect(try log.sequence(at: moment(start + 6)) == 6)
    for time in [start, start + 4] {
      var stream = log.stream(from: .time(moment(time)))
      #expect(try stream.nextAtOnce()?.sequence == 4)
      var history = log.history(from: .time(moment(time)))
      #expect(try await history.next()?.sequence == 4)
    }
  }

  // MARK: Wrong clocks

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func recordsAfterOneFromAWrongClockAreFoundByWhatTheClockSaid(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    let now = Timestamp.now.nanosecondsSince1970
    let hour = 3600 * Self.second
    let wrong = now + 10 * Self.year
    // 0 and 1 yesterday, 2 and 3 by a clock that was ahead, then an hour ago, half an hour ago, and a minute ago.
    let clocks = [now - hour, now - hour / 2, now - 60 * Self.second]
    let slow = SlowTime(first: 4, time: wrong + 2, clock: clocks[0])
    let times = [now - 25 * hour, now - 24 * hour, wrong, wrong + 1] + clocks.map { slow.time(at: $0) }
    try await makeLog(directory, times: times, slow: slow)
    let storage = try directory.open(access: access)
    defer { storage.close() }
    let log = try storage.log("log")
    let found = { (time: Int64) throws in try log.sequence(at: moment(time)) }
    #expect(try found(now - 26 * hour) == 0)
    #expect(try found(now - 24 * hour) == 1)
    #expect(try found(now - 2 * hour) == 2, "when the two were committed nobody knows")
    #expect(try found(now - hour + Self.second) == 5)
    #expect(try found(now - hour / 2 - Self.second) == 5)
    #expect(try found(now - 120 * Self.second) == 6)
    #expect(try found(now) == 7)
    var stream = log.stream(from: .time(moment(now - 120 * Self.second)))
    #expect(try stream.nextAtOnce()?.sequence == 6)
    // A record's own timestamp leads to it.
    for record in try log.records(in: 0..<7) {
      #expect(try found(record.timestamp.nanosecondsSince1970) == record.sequence)
    }
  }

  @Test func whatComesAfterSlowTimesIsNotPassedOver() async throws {
    let directory = TemporaryDirectory()
    let now = Timestamp.now.nanosecondsSince1970
    let wrong = now + Self.year
    let slow = SlowTime(first: 1, end: 3, time: wrong + 1, clock: now - 1000 * Self.second)
    let times = [wrong, wrong + 1, slow.time(at: now - 500 * Self.second), wrong + 600 * Self.second]
    try await makeLog(directory, times: times, slow: slow)
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.sequence(at: moment(now - 700 * Self.second)) == 2)
    #expect(try log.sequence(at: moment(now)) == 3, "its clock may have been right or wrong")
  }

  @Test func whereTheClockLaggedTimestampsCount() async throws {
    let directory = TemporaryDirectory()
    let now = Timestamp.now.nanosecondsSince1970
    let hour = 3600 * Self.second
    // The machine began in 1970 after an hour ago.
    let slow = SlowTime(first: 2, time: now - hour + 1, clock: 5 * Self.second)
    let times = [now - 2 * hour, now - hour, slow.time(at: 5 * Self.second), slow.time(at: 100 * Self.second)]
    try await makeLog(directory, times: times, slow: slow)
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.sequence(at: moment(now - hour - 1)) == 1)
    #expect(try log.sequence(at: moment(now - hour + 1)) == 2)
    #expect(try log.sequence(at: moment(50 * Self.second)) == 0)
  }

  // MARK: What is yet to come

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func aMomentInTheFutureIsWaitedFor(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0], [1]])
    let writer = try directory.open()
    defer { writer.close() }
    let other = access == .readOnly ? try directory.open(access: .readOnly) : nil
    defer { other?.close() }
    let log = try (other ?? writer).log("log")
    let future = moment(Timestamp.now.nanosecondsSince1970 + Self.second)
    let stream = log.stream(from: .time(future))
    #expect(stream.position == 2)
    let first = await startWaiting {
      var stream = stream
      return try await stream.next()
    }
    let reader = log.reader(from: .time(future))
    var early = 0
    while Timestamp.now < moment(future.nanosecondsSince1970 - Self.second / 10) {
      try await writer.append("early", to: "log")
      early += 1
      #expect(try await reader.next(timeout: .milliseconds(20)) == nil)
    }
    #expect(early > 0 && reader.position == 2 + early)
    while Timestamp.now < moment(future.nanosecondsSince1970 + Self.second / 10) {
      try await Task.sleep(for: .milliseconds(10))
    }
    try await writer.append("late", to: "log")
    let record = try #require(try await value(of: first))
    #expect(record.text == "late" && record.sequence == 2 + early && record.timestamp >= future)
    #expect(try await reader.next()?.text == "late")
    #expect(try log.sequence(at: future) == 2 + early)
  }

  @Test func theRecordAfterTheFirstOneComesWhateverItsTime() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    var stream = open.log.stream(from: .time(try await open.log.record(at: 0).timestamp))
    for number in 0..<3 { #expect(try stream.nextAtOnce()?.sequence == number) }
    #expect(try stream.nextAtOnce() == nil)
    try await open.log.append("3")
    #expect(try stream.nextAtOnce()?.text == "3")
    // Whoever moves it does not want to wait for that moment any more.
    var moved = open.log.stream(from: .time(moment(.max)))
    #expect(try moved.nextAtOnce() == nil)
    try moved.move(to: 1)
    #expect(try moved.nextAtOnce()?.sequence == 1)
  }

  @Test func durableRecordsAreFoundByTheirTimes() async throws {
    let open = try await OpenLog(2)
    defer { open.close() }
    let start = try await open.log.record(at: 0).timestamp
    var stream = open.log.stream(from: .time(start), only: .durable)
    #expect(try stream.nextAtOnce() == nil)
    try await open.log.sync()
    #expect(try stream.nextAtOnce()?.sequence == 0)
  }

  @Test func aClosedLogSaysSo() async throws {
    let open = try await OpenLog(2)
    let start = try await open.log.record(at: 0).timestamp
    open.close()
    #expect(throws: ImmutaError.storageClosed) { try open.log.sequence(at: start) }
    for position in [StreamPosition.time(start), .time(moment(.max))] {
      var stream = open.log.stream(from: position)
      #expect(throws: ImmutaError.storageClosed) { try stream.nextAtOnce() }
      var history = open.log.history(from: position)
      #expect(throws: ImmutaError.storageClosed) { try history.next() }
    }
  }
}

/// Counts the reads of a directory's files, or other calls.
private final class CountedReads: SystemCallHook {
  private let directory: String
  private let counted: SystemCall
  private let reads = Atomic(0)

  init(_ directory: String, of counted: SystemCall = .read) {
    self.directory = directory
    self.counted = counted
  }

  var count: Int { reads.load(ordering: .relaxed) }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    if call == counted, path.hasPrefix(directory) { reads.add(1, ordering: .relaxed) }
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
