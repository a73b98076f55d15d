import Foundation
import Testing

@Suite("info and verify")
struct InfoTests {
  let place = Workplace()

  @Test("info lists all namespaces in a table")
  func table() throws {
    try place.run("append", "orders", input: "one\ntwo\n")
    try place.run("append", "empty")
    let outcome = try place.run("info")
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(outcome.lines.allSatisfy { $0.count <= 80 })
    #expect(
      outcome.lines[0].split(separator: " ")
        == ["NAMESPACE", "RECORDS", "SIZE", "FIRST", "LAST", "FORMAT", "HEALTH"])
    #expect(outcome.lines[1].split(separator: " ") == ["empty", "0", "16", "B", "-", "-", "v2", "ok"])
    let orders = outcome.lines[2].split(separator: " ")
    #expect(orders.prefix(4) == ["orders", "2", "38", "B"] && orders.suffix(2) == ["v2", "ok"])
    #expect(outcome.lines[3].hasPrefix("empty: ") && outcome.text.contains(" KiB on disk; no codec;"))
    #expect(outcome.lines.last == "Looked at headers, last records and sizes; `immuta verify` reads every record.")
    let long = String(repeating: "n", count: 70)
    try place.run("append", long, input: "x\n")
    let wide = try place.run("info").lines
    #expect(wide.allSatisfy { $0.count <= 80 } && wide.contains { $0.hasPrefix("orders: ok, 2 records, 38 B, v2") })
    let exact = try place.run("info", "--bytes")
    #expect(exact.lines.allSatisfy { $0.count <= 80 } && exact.text.contains("38 bytes, v2"))
    #expect(exact.text.contains(" bytes on disk") && !exact.text.contains("KiB"))
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
    #expect(orders["version"] as? Int == 2 && orders["count"] as? Int == 2 && orders["firstSequence"] as? Int == 0)
    #expect(orders["segments"] as? Int == 1 && orders["codec"] is NSNull && orders["companion"] as? String == "whole")
    #expect(orders["open"] is NSNull && orders["closed"] as? Bool == true)
    #expect(try #require(orders["sizeOnDisk"] as? Int) >= 4096)
    #expect((orders["identity"] as? String)?.count == 32)
    #expect(objects[0]["first"] == nil && objects[0]["last"] == nil)
  }

  @Test("What cannot be opened is listed among the others", arguments: [false, true])
  func failures(json: Bool) throws {
    try place.run("append", "good", "--dir", ".", input: "x\n")
    let flags = json ? ["--json"] : []
    let missing = try Child(["info", "good", "nope", "--dir", "."] + flags, in: place).finish()
    #expect(missing.ending == .exit(1))
    if json { #expect(missing.lines.count == 2) }
    let error = "there is no namespace “nope” in .: `immuta info --dir .` lists those that exist"
    #expect(missing.errors == (json ? #"{"schema":1,"error":"\#(error)","status":1}"# : "immuta: \(error)") + "\n")

    try place.run("append", "bad", "--dir", ".", input: "x\n")
    try place.damage("bad.log", at: 0)
    try FileManager.default.removeItem(atPath: "\(place.path)/bad.idx")
    let damaged = try Child(["info", "bad", "good", "nope", "--dir", "."] + flags, in: place).finish()
    #expect(damaged.ending == .exit(65))
    #expect(damaged.errors.hasPrefix((json ? #"{"schema":1,"error":""# : "immuta: ") + "damaged: ./bad.log"))
    if json {
      let objects = try damaged.objects()
      #expect(objects.map { $0["health"] as? String } == ["damaged", "ok", "unreadable"])
      #expect((objects[0]["error"] as? String)?.hasPrefix("damaged: ./bad.log") == true)
      #expect(objects[0]["companion"] as? String == "missing" && objects[0]["open"] is NSNull)
    } else {
      #expect(damaged.lines[1].split(separator: " ") == ["bad", "-", "-", "-", "-", "-", "damaged"])
      #expect(damaged.lines[2].hasSuffix("ok"))
      #expect(damaged.errors.contains("`immuta repair bad --dir .` says what can be done"))
    }
  }

  @Test("info works while a writer has the log")
  func whileWritten() throws {
    let writer = try place.start("append", "e", "--receipts")
    try writer.send("x\n")
    _ = try writer.line()
    let object = try place.run("info", "e", "--json").objects()[0]
    #expect(object["records"] as? Int == 1 && object["health"] as? String == "open")
    #expect(object["open"] as? Int == Int(writer.process) && object["openSince"] is String)
    writer.signal(SIGKILL)
    _ = try writer.waitForEnd()
    let crashed = try place.run("info", "e", "--json").objects()[0]
    #expect(crashed["open"] is NSNull && crashed["closed"] as? Bool == false)
    #expect(crashed["health"] as? String == "not closed")
    #expect((crashed["note"] as? String)?.contains("its one record is whole") == true)
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
    #expect(outcome.ending == .exit(1))
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("immuta: no namespaces in ., which has no logs at all"))
    let json = try place.run(command, "--dir", ".", "--json")
    #expect(json.output.isEmpty && json.ending == .exit(1))
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
    #expect(object.count == 9)
  }

  @Test("verify names the first damaged record, and goes on with the others", arguments: [false, true])
  func verifyDamage(json: Bool) throws {
    try place.run("append", "a", input: "zero\none\ntwo\n")
    try place.run("append", "b", input: "fine\n")
    try place.damage("logs/a.log", at: 16 + 8 + 4 + 8 + 1)
    let outcome = try Child(["verify"] + (json ? ["--json"] : []), in: place).finish()
    #expect(outcome.ending == .exit(65))
    let start = json ? #"{"schema":1,"error":""# : "immuta: "
    #expect(outcome.errors.hasPrefix("\(start)damaged: ./logs/a.log, record 1 at byte 28: "))
    #expect(outcome.lines.count == 2)
    if json {
      let objects = try outcome.objects()
      #expect(objects[0]["ok"] as? Bool == false)
      #expect(objects[0]["sequence"] as? Int == 1)
      #expect(objects[0]["index"] as? Int == 28)
      #expect(objects[0]["path"] as? String == "./logs/a.log")
      #expect(objects[0]["code"] as? String == "checksum")
      #expect(objects[0]["reason"] is String && objects[0]["error"] is String)
      #expect(objects[0].count == 9)
      #expect(objects[1]["ok"] as? Bool == true)
    } else {
      #expect(outcome.lines[0] == "a: damaged")
      #expect(outcome.lines[1].hasPrefix("b: ok, 1 record, "))
    }
    #expect(try place.run("verify", "b").ending == .exit(0))
    #expect(try place.run("verify", "b", "nope").ending == .exit(1))
    #expect(try place.run("verify", "nope", "a").ending == .exit(65))
  }

  @Test("A log that was lost is told of where all are looked at", arguments: ["info", "verify"])
  func lost(command: String) throws {
    for name in ["a", "b"] { try place.run("append", name, input: "x\n") }
    try FileManager.default.removeItem(atPath: "\(place.path)/logs/a.log")
    let outcome = try place.run(command)
    #expect(outcome.ending == .exit(65) && outcome.errors.contains("logs/a.log"), "\(outcome.errors)")
    #expect(outcome.errors.contains("put the log back"))
  }

  @Test("A text that ends in .log is passed over among logs, and none where it is named")
  func passedOver() throws {
    try place.run("append", "e", input: "x\n")
    try place.write(Array("2026-11-25 12:00:00 INFO started\n".utf8), to: "logs/app.log")
    let before = try place.read("logs/app.log")
    let all = try place.run("verify")
    #expect(all.ending == .exit(0) && all.errors.isEmpty)
    #expect(all.lines[0].hasPrefix("app: passed over, not a log: ") && all.lines[1].hasPrefix("e: ok"))
    let object = try place.run("verify", "--json").objects()[0]
    #expect(object["ok"] is NSNull && object["passedOver"] is String)
    let info = try place.run("info")
    #expect(info.ending == .exit(0) && info.lines[1].hasSuffix("not a log"))
    #expect(try place.run("verify", "app").ending == .exit(1))
    for command in [["repair", "app"], ["repair", "app", "--apply"], ["append", "app"], ["verify", "app"]] {
      let outcome = try Child(command, in: place).finish(feeding: Array("x\n".utf8))
      #expect(outcome.ending == .exit(1) && outcome.errors.contains("it looks like text"), "\(outcome.errors)")
    }
    #expect(try place.read("logs/app.log") == before)
    #expect(try place.names(in: "logs") == ["app.log", "e.idx", "e.lock", "e.log"])
  }
}
