import Foundation
import Immuta
import Testing

@Suite("append")
struct AppendTests {
  let place = Workplace()

  /// What is in a namespace, read with the library.
  private func payloads(_ namespace: String) async throws -> [[UInt8]] {
    let storage = try Storage(directory: place.path + "/logs", namespaces: [namespace])
    defer { storage.close() }
    let log = try storage.log(namespace)
    return try log.records(in: 0..<log.count).map { Array($0.payload) }
  }

  private func texts(_ namespace: String) async throws -> [String] {
    try await payloads(namespace).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("Each line of standard input is a record, and silence says that it worked")
  func lines() async throws {
    let outcome = try place.run("append", "events", input: "one\n\ntwo\r\nlast")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.output.isEmpty && outcome.errors.isEmpty)
    #expect(try await texts("events") == ["one", "", "two\r", "last"])
  }

  @Test("Files are read in order, and - is standard input")
  func files() async throws {
    try place.write(Array("a\nb".utf8), to: "first")
    try place.write(Array("c\n".utf8), to: "second")
    #expect(try place.run("append", "events", "first", "-", "second", input: "x\n").ending == .exit(0))
    #expect(try await texts("events") == ["a", "b", "x", "c"])
  }

  @Test("Empty input appends nothing, whatever the delimiter", arguments: ["newline", "nul", "none"])
  func empty(delimiter: String) async throws {
    try place.write([], to: "empty")
    #expect(try place.run("append", "events", "--delimiter", delimiter).ending == .exit(0))
    #expect(try place.run("append", "events", "empty", "--delimiter", delimiter).ending == .exit(0))
    #expect(try await payloads("events") == [])
    #expect(try place.names(in: "logs") == ["events.idx", "events.lock", "events.log"])
  }

  @Test("Zero bytes end records with --delimiter nul")
  func nul() async throws {
    try place.run("append", "names", "--delimiter", "nul", input: "a\nb\0\0c")
    #expect(try await texts("names") == ["a\nb", "", "c"])
  }

  @Test("With --delimiter none, each file and all of standard input is one record")
  func none() async throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    try place.write(bytes, to: "binary")
    try place.write([10], to: "newline")
    #expect(
      try place.run("append", "files", "binary", "newline", "-", "--delimiter", "none", input: "a\n\n").ending
        == .exit(0))
    #expect(try await payloads("files") == [bytes, [10], Array("a\n\n".utf8)])
  }

  @Test("Receipts say where each record is", arguments: ["buffered", "synced"])
  func receipts(durability: String) throws {
    try place.run("append", "events", input: "before\n")
    let outcome = try place.run(
      "append", "events", "--receipts", "--durability", durability, input: "one\n\nlonger\n")
    #expect(
      outcome.text == """
        {"sequence":1,"index":30,"size":3}
        {"sequence":2,"index":41,"size":0}
        {"sequence":3,"index":49,"size":6}

        """)
    #expect(outcome.errors.isEmpty)
  }

  @Test("The summary as JSON says what was appended")
  func summary() throws {
    try place.run("append", "events", input: "before\n")
    let object = try #require(try place.run("append", "events", "--json", input: "a\nbc\n").objects().first)
    #expect(object["namespace"] as? String == "events")
    #expect(object["records"] as? Int == 2)
    #expect(object["bytes"] as? Int == 3)
    #expect(object["first"] as? Int == 1)
    #expect(object["count"] as? Int == 3)
    #expect(object["seconds"] is Double)
    #expect(object.count == 7)
    let nothing = try #require(try place.run("append", "events", "--json").objects().first)
    #expect(nothing["records"] as? Int == 0 && nothing["first"] == nil)
  }

  @Test("A line is committed and told when it arrives", arguments: ["buffered", "synced"])
  func trickle(durability: String) async throws {
    let child = try place.start("append", "events", "--receipts", "--durability", durability)
    for number in 0..<5 {
      try child.send("record \(number)\n")
      #expect(try child.line() == #"{"sequence":\#(number),"index":\#(16 + number * 16),"size":8}"#)
      // Visible to others at once.
      #expect(try place.run("cat", "events", "--from", "\(number)").text == "record \(number)\n")
    }
    // Half a line waits for its other half.
    try child.send("ha")
    try child.send("lf\n")
    #expect(try child.line()?.hasSuffix(#""size":4}"#) == true)
    child.closeInput()
    #expect(try child.finish().ending == .exit(0))
  }

  @Test("Lines far larger than the buffer are records like others", arguments: ["newline", "none"])
  func hugeLines(delimiter: String) async throws {
    let huge = (0..<5_000_000).map { UInt8(truncatingIfNeeded: 97 + $0 % 26) }
    let edge = [UInt8](repeating: 98, count: 1 << 20)
    let outcome = try place.run(
      "append", "events", "--receipts", "--delimiter", delimiter,
      input: [1, 10] + huge + [10] + edge + [10] + edge.dropLast() + [10, 2])
    #expect(outcome.ending == .exit(0))
    let stored = try await payloads("events")
    if delimiter == "newline" {
      #expect(stored == [[1], huge, edge, edge.dropLast(), [2]])
      #expect(outcome.lines.count == 5)
    } else {
      #expect(stored.count == 1 && stored[0].count == 2 + 5_000_000 + 2 + edge.count * 2 + 1)
    }
  }

  @Test("Many records, with receipts, in order")
  func many() async throws {
    let text = (0..<50_000).map { "record \($0)\n" }.joined()
    let outcome = try place.run("append", "events", "--receipts", "--durability", "synced", input: text)
    #expect(outcome.lines.count == 50_000)
    #expect(outcome.lines.last?.hasPrefix(#"{"sequence":49999,"#) == true)
    #expect(try place.run("cat", "events").text == text)
  }

  @Test("The directory is created, with those that it lies in, and nothing else is")
  func directory() throws {
    #expect(try place.run("append", "e", "--dir", "here", input: "x\n").ending == .exit(0))
    #expect(try place.names(in: "here") == ["e.idx", "e.lock", "e.log"])
    let outcome = try place.run("append", "e", "--dir", "not/there/yet/", "--durability", "synced", input: "x\n")
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(try place.names(in: "not") == ["there"] && place.names(in: "not/there") == ["yet"])
    #expect(try place.run("cat", "e", "--dir", "\(place.path)/not/there/yet").text == "x\n")
    // So do the other commands that make one.
    for command in [
      ["logstore", "append", "a/b/s", "--partitions", "1", "--key", "k"], ["migrate", "log:here/e", "log:c/d/f/e"],
    ] {
      let outcome = try Child(command, in: place).finish(feeding: Array("x\n".utf8))
      #expect(outcome.ending == .exit(0), "\(command): \(outcome.errors)")
    }
    #expect(try place.run("cat", "e", "--dir", "c/d/f").text == "x\n")
    // What nobody may make, or is no directory, is told in one line.
    let refused = try place.run("append", "e", "--dir", "here/e.log/below/it", input: "x\n")
    #expect(refused.ending == .exit(1) && refused.errors.contains("here/e.log"), "\(refused.errors)")
    #expect(refused.errors.hasPrefix("immuta: ") && refused.errors.filter { $0 == "\n" }.count == 1)
    // Who reads makes none.
    #expect(try place.run("cat", "e", "--dir", "new/one").ending == .exit(1))
    #expect(try place.run("append", "e", "missing", "--dir", "new/one").ending == .exit(1))
    #expect(try !place.names().contains("new"))
  }

  @Test("A file that is not there is told before anything is appended")
  func missingFile() throws {
    try place.write(Array("a\n".utf8), to: "first")
    for missing in ["missing", "logs-are-not-here/x", "."] {
      let outcome = try place.run("append", "events", "first", missing)
      #expect(outcome.ending == .exit(1))
      #expect(outcome.errors.hasPrefix("immuta: cannot "))
    }
    #expect(try place.names() == ["first"])
  }

  @Test("A log is not appended to itself")
  func itself() throws {
    try place.run("append", "events", input: "x\n")
    let outcome = try place.run("append", "events", "logs/events.log")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("to itself"))
  }

  @Test("A second writer is told that the log is locked")
  func locked() throws {
    let child = try place.start("append", "events", "--receipts")
    try child.send("x\n")
    _ = try child.line()
    let outcome = try place.run("append", "events", input: "y\n")
    #expect(outcome.ending == .exit(75))
    #expect(outcome.errors.hasPrefix("immuta: another writer has this log"))
    child.closeInput()
    #expect(try child.finish().ending == .exit(0))
    #expect(try place.run("cat", "events").text == "x\n")
  }

  @Test("A damaged log is not appended to")
  func damaged() throws {
    try place.run("append", "bad", "--dir", ".", input: "one\n")
    try place.damage("bad.log", at: 0)
    let outcome = try place.run("append", "bad", "--dir", ".", input: "x\n")
    #expect(outcome.ending == .exit(65))
    #expect(outcome.errors.hasPrefix("immuta: damaged: "))
  }

  @Test("What is stopped midway says how far it came, and where to go on")
  func stoppedMidway() throws {
    let line = String(repeating: "x", count: 999) + "\n"
    for name in ["one", "two"] { try place.write(Array(String(repeating: line, count: 200).utf8), to: name) }
    let outcome = try Child(
      ["append", "e", "one", "two"], in: place, as: ["/bin/sh", "-c", "ulimit -f 600; exec \"$@\"", "sh"]
    ).finish()
    #expect(outcome.ending == .exit(1))
    let count = try place.run("cat", "e").lines.count
    #expect(count > 200 && count < 400, "in the second of the two files")
    #expect(
      outcome.errors.contains(
        "\(count) records before it were appended: the last one, line \(count - 200) of two, is record \(count - 1); go on "
          + "after that line"), "\(outcome.errors)")
  }

  @Test("When nobody reads the receipts, it ends, and says what was appended")
  func closedOutput() throws {
    let child = try place.start("append", "events", "--receipts")
    child.closeOutput()
    try child.send("x\n")
    let outcome = try child.finish()
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("1 record before it was appended"))
    #expect(try place.run("verify", "events").ending == .exit(0))
    #expect(try place.run("cat", "events").text == "x\n")
  }

  @Test("A descriptor that was closed before is not taken for the log's", arguments: [0, 1, 2] as [Int32])
  func closedDescriptors(descriptor: Int32) throws {
    try place.run("append", "events", input: "before\n")
    let child = try place.start("append", "events", "--receipts", closing: [descriptor])
    if descriptor != 0 { try child.send("x\n") }
    child.closeInput()
    _ = try child.waitForEnd()
    #expect(try place.run("verify", "events").ending == .exit(0))
    let text = try place.run("cat", "events").text
    #expect(text == "before\n" || text == "before\nx\n")
  }
}
