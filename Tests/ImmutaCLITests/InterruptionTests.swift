import Foundation
import Testing

@Suite("Stopping append")
struct InterruptionTests {
  let place = Workplace()

  /// The log is as a clean close leaves it: verified, and its file ends with its last record.
  private func expectClean(_ namespace: String, size: Int, _ text: String) throws {
    #expect(try place.read("logs/\(namespace).log").count == size)
    #expect(try place.run("verify", namespace).ending == .exit(0))
    #expect(try place.run("cat", namespace).text == text)
    let reopened = try place.run("append", namespace, "--receipts", input: "after\n")
    #expect(reopened.ending == .exit(0))
    #expect(reopened.errors.isEmpty, "nothing had to be recovered")
    #expect(reopened.text.contains(#""index":\#(size),"#))
  }

  @Test(
    "What is committed stays, half a line does not",
    arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] as [(Int32, Int32)])
  func halfLine(signal: Int32, status: Int32) throws {
    let child = try place.start("append", "e", "--receipts")
    try child.send("one\ntwo\nhal")
    _ = try child.line()
    _ = try child.line()
    child.signal(signal)
    let outcome = try child.finish(closingInput: false)
    #expect(outcome.ending == .exit(status))
    #expect(outcome.errors.isEmpty && outcome.output.isEmpty)
    try expectClean("e", size: 16 + 11 + 11, "one\ntwo\n")
  }

  @Test("Who starts it with a signal ignored is heard; the others still end it", arguments: [SIGINT, SIGTERM, SIGHUP])
  func ignored(signal: Int32) throws {
    let other = signal == SIGTERM ? SIGINT : SIGTERM
    let program = ["/bin/sh", "-c", "trap '' \(signal); exec \"$@\"", "sh"]
    let child = try Child(["append", "e", "--receipts"], in: place, as: program)
    for text in ["one\n", "two\n"] {
      try child.send(text)
      _ = try child.line()
      child.signal(signal)
    }
    child.signal(other)
    #expect(try child.finish(closingInput: false).ending == .exit(128 + other))
    try expectClean("e", size: 16 + 11 + 11, "one\ntwo\n")
  }

  @Test("A huge record that is not complete leaves nothing", arguments: ["newline", "none"])
  func hugeRecord(delimiter: String) throws {
    try place.run("append", "e", input: "one\n")
    let child = try place.start("append", "e", "--delimiter", delimiter)
    // Far more than the pipe and the buffer hold: when it is sent, most of it is in the log's tail.
    try child.send([UInt8](repeating: 120, count: 8 << 20))
    child.signal(SIGINT)
    #expect(try child.finish(closingInput: false).ending == .exit(130))
    try expectClean("e", size: 16 + 11, "one\n")
  }

  @Test("In the middle of a flood of lines, every receipt's record is there, and no part of another")
  func flood() throws {
    let child = try place.start("append", "e", "--receipts", "--durability", "synced")
    let lines = (0..<2000).map { "record \($0)\n" }
    try child.send(lines.joined())
    _ = try child.line()
    child.signal(SIGTERM)
    let receipts = try child.finish(closingInput: false)
    #expect(receipts.ending == .exit(143))
    let count = 1 + receipts.lines.count
    let text = try place.run("cat", "e").text
    #expect(text == lines.prefix(count).joined())
    let bytes = text.utf8.count + count * 7
    try expectClean("e", size: 16 + bytes, text)
  }

  @Test("The summary is told all the same")
  func summary() throws {
    let child = try place.start("append", "e", "--json")
    try child.send("one\nha")
    while try place.names().isEmpty || place.run("cat", "e").text != "one\n" { usleep(1000) }
    child.signal(SIGINT)
    let outcome = try child.finish(closingInput: false)
    #expect(outcome.ending == .exit(130))
    #expect(try outcome.objects().first?["records"] as? Int == 1)
  }

  @Test("So it is of a store")
  func storeSummary() throws {
    let child = try place.start("logstore", "append", "s", "--partitions", "2", "--key", "k", "--json")
    try child.send("one\nha")
    while try !place.names().contains("s") || place.run("logstore", "cat", "s").text != "one\n" { usleep(1000) }
    child.signal(SIGINT)
    let outcome = try child.finish(closingInput: false)
    #expect(outcome.ending == .exit(130))
    let summary = try #require(try outcome.objects().first)
    #expect(summary["records"] as? Int == 1 && summary["partitions"] as? Int == 2)
    #expect(try place.run("logstore", "cat", "s").text == "one\n")
  }
}
