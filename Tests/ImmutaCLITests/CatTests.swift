import Foundation
import Testing

@Suite("cat")
struct CatTests {
  let place = Workplace()

  @Test("Text is each payload and a newline; raw is the payloads alone")
  func textAndRaw() throws {
    try place.run("append", "e", input: "one\n\ntwo\n")
    #expect(try place.run("cat", "e").text == "one\n\ntwo\n")
    #expect(try place.run("cat", "e", "--format", "text").text == "one\n\ntwo\n")
    #expect(try place.run("cat", "e", "--format", "raw").text == "onetwo")
  }

  @Test("--from and --limit choose the records")
  func ranges() throws {
    try place.run("append", "e", input: "0\n1\n2\n3\n4\n")
    #expect(try place.run("cat", "e", "--from", "3").text == "3\n4\n")
    #expect(try place.run("cat", "e", "--limit", "2").text == "0\n1\n")
    #expect(try place.run("cat", "e", "--from", "1", "--limit", "2").text == "1\n2\n")
    #expect(try place.run("cat", "e", "--limit", "0").text == "")
    #expect(try place.run("cat", "e", "--from", "4", "--limit", "9223372036854775807").text == "4\n")
    let end = try place.run("cat", "e", "--from", "5")
    #expect(end.ending == .exit(0) && end.output.isEmpty && end.errors.isEmpty)
    for beyond in ["6", "9223372036854775807"] {
      let outcome = try place.run("cat", "e", "--from", beyond)
      #expect(outcome.ending == .exit(1) && outcome.output.isEmpty && outcome.errors.contains("beyond the end"))
    }
    #expect(try place.run("cat", "e", "--latest").text == "")
  }

  @Test(
    "JSON has sequence, index, size, timestamp, and text or base64", arguments: [["--json"], ["--format", "json"]])
  func json(flags: [String]) throws {
    try place.run("append", "e", input: Array("a \"b\"\\\t\u{1}é🙂".utf8) + [10, 0xFF, 0xFE, 0x00, 10, 10])
    let outcome = try Child(["cat", "e"] + flags, in: place).finish()
    let time = #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/#
    let withoutTimes = outcome.text.replacing(time, with: "T")
    #expect(
      withoutTimes == #"""
        {"schema":1,"sequence":0,"index":16,"size":14,"timestamp":"T","text":"a \"b\"\\\t\u0001é🙂"}
        {"schema":1,"sequence":1,"index":38,"size":3,"timestamp":"T","base64":"//4A"}
        {"schema":1,"sequence":2,"index":49,"size":0,"timestamp":"T","text":""}

        """#)
    #expect(try outcome.objects()[0]["text"] as? String == "a \"b\"\\\t\u{1}é🙂")
  }

  @Test("Hex is a dump with a line for each record's place")
  func hex() throws {
    try place.run("append", "e", input: "hello world\n\n")
    let lines = try place.run("cat", "e", "--format", "hex").lines
    #expect(lines.count == 4)
    #expect(lines[0].hasPrefix("record 0  index 16  size 11  2"))
    #expect(lines[1] == "00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64                 |hello world|")
    #expect(lines[2] == "")
    #expect(lines[3].hasPrefix("record 1  index 35  size 0  2"))
  }

  @Test("Any bytes come back as they were", arguments: [0, 1, 65_537, 3 << 20])
  func roundTrip(size: Int) throws {
    var random = SplitMix(state: UInt64(size))
    let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
    try place.run("append", "e", input: "before\n")
    try place.run("append", "e", "--delimiter", "none", input: bytes)
    #expect(try place.run("cat", "e", "--from", "1", "--format", "raw").output == bytes)
  }

  @Test("Records larger than a piece are encoded without a seam")
  func seams() throws {
    // Characters of three bytes, and an odd start, so that pieces end inside of them.
    let text = "x" + String(repeating: "“\n", count: 200_000)
    try place.run("append", "e", "--delimiter", "none", input: text)
    let object = try #require(try place.run("cat", "e", "--json").objects().first)
    #expect(object["text"] as? String == text)

    let bytes = Array(text.utf8) + [0xFF]
    try place.run("append", "e", "--delimiter", "none", input: bytes)
    let binary = try #require(try place.run("cat", "e", "--json", "--from", "1").objects().first)
    #expect((binary["base64"] as? String).flatMap { Data(base64Encoded: $0) } == Data(bytes))
    #expect(binary["text"] == nil)

    let lines = try place.run("cat", "e", "--format", "hex", "--limit", "1").lines
    #expect(lines.count == 1 + (text.utf8.count + 15) / 16)
    #expect(lines[12_289].hasPrefix("00030000  "))
  }

  @Test("--follow waits for a writer that starts later, in another process")
  func follow() throws {
    try place.run("append", "e", input: "old\n")
    let reader = try place.start("cat", "e", "--follow")
    #expect(try reader.line() == "old")
    let writer = try place.start("append", "e")
    for number in 0..<20 {
      try writer.send("new \(number)\n")
      #expect(try reader.line() == "new \(number)")
    }
    writer.closeInput()
    #expect(try writer.finish().ending == .exit(0))
    // And the writer after that.
    try place.run("append", "e", input: "again\n")
    #expect(try reader.line() == "again")
    reader.signal(SIGINT)
    #expect(try reader.finish().ending == .signal(SIGINT))
  }

  @Test("a number beyond the end is an error, with --follow, too", arguments: [["--follow"], []])
  func beyondTheEnd(options: [String]) throws {
    try place.run("append", "e", input: "0\n1\n")
    let outcome = try Child(["cat", "e", "--from", "3"] + options, in: place).finish()
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("position 3 is beyond the end: the log has 2 records"))
    #expect(try place.run("cat", "e", "--from", "2").ending == .exit(0))
  }

  @Test("--follow --limit ends by itself; --from may be ahead of the log, where that is asked for")
  func followLimit() throws {
    try place.run("append", "e", input: "0\n")
    let reader = try place.start("cat", "e", "--follow", "--from", "2", "--ahead", "--limit", "2", "--json")
    try place.run("append", "e", input: "1\n2\n3\n4\n")
    let objects = try reader.finish().objects()
    #expect(objects.map { $0["text"] as? String } == ["2", "3"])
  }

  @Test("--latest --follow shows nothing of what was there")
  func latest() throws {
    try place.run("append", "e", input: "0\n1\n")
    let reader = try place.start("cat", "e", "--follow", "--latest", "--limit", "1", "--json")
    // When it begins cannot be seen from outside: whichever record it gets, it is a new one.
    let writer = try place.start("append", "e")
    while try !reader.isOver { try writer.send("new\n") }
    let object = try #require(try reader.finish().objects().first)
    #expect(object["text"] as? String == "new")
    #expect((object["sequence"] as? Int ?? 0) >= 2)
    writer.closeInput()
    #expect(try writer.finish().ending == .exit(0))
  }

  @Test("A closed pipe ends it quietly")
  func closedPipe() throws {
    try place.run("append", "e", input: (0..<100_000).map { "record \($0)\n" }.joined())
    let reader = try place.start("cat", "e")
    #expect(try reader.line() == "record 0")
    reader.closeOutput()
    let outcome = try reader.finish()
    #expect(outcome.ending == .exit(0))
    #expect(outcome.errors.isEmpty)
  }

  @Test("A pipe that is closed while it waits for more ends it quietly, too")
  func closedPipeWhileWaiting() throws {
    try place.run("append", "e", input: "x\n")
    let reader = try place.start("cat", "e", "--follow")
    #expect(try reader.line() == "x")
    reader.closeOutput()
    #expect(try reader.finish().ending == .exit(0))
  }

  @Test("What is not there is told, with status 1")
  func notThere() throws {
    try place.run("append", "e", input: "x\n")
    let namespace = try place.run("cat", "nope")
    #expect(namespace.ending == .exit(1))
    #expect(
      namespace.errors == "immuta: there is no namespace “nope” in ./logs: `immuta info` lists those that exist\n")
    let directory = try place.run("cat", "e", "--dir", "nowhere")
    #expect(directory.ending == .exit(1))
    #expect(directory.errors.hasPrefix("immuta: ") && directory.errors.contains("nowhere"))
    #expect(try place.names() == ["logs"])
  }

  @Test("Before a damaged record everything is printed; then its error, with status 65")
  func damage() throws {
    try place.run("append", "e", input: "zero\none\ntwo\n")
    try place.damage("logs/e.log", at: 16 + 8 + 4 + 8 + 1)
    let outcome = try place.run("cat", "e")
    #expect(outcome.ending == .exit(65))
    #expect(outcome.text == "zero\n")
    #expect(outcome.errors.hasPrefix("immuta: damaged: ./logs/e.log, record 1 at byte 28: "))
    #expect(outcome.errors.filter { $0 == "\n" }.count == 1)
    #expect(try place.run("cat", "e", "--from", "2").text == "two\n")
  }

  @Test("A log that the Go program wrote is read, and no file is changed")
  func goLog() throws {
    let fixture = try #require(Bundle.module.url(forResource: "plain", withExtension: "log", subdirectory: "Fixtures"))
    try place.write(Array(try Data(contentsOf: fixture)), to: "plain.log")
    let expected = (0..<40).map { number in
      number % 5 == 0 ? Array("event \(number)".utf8) : [UInt8](repeating: UInt8(number), count: number * 53 % 97)
    }
    #expect(try place.run("cat", "plain", "--dir", ".", "--format", "raw").output == Array(expected.joined()))
    #expect(try place.names() == ["plain.log"])
  }

  @Test("A negative number is refused as one", arguments: ["--limit", "--from"])
  func negative(option: String) throws {
    let place = Workplace()
    for value in [[option, "-1"], ["\(option)=-1"]] {
      let outcome = try Child(["cat", "e"] + value, in: place).finish()
      #expect(outcome.ending == .exit(64))
      #expect(outcome.errors.contains("\(option) is -1; it must be 0 or more"), "\(outcome.errors)")
    }
  }
}
