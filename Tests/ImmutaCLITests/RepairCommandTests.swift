import Foundation
import Testing

@Suite("repair")
struct RepairCommandTests {
  let place: Workplace

  /// Ten records of one byte: record n at byte 16 + 9n of the log.
  init() throws {
    place = Workplace()
    try place.run("append", "e", input: (0..<10).map { "\($0)\n" }.joined())
  }

  @Test("A whole log needs nothing")
  func whole() throws {
    let outcome = try place.run("repair", "e")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.lines == ["e: 10 of 10 records are whole", "  nothing to repair"])
  }

  @Test("It says what it would do, and does it when asked to")
  func header() throws {
    try place.damage("logs/e.log", at: 0)
    let damaged = try place.read("logs/e.log")
    let dry = try place.run("repair", "e")
    #expect(dry.ending == .exit(65))
    #expect(dry.lines[1] == "  would: set the header to COUNT 10, LAST INDEX 97 (it says 74 and 97)")
    #expect(try place.read("logs/e.log") == damaged)
    #expect(try place.run("info", "e").ending == .exit(65))
    let applied = try place.run("repair", "e", "--apply", "--json")
    #expect(applied.ending == .exit(0))
    let object = try applied.objects()[0]
    #expect(object["applied"] as? Bool == true && object["sound"] as? Int == 10)
    #expect((object["saved"] as? [String])?.count == 2 && (object["lost"] as? [Any])?.isEmpty == true)
    #expect(try place.run("verify", "e").ending == .exit(0))
    #expect(
      try place.run("append", "e", "--receipts", input: "x\n").lines == [#"{"sequence":10,"index":106,"size":1}"#])
  }

  @Test("A log that is newer than its companion needs none, as verify says, too")
  func olderCompanion() throws {
    let old = try place.read("logs/e.idx")
    try place.run("append", "e", input: (10..<20).map { "\($0)\n" }.joined())
    try place.write(old, to: "logs/e.idx")
    let note =
      "lacked the companion entries of 10 records, as when another program has appended, or an older companion was put "
      + "back; they were made from its bytes, which needs no repair"
    let verified = try place.run("verify", "e")
    #expect(verified.ending == .exit(0) && verified.text.contains(note), "\(verified.text)")
    let dry = try place.run("repair", "e")
    #expect(dry.ending == .exit(0) && dry.text.contains(note), "\(dry.text)")
    #expect(dry.lines.last == "  next: none is needed: opening it for appending does the same")
    #expect(try place.run("append", "e", input: "20\n").ending == .exit(0))
    #expect(try place.run("repair", "e").lines.last == "  nothing to repair")
    #expect(try place.run("cat", "e").lines == (0...20).map(String.init))
    // An entry that is damaged among others opening does not make again.
    try place.damage("logs/e.idx", at: 4096 + 24 * 5)
    #expect(try place.run("repair", "e").ending == .exit(65))
  }

  @Test("It salvages what is whole, and names what is lost")
  func salvage() throws {
    try place.damage("logs/e.log", at: 16 + 9 * 4 + 8)
    let outcome = try place.run("repair", "e", "--salvage", "rescued", "--json")
    #expect(outcome.ending == .exit(65))
    let lost = try #require(try outcome.objects()[0]["lost"] as? [[String: Any]])
    #expect(lost.count == 1 && lost[0]["first"] as? Int == 4 && lost[0]["last"] as? Int == 4)
    #expect(lost[0]["index"] as? Int == 52 && lost[0]["code"] as? String == "checksum")
    #expect(try place.run("cat", "rescued").lines == ["0", "1", "2", "3", "5", "6", "7", "8", "9"])
    #expect(try place.run("repair", "e", "--salvage", "rescued").ending == .exit(1))
  }

  @Test("Bad arguments")
  func arguments() throws {
    #expect(try place.run("repair", "nope").ending == .exit(1))
    #expect(try place.run("repair", "../e").ending == .exit(64))
    #expect(try place.run("repair", "e", "--apply", "--salvage", "x").ending == .exit(64))
    let writer = try place.start("append", "e", "--receipts")
    try writer.send("x\n")
    _ = try writer.line()
    let locked = try place.run("repair", "e")
    #expect(locked.ending == .exit(75) && locked.errors.contains("another writer"))
  }
}
