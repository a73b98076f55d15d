import Foundation
import ImmutaCodable
import ImmutaTestSupport
import Testing

/// What values look like on file, which must not change.
@Suite struct CoderTests {
  struct Everything: Codable, Hashable {
    var text = "a/b “ä”"
    var number = 12
    var fraction = 0.1
    var largest = UInt64.max
    var flag = true
    var nothing: Int?
    var bytes = Data([0xCA, 0xFE])
    var date = Date(timeIntervalSinceReferenceDate: 0.25)
    var nested = ["b": [1, 2], "a": []]
  }

  private func json<Value: Encodable>(_ value: Value) throws -> String {
    String(decoding: try JSONValueCoder().encode(value), as: UTF8.self)
  }

  private func decoded<Value: Decodable>(_ text: String, _ type: Value.Type = Value.self) throws -> Value {
    try Array(text.utf8).withUnsafeBytes { try JSONValueCoder().decode(type, from: RawSpan(_unsafeBytes: $0)) }
  }

  @Test func jsonIsTheSameToTheByte() throws {
    let text =
      #"{"bytes":"yv4=","date":"2001-01-01T00:00:00.25Z","flag":true,"fraction":0.1,"largest":18446744073709551615,"#
      + #""nested":{"a":[],"b":[1,2]},"number":12,"text":"a/b “ä”"}"#
    #expect(try json(Everything()) == text)
    #expect(try decoded(text) == Everything())
    #expect(try json(7) == "7")
    #expect(try decoded("7", Int.self) == 7)
  }

  private static let dates: [(Double, String)] = [
    (0, "2001-01-01T00:00:00Z"), (-978_307_200, "1970-01-01T00:00:00Z"), (-0.5, "2000-12-31T23:59:59.5Z"),
    (63_113_904_000, "4001-01-01T00:00:00Z"), (-63_113_904_000, "0001-01-01T00:00:00Z"),
    (-63_113_904_001, "0000-12-31T23:59:59Z"), (-63_145_526_401, "-0001-12-31T23:59:59Z"),
    (252_423_993_600, "+10000-01-01T00:00:00Z"), (94_608_000 + 59 * 86_400, "2004-02-29T00:00:00Z"),
    (123_456_789.123456789, "2004-11-29T21:33:09.123456791Z"),
  ]

  @Test(arguments: dates)
  func datesAreTextThatPeopleRead(_ seconds: Double, _ text: String) throws {
    let date = Date(timeIntervalSinceReferenceDate: seconds)
    #expect(try json(date) == "\"\(text)\"")
    #expect(try decoded("\"\(text)\"") == date)
  }

  @Test func datesComeBackAsTheyWere() throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<10_000 {
      let seconds = Double.random(in: 8_388_608...4_000_000_000, using: &generator) * (generator.oneIn(3) ? -1 : 1)
      let date = Date(timeIntervalSinceReferenceDate: seconds)
      #expect(try decoded(json(date)) == date, "seed \(seed), \(seconds)")
      // Days around the beginning of 2001 have finer fractions than nanoseconds.
      let near = Date(timeIntervalSinceReferenceDate: Double.random(in: -8_388_608...8_388_608, using: &generator))
      #expect(abs(try decoded(json(near), Date.self).timeIntervalSince(near)) < 1e-9, "seed \(seed)")
    }
    for date in [Date.distantPast, .distantFuture] { #expect(try decoded(json(date)) == date) }
    for date in [Date(timeIntervalSinceReferenceDate: .infinity), Date(timeIntervalSinceReferenceDate: .nan)] {
      #expect(throws: EncodingError.self) { try json(date) }
    }
  }

  @Test func datesOfOtherProgramsAreUnderstood() throws {
    let date = Date(timeIntervalSinceReferenceDate: 0)
    for text in [
      "\"2001-01-01T01:00:00+01:00\"", "\"2000-12-31T19:00:00.000-0500\"", "\"2001-01-01T00:00:00.0000000009Z\"", "0",
    ] {
      #expect(try decoded(text) == date, "\(text)")
    }
    for text in [
      "2001-02-29T00:00:00Z", "2001-01-01", "2001-01-01T00:00:00", "2001-13-01T00:00:00Z", "2001-01-01T00:00:00.Z",
      "2001-01-01T00:00:00Zx", "01-01-01T00:00:00Z", "", "yesterday", "2001-01-01T00:61:00Z",
    ] {
      #expect(throws: DecodingError.self, "\(text)") { try decoded("\"\(text)\"", Date.self) }
    }
  }

  @Test func propertyListsComeBack() throws {
    let coder = PropertyListValueCoder()
    var value = Everything()
    value.largest = 1 << 40
    let bytes = try coder.encode(value)
    #expect(try bytes.withUnsafeBytes { try coder.decode(Everything.self, from: RawSpan(_unsafeBytes: $0)) } == value)
    #expect(throws: EncodingError.self) { try coder.encode(7) }
  }
}
