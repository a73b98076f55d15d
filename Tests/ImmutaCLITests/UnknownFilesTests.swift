import Foundation
import Immuta
import Testing

/// Files of a newer version are refused by every command, and files that were lost are not called sound.
@Suite("What a log's companion alone knows")
struct UnknownFilesTests {
  let place = Workplace()

  private static let companionMagic: UInt64 = 0x3158_4449_4154_4D49

  private func companion(version: UInt32, format: UInt8 = 2) -> [UInt8] {
    TwoSlots.encoded(magic: Self.companionMagic, version: version, generation: 2) { $0[12] = format }
      + [UInt8](repeating: 0, count: TwoSlots.slotSize)
  }

  private func refuses(_ arguments: [String], _ versions: [String], input: [UInt8] = []) throws {
    let outcome = try Child(arguments, in: place).finish(feeding: input)
    #expect(outcome.ending == .exit(1), "\(arguments): \(outcome.errors)")
    for version in versions { #expect(outcome.errors.contains(version), "\(arguments): \(outcome.errors)") }
  }

  @Test(
    "A companion of a newer version, or of an unknown format, is refused by every command, which names both versions")
  func newerCompanion() throws {
    try place.run("append", "events", input: "one\n")
    for (bytes, versions) in [
      (companion(version: 9), ["version 9", "up to 2"]),
      (companion(version: 2, format: 77), ["version 77", "up to 3"]),
    ] {
      try place.write(bytes, to: "logs/events.idx")
      let files = try place.names(in: "logs")
      for command in ["append", "cat", "info", "verify", "repair"] { try refuses([command, "events"], versions) }
      try refuses(["repair", "events", "--apply"], versions)
      try refuses(["repair", "events", "--salvage", "new"], versions)
      try refuses(["append", "events"], versions, input: Array("two\n".utf8))
      try refuses(["migrate", "log:logs/events", "log:logs/other"], versions)
      #expect(try place.names(in: "logs") == files)
      #expect(try place.read("logs/events.idx") == bytes)
    }
  }

  @Test("A segment of a newer version is named by whoever looks at it, and nothing that is before it is removed")
  func newerSegment() throws {
    try place.run("append", "events", "--segment-bytes", "20", input: "one\ntwo\nthree\nfour\n")
    let first = try #require(try place.names(in: "logs/events.segments").first { $0.hasSuffix(".idx") })
    try place.write(companion(version: 9), to: "logs/events.segments/\(first)")
    let files = try place.names(in: "logs/events.segments")
    let versions = ["\(first):", "version 9", "up to 2"]
    for command in ["info", "verify", "repair"] { try refuses([command, "events"], versions) }
    try refuses(["info", "events", "--segments"], versions)
    for apply in [[], ["--apply"]] { try refuses(["trim", "events", "--before", "3"] + apply, versions) }
    let info = try place.run("info", "--json").objects()[0]
    #expect(info["health"] as? String == "unreadable")
    #expect((info["error"] as? String)?.contains("version 9") == true)
    // What others have written can be read up to there, and the log goes on.
    #expect(try place.run("cat", "events", "-n", "1").lines == ["four"])
    try place.run("append", "events", input: "five\n")
    #expect(Set(try place.names(in: "logs/events.segments")).isSuperset(of: files))
  }

  @Test("A step's intent of a newer version is named by whoever appends, checks or repairs; reading goes on")
  func newerIntent() throws {
    try place.run("append", "events", input: "one\n")
    try FileManager.default.createDirectory(atPath: "\(place.path)/logs/.intents", withIntermediateDirectories: false)
    let intent = TwoSlots.encoded(
      magic: 0x544E_4E49_4154_4D49, version: 9, generation: 2, used: TwoSlots.sector
    ) { $0.storeInteger(UInt32(TwoSlots.sector), at: 12) }
    try place.write(intent, to: "logs/.intents/orders")
    // Another program's, and no intent at all.
    try place.write(Array("text".utf8), to: "logs/.intents/other")
    let versions = ["orders", "version 9", "up to 1"]
    for command in ["info", "verify", "repair"] { try refuses([command, "events"], versions) }
    try refuses(["repair", "events", "--apply"], versions)
    try refuses(["append", "events"], versions, input: Array("two\n".utf8))
    #expect(try place.run("cat", "events").lines == ["one"])
    #expect(try place.read("logs/.intents/orders") == intent)
  }

  @Test("A consumer's position of a newer version is not called damaged, and nobody is told to move it")
  func newerPosition() throws {
    try place.run("append", "events", input: "one\n")
    try place.run("cat", "events", "--consumer", "billing")
    let folder = try #require(try place.names(in: "logs").first { $0.hasSuffix(".consumers") })
    let name = try #require(try place.names(in: "logs/\(folder)").first { $0.hasPrefix("billing") })
    let magic = try place.read("logs/\(folder)/\(name)").withUnsafeBytes { $0.load(as: UInt64.self) }
    let slot = TwoSlots.encoded(magic: magic, version: 9, generation: 0, used: TwoSlots.sector) { _ in }
    try place.write(
      slot + [UInt8](repeating: 0, count: TwoSlots.size - TwoSlots.sector), to: "logs/\(folder)/\(name)")
    let listed = try Child(["consumers", "events"], in: place).finish()
    #expect(listed.ending == .exit(1) && listed.text.contains("unreadable") && !listed.text.contains("damaged"))
    #expect(listed.errors.contains("version 9") && !listed.errors.contains("seek"))
  }

  @Test("A store's layout of a newer version is refused by every command, which names both versions")
  func newerLayout() throws {
    try place.run("logstore", "append", "store", "--partitions", "2", "--key", "a", input: "one\n")
    try place.write(Array("LogStore 2\npartitions 2\nrouting fnv1a-mod-n\n".utf8), to: "store/logstore.layout")
    let layout = try place.read("store/logstore.layout")
    for arguments in [
      ["append", "store", "--key", "a"], ["cat", "store"], ["info", "store"], ["verify", "store"],
    ] {
      try refuses(["logstore"] + arguments, ["version 2", "up to 1"], input: Array("two\n".utf8))
    }
    #expect(try place.read("store/logstore.layout") == layout)
  }

  @Test("A changed byte of a log that has lost its companion is not called ok")
  func lostCompanion() throws {
    try place.run("append", "events", input: "one\ntwo\nthree\n")
    try FileManager.default.removeItem(atPath: "\(place.path)/logs/events.idx")
    try place.damage("logs/events.log", at: 25)
    for _ in 0..<2 {
      let verify = try place.run("verify", "events")
      #expect(verify.ending == .exit(0))
      #expect(verify.lines[0].contains("3 records readable, none verifiable"))
      #expect(!verify.lines[0].contains("ok"))
      let verdict = try place.run("verify", "--json").objects()[0]
      #expect(verdict["ok"] is NSNull && verdict["verifiable"] as? Int == 0 && verdict["records"] as? Int == 3)
      let info = try place.run("info")
      #expect(info.lines[1].hasSuffix("unverifiable"))
      let object = try place.run("info", "--json").objects()[0]
      #expect(object["health"] as? String == "unverifiable" && object["verifiable"] as? Int == 0)
      let repair = try place.run("repair", "events")
      #expect(repair.ending == .exit(0) && repair.lines.joined().contains("not verifiable: 3"))
      // A companion that is made keeps it in mind.
      try place.run("append", "events")
    }
    try place.run("append", "events", input: "four\n")
    let info = try place.run("info")
    #expect(info.lines[1].hasSuffix("partly verifiable"))
    #expect(
      info.text.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains(
        "3 of 4 records cannot be verified"))
    let object = try place.run("info", "--json").objects()[0]
    #expect(object["health"] as? String == "partly verifiable" && object["verifiable"] as? Int == 1)
    #expect(try place.run("verify").lines[0].contains("4 records readable, 1 ok, 3 not verifiable"))
  }

  @Test("An encrypted log is checked and listed without its key; its records are not shown without it")
  func withoutKey() throws {
    let (key, other) = ("key", "other")
    try place.write([UInt8](repeating: 1, count: 32), to: key)
    try place.write([UInt8](repeating: 2, count: 32), to: other)
    for name in [key, other] { chmod("\(place.path)/\(name)", 0o600) }
    try place.run("append", "events", "--key-file", key, input: "secret\n")
    let verify = try place.run("verify", "events")
    #expect(verify.ending == .exit(0))
    #expect(verify.lines[0].contains("ok, 1 record (not decoded: written with aes-256-gcm)"))
    #expect(try place.run("verify", "events", "--key-file", key).lines[0].contains("ok, 1 record, "))
    let info = try place.run("info", "--json").objects()[0]
    #expect(info["health"] as? String == "ok" && info["codec"] as? String == "aes-256-gcm")
    #expect(try place.run("cat", "events").ending == .exit(1))

    // Without its companion it is still known how it was written; without the other file, too, it can be seen.
    for lost in ["idx", "meta"] {
      try FileManager.default.removeItem(atPath: "\(place.path)/logs/events.\(lost)")
      let before = try place.read("logs/events.log")
      for arguments in [["append", "events"], ["append", "events", "--key-file", other], ["cat", "events"]] {
        #expect(try Child(arguments, in: place).finish(feeding: Array("plain\n".utf8)).ending == .exit(1))
      }
      #expect(try place.read("logs/events.log") == before)
    }
    #expect(try place.run("append", "events", "--codec", "none", "--key-file", key, input: "x\n").ending == .exit(64))
    try place.run("append", "events", "--key-file", key, input: "more\n")
    #expect(try place.run("cat", "events", "--key-file", key).lines == ["secret", "more"])
  }
}
