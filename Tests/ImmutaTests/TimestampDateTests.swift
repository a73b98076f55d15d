import Foundation
import Immuta
import ImmutaFoundation
import Testing

/// Timestamps and Foundation's dates.
@Suite struct TimestampDateTests {
  @Test func aDateIsTheMomentOfItsTimestamp() throws {
    let moments: [(String, Int64)] = [
      ("1970-01-01T00:00:00Z", 0), ("2001-01-01T00:00:00Z", 978_307_200), ("1969-12-31T23:59:59Z", -1),
      ("2026-11-28T12:34:56Z", 1_795_869_296), ("1677-09-22T00:00:00Z", -9_223_286_400),
      ("2262-04-11T00:00:00Z", 9_223_286_400),
    ]
    let format = Date.ISO8601FormatStyle()
    for (text, seconds) in moments {
      let timestamp = Timestamp(nanosecondsSince1970: seconds * 1_000_000_000)
      #expect(Date(timestamp) == (try format.parse(text)), "\(text)")
      #expect(Timestamp(try format.parse(text)) == timestamp, "\(text)")
    }
  }

  @Test func oneThatGoesAndComesBackIsCloserThanAMicrosecond() {
    for nanoseconds in [0, 1, -1, 1_795_869_296_123_456_789, -1_500_000_001, 978_307_199_999_999_999] as [Int64] {
      let back = Timestamp(Date(Timestamp(nanosecondsSince1970: nanoseconds))).nanosecondsSince1970
      #expect(abs(back - nanoseconds) <= 120, "\(nanoseconds) came back as \(back)")
    }
    // A date that came from a timestamp does not move any more.
    let date = Date(Timestamp.now)
    #expect(Date(Timestamp(date)) == date)
  }

  @Test func aDateThatNoTimestampHoldsIsTheLastOrTheFirst() {
    #expect(Timestamp(Date.distantFuture) == Timestamp(nanosecondsSince1970: .max))
    #expect(Timestamp(Date.distantPast) == Timestamp(nanosecondsSince1970: .min))
    for huge in [1e18, 1e300, Double.infinity] {
      #expect(Timestamp(Date(timeIntervalSince1970: huge)) == Timestamp(nanosecondsSince1970: .max))
      #expect(Timestamp(Date(timeIntervalSince1970: -huge)) == Timestamp(nanosecondsSince1970: .min))
    }
  }
}
