import Foundation
import Testing

@Suite("logstore")
struct LogStoreTests {
  let place = Workplace()

  private var sample: String { (0..<20).map { "key-\($0 % 5)\tvalue \($0)\n" }.joined() }

  @Test("Lines with keys go to partitions, and come back in each key's order")
  func roundTrip() throws {
    let appended = try place.run("logstore", "append", "s", "--partitions", "3", "--receipts", input: sample)
    #expect(appended.ending == .exit(0))
    let receipts = try appended.objects()
    #expect(receipts.count == 20)
    let cat = try place.run("logstore", "cat", "s", "--json")
    let messages = try cat.objects()
    #expect(cat.ending == .exit(0) && messages.count == 20)
    for key in 0..<5 {
      let texts = messages.compactMap { $0["text"] as? String }
      let own = texts.compactMap { Int($0.split(separator: " ")[1]) }.filter { $0 % 5 == key }
      #expect(own == Array(stride(from: key, to: 20, by: 5)))
    }
    for partition in 0..<3 {
      let own = receipts.filter { $0["partition"] as? Int == partition }
      #expect(own.map { $0["sequence"] as? Int } == Array(0..<own.count))
      let alone = try place.run("logstore", "cat", "s", "--partition", "\(partition)")
      #expect(alone.lines.count == own.count)
    }
    #expect(try place.run("logstore", "cat", "s", "--partition", "0", "--from", "1", "--limit", "2").lines.count <= 2)
  }

  @Test("With one key for all a line may be larger than a megabyte")
  func largeLine() throws {
    let line = String(repeating: "x", count: 3 << 20)
    let outcome = try place.run("logstore", "append", "s", "--partitions", "2", "--key", "k", input: "a\n\(line)\nb\n")
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    #expect(try place.run("logstore", "cat", "s").text == "a\n\(line)\nb\n")
    let without = try place.run("logstore", "append", "s", input: "k\t\(line)\n")
    #expect(without.ending == .exit(1) && without.errors.contains("line 1") && without.errors.contains("--key"))
  }

  @Test("What is no store is told so, and nothing is made")
  func noStore() throws {
    let append = try place.run("logstore", "append", "nn", input: "k\tv\n")
    #expect(append.ending == .exit(1) && append.errors.contains("nn is no store"))
    #expect(append.errors.contains("--partitions"))
    #expect(!FileManager.default.fileExists(atPath: "\(place.path)/nn"))
    let here = try place.run("logstore", "append", "", "--partitions", "2", input: "k\tv\n")
    #expect(here.ending == .exit(64) && here.errors.contains("write ."))
    #expect(try place.names(in: ".").isEmpty)
  }

  @Test("A store that lost its layout can be read, and says what it needs to be appended to")
  func lostLayout() throws {
    try place.run("logstore", "append", "s", "--partitions", "2", input: "k\tv\n")
    try FileManager.default.removeItem(atPath: "\(place.path)/s/logstore.layout")
    #expect(try place.run("logstore", "cat", "s").text == "v\n")
    #expect(try place.run("logstore", "verify", "s").ending == .exit(0))
    #expect(try place.run("logstore", "info", "s").ending == .exit(0))
    let append = try place.run("logstore", "append", "s", input: "k\tw\n")
    #expect(append.ending == .exit(1) && append.errors.contains("logstore.layout"))
    #expect(append.errors.contains("--routing"))
    #expect(try place.run("logstore", "append", "s", "--routing", "modulo", input: "k\tw\n").ending == .exit(0))
    #expect(try place.run("logstore", "cat", "s").text == "v\nw\n")
  }

  @Test("cat, verify and migrate tell of an end that was cut off")
  func cutOffEnd() throws {
    try place.run("logstore", "append", "s", "--partitions", "1", "--key", "k", input: "first\nsecond\n")
    let bytes = try place.read("s/0.bilog")
    for name in try place.names(in: "s") where name != "0.bilog" {
      try FileManager.default.removeItem(atPath: "\(place.path)/s/\(name)")
    }
    try place.write(Array(bytes.dropLast(2)), to: "s/0.bilog")
    let verified = try place.run("logstore", "verify", "s")
    #expect(verified.ending == .exit(0))
    #expect(verified.text.contains("16 bytes of a record that was cut off"), "\(verified.text)")
    for command in [["logstore", "cat", "s"], ["migrate", "store:s", "log:logs/m"]] {
      let outcome = try Child(command, in: place).finish()
      #expect(outcome.ending == .exit(0) && outcome.errors.contains("partition 0 ends in 16 bytes of a record"))
    }
  }

  @Test("The key may be the same for all, or a member of JSON lines")
  func keys() throws {
    try place.run("logstore", "append", "s", "--partitions", "8", "--key", "k", input: "a\tb\n\n")
    let fixed = try place.run("logstore", "cat", "s", "--json").objects()
    #expect(fixed.map { $0["text"] as? String } == ["a\tb", ""])
    #expect(Set(fixed.map { $0["partition"] as? Int }).count == 1)

    let lines = #"""
      {"n":[1,{"id":"x"}],"id":"k"}
      { "id" : "\u006b", "other": 2 }

      """#
    let outcome = try place.run("logstore", "append", "s", "--key-field", "id", "--receipts", input: lines)
    #expect(outcome.ending == .exit(0))
    let places = try outcome.objects().map { $0["partition"] as? Int }
    #expect(places == [fixed[0]["partition"] as? Int, fixed[0]["partition"] as? Int])

    for (flags, input) in [([], "no tabulator\n"), (["--key-field", "id"], #"{"other":{"id":1}}"# + "\n")] {
      let refused = try Child(["logstore", "append", "s"] + flags, in: place).finish(feeding: Array(input.utf8))
      #expect(refused.ending == .exit(1) && refused.errors.contains("line 1"))
    }
  }

  @Test("info tells of each partition")
  func info() throws {
    try place.run("logstore", "append", "s", "--partitions", "2", input: sample)
    let text = try place.run("logstore", "info", "s").text
    #expect(text.contains("PARTITION") && text.contains("bilog") && text.contains("routed by fnv1a-mod-n"))
    let rows = try place.run("logstore", "info", "s", "--json").objects()
    #expect(rows.map { $0["partition"] as? Int } == [0, 1])
    #expect(rows.compactMap { $0["records"] as? Int }.reduce(0, +) == 20)
  }

  @Test("verify names the first damaged message, with status 65")
  func damage() throws {
    try place.run("logstore", "append", "s", "--partitions", "1", input: sample)
    #expect(try place.run("logstore", "verify", "s").ending == .exit(0))
    try place.damage("s/0.bilog", at: 14)
    let outcome = try place.run("logstore", "verify", "s", "--json")
    #expect(outcome.ending == .exit(65))
    #expect(try outcome.objects()[0]["sequence"] as? Int == 0)
    #expect(try place.run("logstore", "cat", "s").ending == .exit(65))
  }

  @Test("Another number of partitions is refused, and what is not there is said")
  func mismatch() throws {
    try place.run("logstore", "append", "s", "--partitions", "2", input: sample)
    let other = try place.run("logstore", "append", "s", "--partitions", "3", input: sample)
    #expect(other.ending == .exit(1) && other.errors.contains("2 partitions"))
    let routed = try place.run("logstore", "append", "s", "--routing", "go-compatible", input: sample)
    #expect(routed.ending == .exit(1) && routed.errors.contains("routing"))
    for command in ["cat", "info", "verify"] {
      let outcome = try place.run("logstore", command, "missing")
      #expect(outcome.ending == .exit(1) && outcome.errors.hasPrefix("immuta: "))
    }
    #expect(try place.run("logstore", "cat", "s", "--partition", "2").ending == .exit(1))
    #expect(try place.run("logstore", "append", "new", input: sample).errors.contains("how many"))
    #expect(try place.names() == ["s"] || place.names(in: "new").isEmpty)
  }

  @Test("A follower prints what comes")
  func follow() throws {
    try place.run("logstore", "append", "s", "--partitions", "2", input: "a\tone\n")
    let follower = try place.start("logstore", "cat", "s", "--follow")
    #expect(try follower.line() == "one")
    try place.run("logstore", "append", "s", input: "b\ttwo\n")
    #expect(try follower.line() == "two")
    try place.run("logstore", "append", "s", input: "a\tthree\n")
    #expect(try follower.line() == "three")
  }

  @Test(
    "Arguments that make no sense are told, with status 64",
    arguments: [
      ["append"], ["append", "s", "--key", "a", "--key-field", "b"], ["append", "s", "--key", "a", "--key-before-tab"],
      ["append", "s", "--partitions", "0"],
      ["cat", "s", "--partition=-1"], ["cat", "s", "--from", "1", "--latest"],
      ["cat", "s", "--json", "--format", "raw"],
      ["verify"], ["append", "s", "--routing", "random"],
    ])
  func usage(arguments: [String]) throws {
    let outcome = try Child(["logstore"] + arguments, in: place).finish()
    #expect(outcome.ending == .exit(64) && outcome.output.isEmpty)
  }

  @Test("Each subcommand's help teaches by example", arguments: ["append", "cat", "info", "verify", "repair"])
  func examples(command: String) throws {
    let outcome = try place.run("logstore", command, "--help")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.lines.filter { $0.hasPrefix("  ") && $0.contains("immuta logstore \(command)") }.count >= 2)
    #expect(outcome.text.contains("--json"))
  }

  @Test("A store of many partitions is read with few open files")
  func manyPartitions() throws {
    let place = Workplace()
    try place.run("logstore", "append", "s", "--partitions", "300", "--key", "k", input: "one\n")
    for command in [
      ["logstore", "cat", "s"], ["logstore", "verify", "s"], ["logstore", "info", "s"], ["info", "--dir", "s"],
      ["logstore", "cat", "s", "--follow", "--limit", "1"], ["migrate", "store:s", "log:copies/s"],
    ] {
      let outcome = try Child(command, in: place, as: ["/bin/sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"]).finish()
      #expect(!outcome.errors.contains("open files"), "\(command): \(outcome.errors.prefix(300))")
      if command[0] != "info" { #expect(outcome.ending == .exit(0), "\(command): \(outcome.errors.prefix(300))") }
    }
  }

  @Test("Messages end where --delimiter says")
  func delimiter() throws {
    let place = Workplace()
    try place.run("logstore", "append", "s", "--partitions", "1", "--key", "k", "--delimiter", "nul", input: "a\nb\0c")
    try place.run("logstore", "append", "s", "--key", "k", "--delimiter", "none", input: "d\ne\n")
    #expect(try place.run("logstore", "cat", "s", "--json").lines.count == 3)
    #expect(try place.run("logstore", "append", "s", "--delimiter", "none", input: "k\tx").ending == .exit(64))
  }

  @Test("A byte order mark before JSON lines is no part of them")
  func byteOrderMark() throws {
    let place = Workplace()
    let line = #"{"k":"1"}"#
    try place.run("logstore", "append", "s", "--partitions", "1", "--key-field", "k", input: "\u{FEFF}\(line)\n")
    #expect(try place.run("logstore", "cat", "s").text == line + "\n")
    #expect(
      try place.run("logstore", "append", "s", "--key-field", "k", input: "\(line)\n\u{FEFF}\(line)\n").ending
        == .exit(1), "only at the start of the input")
  }
}
