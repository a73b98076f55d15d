import Foundation
import ImmutaTestSupport
import Logging
import Testing

@testable import Immuta

/// Times, while clocks are wrong.
@Suite(.timeLimit(.minutes(2)), .serialized) struct ClockTests {
  private static let second: Int64 = 1_000_000_000
  private static let year = 365 * 86_400 * second

  /// A commit clock that is read by hand.
  private struct Hands {
    var clock: CommitClock
    var tick: Int64 = 0
    var record = 1

    init(last: Int64? = nil, slow: SlowTime? = nil) { clock = CommitClock(last: last, slow: slow) }

    /// Commits a record when the clocks say this; nil where nobody set one.
    mutating func commit(_ wall: Int64, steady: Int64? = nil) -> (time: Int64, news: CommitClock.News) {
      tick += 1
      defer { record += 1 }
      let news = clock.read(wall, tick: tick, record: record) { steady ?? wall }
      return (clock.last, news)
    }
  }

  @Test func aClockThatIsRightIsBelieved() {
    var hands = Hands(last: 100 * Self.second)
    for time in [100, 101, 160, 10_000] as [Int64] {
      let (found, news) = hands.commit(time * Self.second)
      #expect(found == time * Self.second && news == .init())
    }
    #expect(hands.clock.slow == nil)
  }

  @Test func aClockThatIsALittleBehindMakesTimeStandStill() {
    var hands = Hands(last: 100 * Self.second)
    #expect(hands.commit(41 * Self.second).time == 100 * Self.second)
    #expect(hands.commit(99 * Self.second).time == 100 * Self.second)
    #expect(hands.commit(101 * Self.second).time == 101 * Self.second)
    #expect(hands.clock.slow == nil)
  }

  @Test func afterATimeFromAWrongClockTimeGoesOnSlowlyAndTheClockCanBeTold() {
    let wrong = 10 * Self.year
    var hands = Hands(last: wrong)
    let (first, news) = hands.commit(Self.second)
    #expect(first == wrong + 1 && news.lag == wrong - Self.second && news.isOther)
    var times = [first]
    for hour in 1...48 as ClosedRange<Int64> {
      let wall = Self.second + hour * 3600 * Self.second
      let (time, news) = hands.commit(wall)
      #expect(news == .init())
      times.append(time)
      let told = hands.clock.slow?.clock(at: time) ?? 0
      #expect(told <= wall && wall - told <= SlowTime.factor)
    }
    #expect(times == times.sorted() && Set(times).count == times.count)
    #expect(times.last ?? 0 < wrong + 300 * Self.second)
  }

  @Test func whenTheClockIsPastTheWrongTimeTimesAreRightAgain() {
    let wrong = 3600 * Self.second
    var hands = Hands(last: wrong)
    _ = hands.commit(0)
    _ = hands.commit(wrong - 1)
    // Hardly later than if time had stood still: the clock has gone on for an hour, time for four seconds.
    let (time, news) = hands.commit(wrong + 4 * Self.second)
    #expect(time == wrong + 4 * Self.second && news.isOther)
    #expect(hands.clock.slow?.end == 3 && hands.clock.slow?.first == 1)
    #expect(hands.commit(wrong + 5 * Self.second).time == wrong + 5 * Self.second)
  }

  @Test func aLogThatIsOpenedAgainGoesOnAsBefore() {
    let wrong = 10 * Self.year
    var hands = Hands(last: wrong)
    _ = hands.commit(Self.second)
    let (last, _) = hands.commit(1000 * Self.second)
    var again = Hands(last: last, slow: hands.clock.slow)
    let (time, news) = again.commit(2000 * Self.second)
    #expect(time > last && news == .init())
    #expect(again.clock.slow == hands.clock.slow)
    // A clock that was set back once more is another matter.
    let (later, behind) = again.commit(500 * Self.second)
    #expect(later == time + 1 && behind.isOther && behind.lag != nil)
  }

  @Test func aClockThatIsSetWhileTheLogIsOpenIsNoticed() {
    var hands = Hands(last: 0)
    #expect(hands.commit(1000 * Self.second, steady: 50 * Self.second).news == .init())
    #expect(hands.commit(1100 * Self.second, steady: 150 * Self.second).news == .init())
    #expect(
      hands.commit(1100 * Self.second + Self.year, steady: 151 * Self.second).news.jump == Self.year - Self.second)
    #expect(hands.commit(1102 * Self.second, steady: 152 * Self.second).news.jump == Self.second - Self.year)
    // Seconds are put right every day.
    #expect(hands.commit(1140 * Self.second, steady: 153 * Self.second).news == .init())
  }

  @Test func noClockTraps() {
    let times = [.min, .min + 1, -1, 0, 1, .max - 1, .max] as [Int64]
    for last in times {
      for first in times {
        for second in times {
          var hands = Hands(last: last)
          let one = hands.commit(first, steady: second).time
          let two = hands.commit(second, steady: first).time
          #expect(last <= one && one <= two)
          _ = hands.clock.slow?.clock(at: two)
          _ = Timestamp(nanosecondsSince1970: two).description
        }
      }
    }
  }

  @Test func aTimeThatNoTimestampCanSayIsNotTold() {
    let slow = SlowTime(first: 0, time: 0, clock: .max - 4096)
    #expect(slow.clock(at: 4) == .max)
    #expect(slow.clock(at: 5) == nil && slow.clock(at: .max) == nil && slow.clock(at: .min) == nil)
    // What is between may be more than 64 bits can say.
    #expect(SlowTime(first: 0, time: 0, clock: .min).clock(at: 1 << 53) == 0)
  }

  // MARK: A log

  @Test func aRecordFromBeyondTheEndOfTimestampsHasNoClockTime() async throws {
    let directory = TemporaryDirectory()
    try await Clocks.withWallClock(off: .max) { try await directory.fill([[1]]) }
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    let record = try await log.record(at: 0)
    #expect(record.timestamp.nanosecondsSince1970 == .max && log.clockTime(of: record) == nil)
    await Clocks.withWallClock(off: .max) { #expect(log.clockTime(of: record) == nil) }
  }

  private func times(_ log: Log) throws -> [Timestamp] { try log.records(in: 0..<log.count).map(\.timestamp) }

  @Test func oneAppendUnderAWrongClockIsNoticedAndTheTimesAfterItCanBeTold() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0]])
    try await Clocks.withWallClock(off: 10 * Self.year) { try await directory.fill([[1]]) }
    let lines = Box<[String]>([])
    var configuration = Storage.Configuration()
    configuration.logger = Logger(label: "test") { _ in CollectingHandler(lines: lines) }
    var said: [Timestamp] = []
    for number in 2..<6 {
      let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      said.append(.now)
      try await storage.append([UInt8(number)], to: "log")
      storage.close()
      // A microsecond's resolution, and ticks of a few milliseconds.
      try await Task.sleep(for: .milliseconds(12))
    }
    #expect(
      lines.withLock { $0.filter { $0.contains("the times from record 1 on are later than the clock") }.count } >= 4)

    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try directory.open(access: access)
      defer { storage.close() }
      let log = try storage.log("log")
      let found = try times(log)
      #expect(found == found.sorted() && Set(found[2...]).count == 4)
      try await log.verify()
      guard case .recordsAhead(1, let by) = try #require(log.details.clock.first) else {
        Issue.record("nothing is said of the times"); return
      }
      #expect(by > .seconds(9 * 365 * 86_400))
      let records = try log.records(in: 0..<6).map { $0 }
      #expect(log.clockTime(of: records[0]) == records[0].timestamp)
      #expect(log.clockTime(of: records[1]) == nil, "nobody knows when that was")
      for (record, moment) in zip(records[2...], said) {
        let told = try #require(log.clockTime(of: record)).nanosecondsSince1970 - moment.nanosecondsSince1970
        #expect(told > -Self.second / 10 && told < Self.second, "record \(record.sequence)")
      }
    }
  }

  @Test func aCrashKeepsWhatIsKnownOfTimes() async throws {
    let directory = TemporaryDirectory()
    try await Clocks.withWallClock(off: 10 * Self.year) { try await directory.fill([[0]]) }
    let storage = try directory.open()
    try await storage.append([1], to: "log")
    let copy = TemporaryDirectory()
    for (name, bytes) in try directory.allFiles() { try copy.write(bytes, to: name) }
    storage.close()
    let recovered = try copy.open()
    defer { recovered.close() }
    let log = try recovered.log("log")
    let told = try #require(try log.clockTime(of: await log.record(at: 1)))
    #expect(abs(told.secondsSince1970 - Timestamp.now.secondsSince1970) < 60)
  }

  @Test func aClockThatIsSetIsToldToTheLoggerAndByDetails() async throws {
    let directory = TemporaryDirectory()
    let lines = Box<[String]>([])
    var configuration = Storage.Configuration()
    configuration.logger = Logger(label: "test") { _ in CollectingHandler(lines: lines) }
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("right")
    #expect(try log.details.clock == [])
    try await Clocks.withWallClock(off: Self.year) {
      // The next tick.
      try await Task.sleep(for: .milliseconds(1100))
      try await log.append("wrong")
    }
    try await Task.sleep(for: .milliseconds(1100))
    try await log.append("right again")
    #expect(await eventually { lines.withLock { $0.contains { $0.contains("the clock was set 36") } } })
    let doubts = try log.details.clock
    #expect(doubts.contains { if case .recordsAhead(1, _) = $0 { true } else { false } })
    #expect(doubts.contains { if case .clockSet(let by, _) = $0 { by < .zero } else { false } })
    #expect(try times(log) == times(log).sorted())
  }

  @Test(arguments: [-Int64(60) * 365 * 86_400 * 1_000_000_000, .min, .max])
  func momentsBefore1970AndFarAwayAreMoments(offset: Int64) async throws {
    let directory = TemporaryDirectory()
    try await Clocks.withWallClock(off: offset) {
      let storage = try directory.open()
      defer { storage.close() }
      try await storage.append("then", to: "log")
      let details = try storage.details(of: "log")
      let first = try #require(details.firstTimestamp)
      #expect((first.nanosecondsSince1970 < 0) == (offset < 0))
      #expect(!details.description.isEmpty)
      try await storage.log("log").verify()
    }
    let storage = try directory.open()
    defer { storage.close() }
    try await storage.append("now", to: "log")
    try await storage.log("log").verify()
    #expect(!(try storage.details(of: "log").description).isEmpty)
  }

  @Test func aFileOfTheFutureIsNoticed() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0]])
    try FileManager.default.setAttributes(
      [.modificationDate: Date.now + 86_400 * 400], ofItemAtPath: directory.file("log.log"))
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let doubts = try storage.details(of: "log").clock
    #expect(doubts.count == 1)
    guard case .fileAhead(let by)? = doubts.first else { Issue.record("nothing is said of the file"); return }
    #expect(by > .seconds(399 * 86_400) && by < .seconds(401 * 86_400))
  }
}
