import Foundation
import Testing

/// Lines of JSON are input: those that are no JSON are refused, by their number, and nothing of them is guessed.
@Suite("Lines of JSON")
struct JSONLineTests {
  let place = Workplace()

  /// A line, by what is wrong with it; in all of them the member “text” can be found by who looks for nothing else.
  private static let malformed: [String: [UInt8]] = [
    "an unclosed string": Array(#"{"text":"a","x":"b}"#.utf8),
    "an unclosed string as the value": Array(#"{"text":"a"#.utf8),
    "an unclosed object": Array(#"{"text":"a""#.utf8),
    "a sign among hexadecimal digits": Array(#"{"text":"\u+041"}"#.utf8),
    "a first half of a character alone": Array(#"{"text":"\ud83dx"}"#.utf8),
    "a second half of a character alone": Array(#"{"text":"\ude00"}"#.utf8),
    "an escape that there is none of": Array(#"{"text":"\x41"}"#.utf8),
    "two signs": Array(#"{"x":--1,"text":"a"}"#.utf8),
    "a plus": Array(#"{"x":+1,"text":"a"}"#.utf8),
    "a leading zero": Array(#"{"x":01,"text":"a"}"#.utf8),
    "no digit behind the point": Array(#"{"x":1.,"text":"a"}"#.utf8),
    "a bare word": Array(#"{"x":yes,"text":"a"}"#.utf8),
    "an object behind the object": Array(#"{"text":"a"}{"text":"b"}"#.utf8),
    "text behind the object": Array(#"{"text":"a"} b"#.utf8),
    "a comma too many": Array(#"{"text":"a",}"#.utf8),
    "a comma too many inside": Array(#"{"x":[1,],"text":"a"}"#.utf8),
    "no colon": Array(#"{"x" 1,"text":"a"}"#.utf8),
    "brackets that do not match": Array(#"{"x":[1},"text":"a"}"#.utf8),
    "a control character": Array("{\"text\":\"a\u{1}\"}".utf8),
    "a tabulator in a string": Array("{\"text\":\"a\tb\"}".utf8),
    "a zero": Array("{\"text\":\"a\"}\0".utf8),
    "a comment": Array(#"{"text":"a" /* x */}"#.utf8),
    "no UTF-8": Array(#"{"text":"a"#.utf8) + [0xFF] + Array(#""}"#.utf8),
    "no UTF-8 in another member": Array(#"{"text":"a","x":""#.utf8) + [0xED, 0xA0, 0x80] + Array(#""}"#.utf8),
    "the member twice": Array(#"{"text":"a","text":"b"}"#.utf8),
    "the member twice, once with an escape": Array(#"{"text":"a","te\u0078t":"b"}"#.utf8),
    "a list": Array(#"["text","a"]"#.utf8),
    "a form feed as space": Array("{\u{C}\"text\":\"a\"}".utf8),
    "a word cut short": Array(#"{"x":tru,"text":"a"}"#.utf8),
    "an exponent without digits": Array(#"{"x":1e,"text":"a"}"#.utf8),
    "no value": Array(#"{"x":,"text":"a"}"#.utf8),
    "a name that is no text": Array(#"{1:2,"text":"a"}"#.utf8),
    "a byte order mark": Array("\u{FEFF}{\"text\":\"a\"}".utf8),
    "nothing": [],
  ]

  private static let good = Array(#"{"text":"good"}"#.utf8) + [10]

  @Test("are refused by logstore append when they are none", arguments: malformed.keys.sorted())
  func appending(what: String) throws {
    let line = try #require(Self.malformed[what])
    let outcome = try place.run(
      "logstore", "append", "s", "--partitions", "2", "--key-field", "text", input: Self.good + line + [10])
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.hasPrefix("immuta: line 2 "), "\(outcome.errors)")
    #expect(outcome.errors.contains("1 record before it was appended"))
    #expect(try place.run("logstore", "cat", "s").output == Self.good)
  }

  @Test("are refused by migrate when they are none", arguments: malformed.keys.sorted())
  func migrating(what: String) throws {
    let line = try #require(Self.malformed[what])
    try place.write(Self.good + line + [10], to: "lines")
    let unwrapped = try place.run("migrate", "lines:lines", "log:logs/e", "--unwrap")
    #expect(
      unwrapped.ending == .exit(1) && unwrapped.errors.hasPrefix("immuta: line 2 of lines "), "\(unwrapped.errors)")
    #expect(try place.run("cat", "e").text == "good\n")
    let keyed = try place.run("migrate", "lines:lines", "store:s", "--partitions", "2", "--key-field", "text")
    #expect(keyed.ending == .exit(1) && keyed.errors.hasPrefix("immuta: line 2 of lines "), "\(keyed.errors)")
    #expect(try place.run("logstore", "cat", "s").output == Self.good)
  }

  @Test("are refused as records of a log, too, by the record's number")
  func records() throws {
    try place.run("append", "e", input: #"{"id":"a"}"# + "\n" + #"{"id":"a""# + "\n")
    let outcome = try place.run("migrate", "log:logs/e", "store:s", "--partitions", "2", "--key-field", "id")
    #expect(outcome.ending == .exit(1) && outcome.errors.hasPrefix("immuta: record 1 of e "), "\(outcome.errors)")
  }

  /// The key that a line is given, as the partition tells it among many.
  private func partition(of line: String) throws -> Int? {
    let outcome = try place.run(
      "logstore", "append", "s", "--partitions", "127", "--key-field", "id", "--receipts", input: line + "\n")
    return try outcome.objects().first?["partition"] as? Int
  }

  private func partition(ofKey key: String) throws -> Int? {
    // One that is empty, or begins like an option.
    let words = key.isEmpty ? ["--key", ""] : ["--key=\(key)"]
    let arguments = ["logstore", "append", "s", "--partitions", "127", "--receipts"] + words
    let outcome = try Child(arguments, in: place).finish(feeding: Array("x\n".utf8))
    return try outcome.objects().first?["partition"] as? Int
  }

  @Test(
    "have a key, however they are written",
    arguments: [
      (#"{"id":"key"}"#, "key"), (#" { "x" : [ 1 , {"id":"no"} , [ ] ] , "id" : "key" } "#, "key"),
      (#"{"x":{},"y":[],"z":null,"i\u0064":"k\u0065y"}"#, "key"), (#"{"id":"key","x":1,"x":2}"#, "key"),
      (#"{"id":"\uD83D\uDE00 \"\\\/"}"#, "😀 \"\\/"), (#"{"id":""}"#, ""), (#"{"x":"\\","y":"\"},{","id":"é"}"#, "é"),
      (#"{"id":7}"#, "7"), (#"{"id":-0.50}"#, "-0.50"), (#"{"id": 1e3 }"#, "1e3"),
      (#"{"id":123456789012345678901234567890}"#, "123456789012345678901234567890"),
    ])
  func keys(line: String, key: String) throws {
    #expect(try partition(of: line) == partition(ofKey: key))
  }

  @Test("have no key where it is neither text nor a number", arguments: ["true", "null", "[1]", #"{"id":"a"}"#])
  func noKey(value: String) throws {
    let outcome = try place.run(
      "logstore", "append", "s", "--partitions", "2", "--key-field", "id", input: #"{"id":\#(value)}"# + "\n")
    #expect(outcome.ending == .exit(1) && outcome.errors.contains("line 1") && outcome.errors.contains("“id”"))
  }

  @Test(
    "hold no record where it cannot be told which bytes it has",
    arguments: [
      #"{"base64":"QQ"}"#, #"{"base64":"Q-=="}"#, #"{"base64":"QQ==QQ=="}"#, #"{"text":1}"#, #"{"base64":1}"#,
      #"{"text":"a","base64":"QQ=="}"#,
    ])
  func unwrapping(line: String) throws {
    try place.write(Array((line + "\n").utf8), to: "lines")
    let outcome = try place.run("migrate", "lines:lines", "log:logs/e", "--unwrap")
    #expect(outcome.ending == .exit(1) && outcome.errors.contains("line 1 of lines"), "\(outcome.errors)")
    #expect(try place.run("cat", "e").output.isEmpty)
  }

  /// What RFC 8259 allows, other parsers take.
  static let allowed: [String] = [
    #"{"k":"x","v":"cut emoji \ud83d"}"#, #"{"k":"x","v":"\ude00"}"#, #"{"k":"x","\ud83d":1}"#, #"{"k":"x","v":1e400}"#,
    #"{"k":"x","v":0.1e-500}"#, #"{"k":1e999}"#, #"{"k":"x","v":-0}"#, #"{"k":"x","v":1E+2}"#,
    #"{"k":"x","v":123456789012345678901234567890.5}"#, #"{"k":"x","v":"\u0000"}"#, "{\"k\":\"x\"}\r",
    "\t{\"k\" : \"x\" } ", #"{"k":"x","v":1,"v":2}"#, #"{"k":"x","":{"":[[],{},null,true,false]}}"#,
    #"{"k":"x","v":"# + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + "}",
    #"{"v":"# + String(repeating: #"{"a":"#, count: 3000) + "1" + String(repeating: "}", count: 3000) + #","k":"x"}"#,
    "{\"k\":\"x\",\"v\":\"\u{7F}\u{2028}\u{FFFF}\"}",
  ]

  @Test("are taken as they are where the grammar allows them")
  func taken() throws {
    let input = Self.allowed.map { $0 + "\n" }.joined()
    let outcome = try place.run(
      "logstore", "append", "s", "--partitions", "1", "--key-field", "k", "--receipts", input: input)
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    #expect(outcome.lines.count == Self.allowed.count)
    #expect(try place.run("logstore", "cat", "s").text == input)
    try place.write(Array(input.utf8), to: "lines")
    let migrated = try place.run("migrate", "lines:lines", "store:t", "--partitions", "1", "--key-field", "k")
    #expect(migrated.ending == .exit(0), "\(migrated.errors)")
    #expect(try place.run("logstore", "cat", "t").text == input)
  }

  @Test("are skipped, and counted, where that is asked for")
  func skipped() throws {
    let bad = Self.malformed.keys.sorted().compactMap { Self.malformed[$0] }
    let large = Array((#"{"text":""# + String(repeating: "x", count: 3 << 20) + #""}"#).utf8)
    let input = bad.flatMap { Self.good + $0 + [10] } + large + [10] + Self.good
    let outcome = try place.run(
      "logstore", "append", "s", "--partitions", "2", "--key-field", "text", "--skip-invalid", "--json", input: input)
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    #expect(outcome.errors.contains("\"note\":\"skipped \(bad.count + 1) lines, the first because line 2 "))
    let summary = try outcome.objects()[0]
    #expect(summary["skipped"] as? Int == bad.count + 1 && summary["records"] as? Int == bad.count + 1)
    #expect(try place.run("logstore", "cat", "s").lines == Array(repeating: #"{"text":"good"}"#, count: bad.count + 1))

    try place.write(bad.flatMap { Self.good + $0 + [10] }, to: "lines")
    for target in [["log:logs/e", "--unwrap"], ["store:t", "--partitions", "2", "--key-field", "text"]] {
      let arguments = ["migrate", "lines:lines"] + target + ["--skip-invalid", "--json"]
      // Again: what is there is the same.
      for _ in 0..<2 {
        let migrated = try Child(arguments, in: place).finish()
        #expect(migrated.ending == .exit(0), "\(migrated.errors)")
        let summary = try migrated.objects()[0]
        #expect(summary["skipped"] as? Int == bad.count && summary["records"] as? Int == bad.count)
      }
    }
    #expect(try place.run("cat", "e").lines == Array(repeating: "good", count: bad.count))
  }

  @Test("are no success where none is left")
  func allSkipped() throws {
    let append = ["logstore", "append", "s", "--partitions", "2", "--key-field", "id", "--skip-invalid"]
    let outcome = try Child(append, in: place).finish(feeding: Array("{\n{}\n".utf8))
    #expect(outcome.ending == .exit(1) && outcome.errors.contains("none of 2 lines could be used"), "\(outcome.errors)")
    try place.write(Array("{\n{}\n".utf8), to: "lines")
    let migrated = try Child(
      ["migrate", "lines:lines", "store:t", "--partitions", "2", "--key-field", "id", "--skip-invalid"], in: place
    ).finish()
    #expect(migrated.ending == .exit(1) && migrated.errors.contains("none of 2 lines could be used"))
    // No lines at all are none that were skipped.
    #expect(try Child(append, in: place).finish().ending == .exit(0))
  }

  @Test("make no store where the first is refused")
  func firstRefused() throws {
    for (options, input) in [
      ([], "no tabulator\nk\tv\n"), (["--key-field", "id"], "{\n"), (["--key-field", "id"], "{}"),
      (["--key-before-tab"], String(repeating: "x", count: 3 << 20) + "\n"),
    ] {
      let outcome = try Child(["logstore", "append", "s", "--partitions", "2"] + options, in: place)
        .finish(feeding: Array(input.utf8))
      #expect(outcome.ending == .exit(1) && outcome.errors.hasPrefix("immuta: line 1 "), "\(outcome.errors)")
      #expect(try place.names().isEmpty)
    }
    // Of several files, the one is named.
    try place.write(Array("k\ta\n".utf8), to: "one")
    try place.write(Array("k\tb\nnone\n".utf8), to: "two")
    let outcome = try place.run("logstore", "append", "s", "one", "two", "--partitions", "2")
    #expect(outcome.errors.hasPrefix("immuta: line 2 of two "), "\(outcome.errors)")
    #expect(outcome.errors.contains("2 records before it were appended"))
  }
}
