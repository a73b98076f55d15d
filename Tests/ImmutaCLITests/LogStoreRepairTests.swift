import Foundation
import Testing

/// Damaged partitions: each is told of by itself, and repaired by itself.
@Suite("logstore repair")
struct LogStoreRepairTests {
  let place: Workplace

  /// Ten messages of one byte in each of two partitions: message n at byte 13n.
  init() throws {
    place = Workplace()
    for key in ["a", "b"] {
      try place.run(
        "logstore", "append", "s", "--partitions", "2", "--key", key, input: (0..<10).map { "\($0)\n" }.joined())
    }
  }

  /// Cuts the end of a partition off, which its companion tells of.
  private func cut(_ partition: Int) throws {
    try place.write(Array(try place.read("s/\(partition).bilog").prefix(100)), to: "s/\(partition).bilog")
  }

  @Test("A whole partition needs nothing")
  func whole() throws {
    let outcome = try place.run("logstore", "repair", "s", "1")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.lines == ["partition 1: 10 of 10 records are whole", "  nothing to repair"])
  }

  @Test("It says what it would do, and does it to that partition when asked to", arguments: ["s", "s/"])
  func repairing(directory: String) throws {
    try cut(1)
    let damaged = try place.read("s/1.bilog")
    let other = try place.read("s/0.bilog")
    let dry = try place.run("logstore", "repair", directory, "1")
    #expect(dry.ending == .exit(65))
    #expect(
      dry.lines.first == "partition 1: 7 of 10 records are whole"
        && dry.text.contains("would: cut off records 7 to 9, 9 bytes"))
    #expect(try place.read("s/1.bilog") == damaged)
    let applied = try place.run("logstore", "repair", directory, "1", "--apply", "--json")
    #expect(applied.ending == .exit(65), "three messages are lost")
    let object = try #require(try applied.objects().first)
    #expect(object["partition"] as? Int == 1 && object["applied"] as? Bool == true)
    #expect(object["sound"] as? Int == 7 && (object["saved"] as? [String])?.isEmpty == false)
    #expect(try place.run("logstore", "verify", "s").ending == .exit(0))
    #expect(try place.run("logstore", "cat", "s", "--partition", "1").lines == (0..<7).map { "\($0)" })
    #expect(try place.read("s/0.bilog") == other)
    #expect(try place.run("logstore", "append", "s", "--key", "a", input: "x\n").ending == .exit(0))
  }

  @Test("info and verify name the damaged partition's file, with status 65", arguments: ["info", "verify"])
  func damagedPartition(command: String) throws {
    try cut(1)
    let outcome = try place.run("logstore", command, "s")
    #expect(outcome.ending == .exit(65) && outcome.errors.contains("1.bilog"), "\(outcome.errors)")
    #expect(!outcome.errors.contains("0.bilog") && outcome.text.contains("10"), "\(outcome.text)")
    #expect(try place.run("logstore", "cat", "s", "--partition", "0").lines.count == 10)
  }

  @Test("Appending goes on in the other partitions, and says so")
  func appendingBeside() throws {
    try cut(1)
    let damaged = try place.read("s/1.bilog")
    let keys = (try place.read("s/0.bilog").count == 130) ? ("a", "b") : ("b", "a")
    let good = try place.run("logstore", "append", "s", "--key", keys.0, input: "x\n")
    #expect(good.ending == .exit(0) && good.errors.contains("partition 1"), "\(good.errors)")
    let bad = try place.run("logstore", "append", "s", "--key", keys.1, input: "x\n")
    #expect(bad.ending == .exit(65) && bad.errors.contains("1.bilog"), "\(bad.errors)")
    #expect(try place.read("s/1.bilog") == damaged && place.read("s/0.bilog").count == 143)
  }

  @Test("Bad arguments")
  func arguments() throws {
    let missing = try place.run("logstore", "repair", "s", "2")
    #expect(missing.ending == .exit(1) && missing.errors.contains("no partition 2"))
    #expect(try place.run("logstore", "repair", "nowhere", "0").ending == .exit(1))
    for arguments in [["s"], ["s", "x"], ["s", "--", "-1"], []] {
      #expect(try Child(["logstore", "repair"] + arguments, in: place).finish().ending == .exit(64))
    }
    let writer = try place.start("logstore", "append", "s", "--key", "a", "--receipts")
    try writer.send("x\n")
    _ = try writer.line()
    let locked = try place.run("logstore", "repair", "s", "1")
    #expect(locked.ending == .exit(75) && locked.errors.contains("another writer"))
  }
}
