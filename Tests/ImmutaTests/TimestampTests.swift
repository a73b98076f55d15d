import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Moments, and how they are written.
@Suite struct TimestampTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000000000Z"),
    (1, "1970-01-01T00:00:00.000000001Z"),
    (-1, "1969-12-31T23:59:59.999999999Z"),
    (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
    (951_868_799_999_999_999, "2000-02-29T23:59:59.999999999Z"),
    (951_868_800_000_000_000, "2000-03-01T00:00:00.000000000Z"),
    (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000000Z"),
    (1_709_251_200_000_000_000, "2024-03-01T00:00:00.000000000Z"),
    (1_735_689_599_000_000_000, "2024-12-31T23:59:59.000000000Z"),
    (-2_203_891_200_000_000_000, "1900-03-01T00:00:00.000000000Z"),
    (-2_203_977_600_000_000_000, "1900-02-28T00:00:00.000000000Z"),
    (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
    (Int64.max, "2262-04-11T23:47:16.854775807Z"),
    (Int64.min, "1677-09-21T00:12:43.145224192Z"),
  ])
  func momentsAreWrittenInISO8601(nanoseconds: Int64, text: String) {
    #expect("\(Timestamp(nanosecondsSince1970: nanoseconds))" == text)
  }

  @Test func everyDayOfManyYearsIsTheOneThatFoundationNames() {
    let formatter = ISO8601DateFormatter()
    for day in stride(from: -100_000, through: 100_000, by: 61) {
      let seconds = day * 86_400 + 3_661
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds))).dropLast()
      let timestamp = Timestamp(nanosecondsSince1970: Int64(seconds) * 1_000_000_000)
      #expect("\(timestamp)" == "\(expected).000000000Z")
    }
  }

  @Test func momentsAreOrderedAndConvert() {
    let early = Timestamp(nanosecondsSince1970: -5)
    let late = Timestamp(nanosecondsSince1970: 1_500_000_000)
    #expect(early < late && late > early && late == Timestamp(nanosecondsSince1970: 1_500_000_000))
    #expect(late.secondsSince1970 == 1.5)
    #expect(abs(Timestamp.now.secondsSince1970 - Date.now.timeIntervalSince1970) < 60)
  }

  @Test func timesNeverGoDownWithinALog() async throws {
    let directory = TemporaryDirectory()
    for _ in 0..<3 {
      let storage = try directory.open()
      defer { storage.close() }
      for number in 0..<200 { try await storage.append("\(number)", to: "log") }
    }
    let storage = try directory.open()
    defer { storage.close() }
    let times = try storage.log("log").records(in: 0..<600).map(\.timestamp)
    #expect(times == times.sorted())
    #expect(times.allSatisfy { abs($0.secondsSince1970 - Date.now.timeIntervalSince1970) < 600 })
  }

  /// The clock was set back since the last record.
  @Test func aClockThatWasSetBackDoesNotSetTimesBack() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    let future = Timestamp.now.nanosecondsSince1970 + 3_600_000_000_000
    var companion = try directory.bytes(of: "log.idx")
    let whole = Array(companion[4096..<4096 + 24])
    var entry = try #require(whole.withUnsafeBytes { CompanionEntry(decoding: $0, number: 0) })
    entry.time = future
    companion.withUnsafeMutableBytes {
      entry.encode(into: UnsafeMutableRawBufferPointer(rebasing: $0[4096..<4096 + 24]), number: 0)
    }
    try directory.write(companion, to: "log.idx")
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append([2])
    let times = try log.records(in: 0..<2).map(\.timestamp.nanosecondsSince1970)
    #expect(times == [future, future + 1])
    #expect(try await log.verify().records == 2)
  }
}
