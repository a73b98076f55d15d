import Foundation
import Testing

@Suite("migrate")
struct MigrateTests {
  let place = Workplace()

  /// A log of the old format, as its bytes are described.
  private func writeOldLog(_ payloads: [String]) throws {
    func integer(_ value: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    var bytes = integer(payloads.count)
    for payload in payloads { bytes += integer(payload.utf8.count) + Array(payload.utf8) }
    try FileManager.default.createDirectory(atPath: "\(place.path)/old", withIntermediateDirectories: true)
    try place.write(bytes, to: "old/e.log")
  }

  @Test("A log of the old format becomes one of the current, and stays as it was")
  func oldToNew() throws {
    try writeOldLog(["one", "", "three"])
    let before = try place.read("old/e.log")
    let outcome = try place.run("migrate", "log:old/e", "log:new/e", "--json")
    #expect(outcome.ending == .exit(0))
    #expect(try outcome.objects()[0]["records"] as? Int == 3)
    #expect(try place.read("old/e.log") == before && place.names(in: "old") == ["e.log"])
    #expect(try place.run("cat", "e", "--dir", "new").text == "one\n\nthree\n")
    #expect(try place.run("info", "e", "--dir", "new", "--json").objects()[0]["format"] as? String == "v2")
    #expect(try place.run("info", "e", "--dir", "old", "--json").objects()[0]["format"] as? String == "v1")
  }

  @Test("A place is not migrated to itself, however it is spelled")
  func toItself() throws {
    try place.run("append", "e", input: "one\n")
    try FileManager.default.createSymbolicLink(
      atPath: "\(place.path)/also", withDestinationPath: "\(place.path)/logs")
    try place.run("logstore", "append", "s", "--partitions", "1", "--key", "k", input: "v\n")
    for (source, target) in [
      ("log:logs/e", "log:./logs/e"), ("log:logs/e", "log:also/e"), ("lines:also/e.log", "log:logs/e"),
      ("lines:s/0.bilog", "store:./s"),
    ] {
      let keys = target.hasPrefix("store") ? ["--key", "k"] : []
      let outcome = try Child(["migrate", source, target] + keys, in: place).finish()
      #expect(outcome.ending == .exit(64) && outcome.errors.contains("share a file"), "\(source) \(target)")
    }
    #expect(try place.run("cat", "e").text == "one\n")
  }

  @Test("A store becomes namespaces, and namespaces a store")
  func storeAndBack() throws {
    let lines = (0..<50).map { #"{"id":"key-\#($0 % 7)","n":\#($0)}"# }
    let text = lines.map { $0 + "\n" }.joined()
    try place.run("logstore", "append", "s", "--partitions", "3", "--key-field", "id", input: text)
    #expect(try place.run("migrate", "store:s", "log:logs/chat").ending == .exit(0))
    var all: [String] = []
    for number in 0..<3 {
      let own = try place.run("cat", "chat-\(number)").lines
      #expect(try own == place.run("logstore", "cat", "s", "--partition", "\(number)").lines)
      all += own
    }
    #expect(all.sorted() == lines.sorted())

    try place.run("append", "orders", input: text)
    let flags = ["--partitions", "3", "--key-field", "id"]
    #expect(try Child(["migrate", "log:logs/orders", "store:t"] + flags, in: place).finish().ending == .exit(0))
    for number in 0..<3 { #expect(try place.read("s/\(number).bilog") == place.read("t/\(number).bilog")) }
  }

  @Test("Lines become records, as they are or as cat printed them")
  func lines() throws {
    try place.run("append", "e", input: Array("text é\n".utf8) + [0xFF, 0, 10, 10, 0xFE, 10, 0xFD, 1, 2, 10])
    let printed = try place.run("cat", "e", "--json")
    try place.write(printed.output, to: "e.jsonl")
    #expect(try place.run("migrate", "lines:e.jsonl", "log:logs/back", "--unwrap").ending == .exit(0))
    #expect(try place.read("logs/back.log") == place.read("logs/e.log"))
    #expect(try place.run("migrate", "lines:e.jsonl", "log:logs/lines").ending == .exit(0))
    #expect(try place.run("cat", "lines").output == printed.output)
    try place.write(Array("{}\n".utf8), to: "bad.jsonl")
    let refused = try place.run("migrate", "lines:bad.jsonl", "log:logs/bad", "--unwrap")
    #expect(refused.ending == .exit(1) && refused.errors.contains("line 1"))
  }

  @Test("What was stopped goes on, and what is something else is refused")
  func resuming() throws {
    try place.run("append", "e", input: (0..<500).map { "\($0)\n" }.joined())
    try place.run("append", "half", input: (0..<200).map { "\($0)\n" }.joined())
    let outcome = try place.run("migrate", "log:logs/e", "log:logs/half", "--json")
    #expect(try outcome.objects()[0]["appended"] as? Int == 300)
    #expect(try place.read("logs/half.log") == place.read("logs/e.log"))
    let again = try place.run("migrate", "log:logs/e", "log:logs/half", "--json")
    #expect(try again.objects()[0]["appended"] as? Int == 0)

    try place.run("append", "other", input: "0\nx\n")
    try place.run("append", "longer", input: (0..<501).map { "\($0)\n" }.joined())
    for name in ["other", "longer"] {
      let before = try place.read("logs/\(name).log")
      let refused = try place.run("migrate", "log:logs/e", "log:logs/\(name)")
      #expect(refused.ending == .exit(1) && refused.errors.contains("holds"))
      #expect(try place.read("logs/\(name).log") == before)
    }
  }

  @Test("A damaged record of the source is told, and nothing behind it migrated")
  func damage() throws {
    try place.run("append", "e", input: "one\ntwo\nthree\n")
    try place.damage("logs/e.log", at: 16 + 11 + 9)
    #expect(try place.run("migrate", "log:logs/e", "log:logs/f").ending == .exit(65))
    #expect(try place.run("cat", "f").text == "one\n")
  }

  @Test(
    "Arguments that make no sense are told, with status 64",
    arguments: [
      ["log:a/b"], ["log:a/b", "log:a/b"], ["log:a/b", "lines:x"], ["store:a", "store:b"], ["x", "log:a/b"],
      ["log:a/../.x", "log:a/b"], ["log:a/b", "store:c", "--key", "a", "--key-field", "b"],
      ["log:a/b", "log:a/c", "--unwrap"],
    ])
  func usage(arguments: [String]) throws {
    let outcome = try Child(["migrate"] + arguments, in: place).finish()
    #expect(outcome.ending == .exit(64) && outcome.output.isEmpty)
  }
}
