import Foundation
import Testing

@Suite("info and verify")
struct InfoTests {
  let place: Workplace

  init() throws {
    place = try Workplace()
  }

  @Test("info lists all namespaces in a table")
  func table() throws {
    try place.run("append", "orders", input: "one\ntwo\n")
    try place.run("append", "empty")
    let outcome = try place.run("info")
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(outcome.lines.count == 3)
    #expect(
      outcome.lines[0].split(separator: " ")
        == ["NAMESPACE", "RECORDS", "BYTES", "FIRST", "LAST", "FORMAT", "HEALTH"])
    #expect(outcome.lines[1].split(separator: " ") == ["empty", "0", "16", "-", "-", "v2", "ok"])
    let orders = outcome.lines[2].split(separator: " ")
    #expect(orders.prefix(3) == ["orders", "2", "38"] && orders.suffix(2) == ["v2", "ok"])
    #expect(try place.run("info", "orders").lines.count == 2)
  }

  @Test("info as JSON")
  func json() throws {
    try place.run("append", "orders", input: "one\ntwo\n")
    try place.run("append", "empty")
    let objects = try place.run("info", "--json").objects()
    #expect(objects.map { $0["namespace"] as? String } == ["empty", "orders"])
    let orders = objects[1]
    #expect(orders["path"] as? String == "./logs/orders.log")
    #expect(orders["records"] as? Int == 2)
    #expect(orders["bytes"] as? Int == 38)
    #expect(orders["stable"] as? Int == 2)
    #expect(orders["format"] as? String == "v2")
    #expect(orders["health"] as? String == "ok")
    let first = try #require(orders["first"] as? String)
    let last = try #require(orders["last"] as? String)
    #expect(first.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/) != nil)
    #expect(first <= last)
    #expect(orders["verifiable"] as? Int == 2)
    #expect(orders.count == 11)
    #expect(objects[0]["first"] == nil && objects[0]["last"] == nil)
  }

  @Test("What cannot be opened is listed among the others", arguments: [false, true])
  func failures(json: Bool) throws {
    try place.run("append", "good", "--dir", ".", input: "x\n")
    let flags = json ? ["--json"] : []
    let missing = try Child(["info", "good", "nope", "--dir", "."] + flags, in: place).finish()
    #expect(missing.ending == .exit(1))
    #expect(missing.lines.count == (json ? 2 : 3))
    #expect(missing.errors == "immuta: there is no namespace “nope” in .: `immuta info` lists those that are there\n")

    try place.write(Array("this is no log, but long enough to be one".utf8), to: "bad.log")
    let damaged = try Child(["info", "bad", "good", "nope", "--dir", "."] + flags, in: place).finish()
    #expect(damaged.ending == .exit(65))
    #expect(damaged.errors.hasPrefix("immuta: damaged: ./bad.log"))
    if json {
      let objects = try damaged.objects()
      #expect(objects.map { $0["health"] as? String } == ["damaged", "ok", "unreadable"])
      #expect((objects[0]["error"] as? String)?.hasPrefix("damaged: ./bad.log") == true)
      #expect(objects[0].count == 3)
    } else {
      #expect(damaged.lines[1].split(separator: " ") == ["bad", "-", "-", "-", "-", "-", "damaged"])
      #expect(damaged.lines[2].hasSuffix("ok"))
    }
  }

  @Test("info works while a writer has the log")
  func whileWritten() throws {
    let writer = try place.start("append", "e", "--receipts")
    try writer.send("x\n")
    _ = try writer.line()
    #expect(try place.run("info", "e", "--json").objects()[0]["records"] as? Int == 1)
    #expect(try place.run("verify", "e").ending == .exit(0))
  }

  @Test("A directory that is not there is told; one without logs is empty", arguments: ["info", "verify"])
  func directories(command: String) throws {
    for arguments in [[command, "--dir", "nowhere"], [command, "x", "--dir", "nowhere"]] {
      let outcome = try Child(arguments, in: place).finish()
      #expect(outcome.ending == .exit(1))
      #expect(outcome.errors.contains("nowhere") && outcome.errors.contains("No such file"))
    }
    let outcome = try place.run(command, "--dir", ".")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors == "immuta: no namespaces in .\n")
    let json = try place.run(command, "--dir", ".", "--json")
    #expect(json.output.isEmpty)
  }

  @Test("verify has a line for each namespace")
  func verify() throws {
    try place.run("append", "a", input: "one\nlonger\n")
    try place.run("append", "b")
    let outcome = try place.run("verify")
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(outcome.lines.count == 2)
    #expect(outcome.lines[0].hasPrefix("a: ok, 2 records, 41 bytes, in "))
    #expect(outcome.lines[1].hasPrefix("b: ok, 0 records, 16 bytes, in "))
    let object = try #require(try place.run("verify", "a", "--json").objects().first)
    #expect(object["namespace"] as? String == "a")
    #expect(object["ok"] as? Bool == true)
    #expect(object["records"] as? Int == 2)
    #expect(object["bytes"] as? Int == 41)
    #expect(object["smallest"] as? Int == 3)
    #expect(object["largest"] as? Int == 6)
    #expect(object["seconds"] is Double)
    #expect(object["verifiable"] as? Int == 2)
    #expect(object.count == 8)
  }

  @Test("verify names the first damaged record, and goes on with the others", arguments: [false, true])
  func verifyDamage(json: Bool) throws {
    try place.run("append", "a", input: "zero\none\ntwo\n")
    try place.run("append", "b", input: "fine\n")
    try place.damage("logs/a.log", at: 16 + 8 + 4 + 8 + 1)
    let outcome = try Child(["verify"] + (json ? ["--json"] : []), in: place).finish()
    #expect(outcome.ending == .exit(65))
    #expect(outcome.errors.hasPrefix("immuta: damaged: ./logs/a.log, record 1 at byte 28: "))
    #expect(outcome.lines.count == 2)
    if json {
      let objects = try outcome.objects()
      #expect(objects[0]["ok"] as? Bool == false)
      #expect(objects[0]["sequence"] as? Int == 1)
      #expect(objects[0]["index"] as? Int == 28)
      #expect(objects[0]["path"] as? String == "./logs/a.log")
      #expect(objects[0]["reason"] is String && objects[0]["error"] is String)
      #expect(objects[0].count == 7)
      #expect(objects[1]["ok"] as? Bool == true)
    } else {
      #expect(outcome.lines[0] == "a: damaged")
      #expect(outcome.lines[1].hasPrefix("b: ok, 1 record, "))
    }
    #expect(try place.run("verify", "b").ending == .exit(0))
    #expect(try place.run("verify", "b", "nope").ending == .exit(1))
    #expect(try place.run("verify", "nope", "a").ending == .exit(65))
  }
}
