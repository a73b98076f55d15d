import Foundation
import Immuta
import Testing

@testable import ImmutaCLI

private func made(_ body: (inout [UInt8]) -> Void) -> String {
  var bytes: [UInt8] = []
  body(&bytes)
  return String(decoding: bytes, as: UTF8.self)
}

@Suite("JSON")
struct JSONTests {
  private func escaped(_ bytes: [UInt8]) -> String {
    made { output in bytes.withUnsafeBytes { JSON.escape($0, into: &output) } }
  }

  @Test("Quotation marks, backslashes and control characters are escaped, and nothing else")
  func escapes() {
    #expect(escaped(Array("a\"b\\c\n\r\t\u{1}\u{1F}\u{7F}/é🙂".utf8)) == #"a\"b\\c\n\r\t\u0001\u001f"# + "\u{7F}/é🙂")
  }

  @Test("Each byte is found wherever it stands in a word", arguments: [0x22, 0x5C, 0x00, 0x1F, 0x0A] as [UInt8])
  func everyPosition(special: UInt8) throws {
    for length in 1...20 {
      for position in 0..<length {
        var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
        bytes[position] = special
        let object = Data("[\"\(escaped(bytes))\"]".utf8)
        let back = try #require(try JSONSerialization.jsonObject(with: object) as? [String])
        #expect(Array(back[0].utf8) == bytes)
      }
    }
  }

  @Test("Base64 is what Foundation makes of the same bytes, in one piece or several", arguments: 0...70)
  func base64(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 151 + 7) }
    let expected = Data(bytes).base64EncodedString()
    #expect(made { output in bytes.withUnsafeBytes { JSON.base64($0, into: &output) } } == expected)
    let cut = count / 2 / 3 * 3
    let inPieces = made { output in
      Array(bytes[..<cut]).withUnsafeBytes { JSON.base64($0, into: &output) }
      Array(bytes[cut...]).withUnsafeBytes { JSON.base64($0, into: &output) }
    }
    #expect(inPieces == expected)
  }

  @Test("An object has its members in the order they were added, without those that are nil")
  func objects() {
    var object = JSONObject()
    object.add("a", "x\"y")
    object.add("b", nil as Int?)
    object.add("c", -12)
    object.add("d", true)
    object.add("e", seconds: .microseconds(1_500_042))
    object.add("f", 12.3456)
    object.add("g", 0.0004)
    #expect(
      String(decoding: object.line, as: UTF8.self)
        == #"{"schema":1,"a":"x\"y","c":-12,"d":true,"e":1.500042,"f":12.346,"g":0.000}"# + "\n")
  }
}

@Suite("Text")
struct TextTests {
  @Test("A validator agrees with the standard library, wherever the bytes are cut", arguments: 0..<400)
  func validation(seed: Int) {
    var random = SplitMix(state: UInt64(seed))
    let characters = ["a", "long ascii text", "é", "߿", "ࠀ", "퟿", "\u{E000}", "\u{10000}", "\u{10FFFF}", "🙂"]
    var bytes = (0..<6).flatMap { _ in Array((characters.randomElement(using: &random) ?? "").utf8) }
    if seed.isMultiple(of: 2), !bytes.isEmpty {
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0x7F...0xFF, using: &random)
    }
    if seed.isMultiple(of: 5) { bytes.removeLast() }
    let expected = String(validating: bytes, as: UTF8.self) != nil
    #expect(bytes.withUnsafeBytes { UTF8Validator.isText($0) } == expected, "\(bytes)")
    for cut in 0...bytes.count {
      var validator = UTF8Validator()
      let isValid =
        Array(bytes[..<cut]).withUnsafeBytes { validator.feed($0) }
        && Array(bytes[cut...]).withUnsafeBytes { validator.feed($0) } && validator.isAtBoundary
      #expect(isValid == expected, "cut at \(cut): \(bytes)")
    }
  }

  @Test(
    "Overlong forms, surrogates and what is beyond U+10FFFF are not text",
    arguments: [
      [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xFF],
    ] as [[UInt8]])
  func notText(bytes: [UInt8]) {
    #expect(!bytes.withUnsafeBytes { UTF8Validator.isText($0) })
  }

  @Test("Numbers are written in full")
  func numbers() {
    for value in [0, 7, 10, 99, 100, 1_234_567_890, -5, .max, .min] {
      #expect(made { $0.append(decimal: value) } == String(value))
    }
    #expect(made { $0.append(decimal: 42, width: 9) } == "000000042")
    #expect(made { $0.append(hexadecimal: 0x1F, width: 8) } == "0000001f")
    #expect(made { $0.append(hexadecimal: 0x12_3456_789A, width: 8) } == "123456789a")
    #expect(made { $0.append(hexadecimal: 0, width: 1) } == "0")
  }

  @Test(
    "Timestamps are written as the library writes them",
    arguments: [0, 1, 999_999_999, 1_000_000_000, 1_795_229_120_000_000_001, -1, -1_000_000_001] as [Int64])
  func timestamps(nanoseconds: Int64) {
    var text = TimestampText()
    for offset: Int64 in [0, 1, 500_000_000, 1_000_000_000] {
      let timestamp = Timestamp(nanosecondsSince1970: nanoseconds + offset)
      #expect(made { text.append(timestamp, to: &$0) } == timestamp.description)
    }
  }

  @Test("A hex dump shows offsets, bytes and ASCII")
  func hexDump() {
    let bytes = Array("hello world".utf8) + [0, 0xFF, 0x7F, 0x20, 0x7E, 0x41]
    let text = made { output in bytes.withUnsafeBytes { HexDump.append($0, offset: 0, to: &output) } }
    #expect(
      text == """
        00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64 00 ff 7f 20 7e  |hello world... ~|
        00000010  41                                                |A|

        """)
    let far = made { output in bytes[16...].withUnsafeBytes { HexDump.append($0, offset: 5 << 32, to: &output) } }
    #expect(far.hasPrefix("500000000  41 "))
    #expect(made { output in [UInt8]().withUnsafeBytes { HexDump.append($0, offset: 0, to: &output) } } == "")
  }

  @Test("Columns are as wide as what they hold")
  func table() {
    var table = Table([("NAME", .left), ("N", .right), ("", .left)])
    table.add(["ä", "1,000", "✓"])
    table.add(["longer", "1", ""])
    #expect(table.lines == ["NAME        N", "ä       1,000  ✓", "longer      1"])
  }

  @Test("Quantities read well")
  func quantities() {
    #expect([0, 999, 1000, 1_234_567, -1000].map(Quantities.grouped) == ["0", "999", "1,000", "1,234,567", "-1,000"])
    #expect(Quantities.counted(1, "record") == "1 record")
    #expect(Quantities.counted(2000, "record") == "2,000 records")
    #expect(Quantities.time(.microseconds(640)) == "640 µs")
    #expect(Quantities.time(.microseconds(12_340)) == "12.3 ms")
    #expect(Quantities.time(.milliseconds(640)) == "640 ms")
    #expect(Quantities.time(.milliseconds(4560)) == "4.56 s")
    #expect(
      [0.456, 9.994, 9.996, 99.96, 999.4, 999.6, 78_900, 1.23e8, 4.5e9, 4.5e12].map(Quantities.nanoseconds) == [
        "0.46 ns", "9.99 ns", "10.0 ns", "100 ns", "999 ns", "1.00 µs", "78.9 µs", "123 ms", "4.50 s", "4,500 s",
      ])
    #expect(Quantities.rate(100, in: .milliseconds(500)) == 200)
    #expect(Quantities.rate(100, in: .zero) == nil)
    #expect(Quantities.megabytes(5_000_000, in: .seconds(2)) == "2.5")
    #expect(Quantities.megabytes(5_000_000_000, in: .seconds(2)) == "2,500")
  }

  @Test("A progress bar fills")
  func progress() {
    let none = Progress.line("at work", 0, of: 10, after: .zero)
    let half = Progress.line("at work", 5, of: 10, after: .seconds(3))
    let all = Progress.line("at work", 10, of: 10, after: .seconds(6))
    #expect(none.filter { $0 == "━" }.isEmpty && none.contains(" 0%"))
    #expect(half.filter { $0 == "━" }.count == 15 && half.contains(" 50%  3 s left"))
    #expect(all.filter { $0 == "━" }.count == 30 && all.contains(" 100%") && !all.contains("left"))
  }
}
