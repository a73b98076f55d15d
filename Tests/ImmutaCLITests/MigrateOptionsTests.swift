import Foundation
import Testing

/// Keys, routing, codecs and formats of what is migrated.
@Suite("migrate's options")
struct MigrateOptionsTests {
  let place: Workplace

  init() throws {
    place = Workplace()
    for (name, byte) in [("old.key", 1), ("new.key", 2)] as [(String, UInt8)] {
      try place.write([UInt8](repeating: byte, count: 32), to: name)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(place.path)/\(name)")
    }
  }

  private static let text = (0..<300).map { "line \($0), which looks much like the one before\n" }.joined()

  @Test("Nothing is cut off a record at its tabulator unless that was asked for")
  func keyBeforeTab() throws {
    try place.run("append", "e", input: "k\tone\nl\ttwo\n")
    try place.write(Array("k\tone\nl\ttwo\n".utf8), to: "lines")
    for source in ["log:logs/e", "lines:lines"] {
      let refused = try place.run("migrate", source, "store:s", "--partitions", "2")
      #expect(refused.ending == .exit(64) && refused.errors.contains("--key-before-tab"))
      #expect(try !place.names().contains("s"))
    }
    let asked = try place.run("migrate", "log:logs/e", "store:s", "--partitions", "2", "--key-before-tab")
    #expect(asked.ending == .exit(0))
    #expect(try Set(place.run("logstore", "cat", "s").lines) == ["one", "two"])
    let whole = try place.run("migrate", "log:logs/e", "store:t", "--partitions", "2", "--key", "x")
    #expect(whole.ending == .exit(0))
    #expect(try place.run("logstore", "cat", "t").lines == ["k\tone", "l\ttwo"])
    let without = try place.run("migrate", "lines:lines", "store:t", "--key-before-tab")
    #expect(without.ending == .exit(1) && without.errors.contains("holds something else"))
  }

  @Test("A record without a tabulator is named, and so is a line")
  func noTab() throws {
    try place.run("append", "e", input: "k\tone\ntwo\n")
    let refused = try place.run("migrate", "log:logs/e", "store:s", "--partitions", "2", "--key-before-tab")
    #expect(refused.ending == .exit(1) && refused.errors.hasPrefix("immuta: record 1 of e has no tab after"))
  }

  @Test("A new store gets the routing it is given, and keeps it")
  func routing() throws {
    try place.run("append", "e", input: (0..<40).map { "key-\($0)\tx\n" }.joined())
    let flags = ["migrate", "log:logs/e", "store:s", "--partitions", "3", "--key-before-tab", "--routing"]
    #expect(try Child(flags + ["go-compatible"], in: place).finish().ending == .exit(0))
    #expect(try place.run("logstore", "info", "s").text.contains("routed by go-compatible"))
    #expect(try place.run("logstore", "cat", "s", "--partition", "2").output.isEmpty)
    #expect(try Child(flags + ["modulo"], in: place).finish().ending == .exit(1))
  }

  private static var codecs: [[String]] {
    var codecs = [["codec", "deflate"], ["key-file", "old.key"], ["codec", "deflate:9", "key-file", "old.key"]]
    #if Zstd
      codecs.append(["codec", "zstd", "key-file", "old.key", "cipher", "chacha20-poly1305"])
    #endif
    return codecs
  }

  private func options(_ codec: [String], prefix: String) -> [String] {
    codec.enumerated().map { $0.offset % 2 == 0 ? "\(prefix)\($0.element)" : $0.element }
  }

  @Test("A log with a codec is the target, resumed and verified, and then the source", arguments: codecs)
  func codec(codec: [String]) throws {
    let (from, to) = (options(codec, prefix: "--from-"), options(codec, prefix: "--"))
    try place.write(Array(Self.text.utf8), to: "lines")
    let half = Self.text.utf8.prefix(Self.text.utf8.count / 2)
    let begun = try Child(["append", "e"] + to, in: place)
      .finish(feeding: Array(half[...(half.lastIndex(of: 10) ?? half.startIndex)]))
    #expect(begun.ending == .exit(0))
    let first = try Child(["migrate", "lines:lines", "log:logs/e", "--json"] + to, in: place).finish()
    #expect(first.ending == .exit(0), "\(first.errors)")
    let summary = try #require(try first.objects().first)
    #expect(summary["records"] as? Int == 300 && (1..<300).contains(summary["appended"] as? Int ?? 0))
    #expect(try Child(["cat", "e"] + to, in: place).finish().text == Self.text)

    let back = try Child(["migrate", "log:logs/e", "log:logs/plain"] + from, in: place).finish()
    #expect(back.ending == .exit(0), "\(back.errors)")
    #expect(try place.run("cat", "plain").text == Self.text)
    let store = ["migrate", "log:logs/e", "store:s", "--partitions", "2", "--key", "k"]
    #expect(try Child(store + from, in: place).finish().ending == .exit(0))
    #expect(try place.run("logstore", "cat", "s").text == Self.text)
  }

  @Test("A log gets another key, and who forgets the old one is told the option's name")
  func rekeying() throws {
    try place.run("append", "e", "--key-file", "old.key", input: Self.text)
    let arguments = ["migrate", "log:logs/e", "log:logs/f", "--key-file", "new.key"]
    let forgotten = try Child(arguments, in: place).finish()
    #expect(forgotten.ending == .exit(1) && forgotten.errors.contains("--from-key-file"))
    let wrong = try Child(arguments + ["--from-key-file", "new.key"], in: place).finish()
    #expect(wrong.ending == .exit(65) && wrong.errors.contains("--from-key-file"), "\(wrong.errors)")
    #expect(try Child(arguments + ["--from-key-file", "old.key"], in: place).finish().ending == .exit(0))
    #expect(try place.run("cat", "f", "--key-file", "new.key").text == Self.text)
    #expect(try place.run("cat", "f", "--key-file", "old.key").ending == .exit(65))
    let other = try Child(["migrate", "lines:lines", "log:logs/f"], in: place).finish()
    #expect(other.ending == .exit(1))
  }

  @Test("A target that was changed behind its codec does not verify")
  func changedTarget() throws {
    try place.run("append", "e", input: "one\ntwo\n")
    try place.run("append", "f", "--codec", "deflate", input: "one\ntwice\n")
    let outcome = try place.run("migrate", "log:logs/e", "log:logs/f", "--codec", "deflate")
    #expect(outcome.ending == .exit(1) && outcome.errors.contains("record 1 of f is not the source's"))
  }

  @Test("A log may be migrated into one of the old format")
  func oldFormat() throws {
    try place.run("append", "e", input: "one\ntwo\n")
    #expect(try place.run("migrate", "log:logs/e", "log:logs/old", "--log-format", "v1").ending == .exit(0))
    #expect(try place.run("info", "old", "--json").objects().first?["format"] as? String == "v1")
    #expect(try place.run("cat", "old").text == "one\ntwo\n")
  }

  @Test(
    "Options that are for the other side are told, with status 64",
    arguments: [
      ["log:a/b", "store:c"], ["lines:x", "store:c"], ["log:a/b", "store:c", "--key", "a", "--key-before-tab"],
      ["log:a/b", "store:c", "--key", "a", "--codec", "deflate"],
      ["log:a/b", "store:c", "--key", "a", "--log-format", "v1"],
      ["lines:x", "log:a/b", "--from-codec", "deflate"], ["store:c", "log:a/b", "--from-log-format", "v1"],
      ["log:a/b", "log:a/c", "--key", "a"], ["log:a/b", "log:a/c", "--routing", "modulo"],
      ["log:a/b", "log:a/c", "--from-cipher", "aes-256-gcm"], ["log:a/b", "log:a/c", "--log-format", "v3"],
      ["log:a/b", "log:a/c", "--from-codec", "deflate", "--from-dictionary", "d"],
    ])
  func usage(arguments: [String]) throws {
    let outcome = try Child(["migrate"] + arguments, in: place).finish()
    #expect(outcome.ending == .exit(64) && outcome.output.isEmpty)
    #expect(try place.names() == ["new.key", "old.key"], "nothing is made")
  }
}
