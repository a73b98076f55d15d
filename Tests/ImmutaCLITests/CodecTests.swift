import Foundation
import Testing

/// `--codec`, `--key-file`, `--cipher`, `--dictionary` and `immuta codec`.
@Suite("Codecs of the tool")
struct CodecTests {
  let place: Workplace
  static let input = (0..<50).map { "line \($0), which looks much like the one before\n" }.joined()

  init() throws {
    place = Workplace()
  }

  /// A key file as it should be.
  private func makeKey(_ name: String, _ byte: UInt8 = 7, permissions: Int = 0o600) throws {
    try place.write([UInt8](repeating: byte, count: 32), to: name)
    try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: "\(place.path)/\(name)")
  }

  private static var options: [[String]] {
    var options = [
      ["--codec", "deflate"], ["--codec", "deflate:9"], ["--key-file", "key"],
      ["--key-file", "key", "--cipher", "chacha20-poly1305"], ["--codec", "deflate:1", "--key-file", "key"],
    ]
    #if Zstd
      options.append(["--codec", "zstd:19"])
    #endif
    #if LZ4
      options.append(["--codec", "lz4", "--key-file", "key"])
    #endif
    return options
  }

  @Test("What append stores with a codec, cat prints and verify checks with the same", arguments: options)
  func roundTrip(options: [String]) throws {
    try makeKey("key")
    #expect(try Child(["append", "e"] + options, in: place).finish(feeding: Array(Self.input.utf8)).ending == .exit(0))
    #expect(try Child(["cat", "e"] + options, in: place).finish().text == Self.input)
    #expect(try Child(["verify", "e"] + options, in: place).finish().ending == .exit(0))
    if options.contains("--key-file") {
      let stored = String(decoding: try place.read("logs/e.log"), as: UTF8.self)
      #expect(!stored.contains("line") && !stored.contains("before"))
    }
    let outcome = try place.run("cat", "e")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("no codec") && outcome.errors.contains("--codec"))
    // Checksums are of what is stored.
    let verify = try place.run("verify", "e")
    #expect(verify.ending == .exit(0) && verify.lines[0].contains("not decoded"))
  }

  @Test("Keys are rotated by naming the new one first; a record whose key is missing is named, with status 65")
  func rotation() throws {
    try makeKey("old", 1)
    try makeKey("new", 2)
    try place.run("append", "e", "--key-file", "old", input: "first\n")
    try place.run("append", "e", "--key-file", "new", "--key-file", "old", input: "second\n")
    #expect(try place.run("cat", "e", "--key-file", "old", "--key-file", "new").text == "first\nsecond\n")
    let outcome = try place.run("cat", "e", "--key-file", "old")
    #expect(outcome.ending == .exit(65) && outcome.text == "first\n")
    #expect(outcome.errors.contains("record 1") && outcome.errors.contains("--key-file"))
    let verdict = try place.run("verify", "--json", "--key-file", "old")
    #expect(verdict.ending == .exit(65))
    #expect(try verdict.objects().first?["sequence"] as? Int == 1)
  }

  @Test("A key file that others may read, or of a wrong length, is refused, and no message shows its bytes")
  func keyFiles() throws {
    try makeKey("open", permissions: 0o644)
    try place.write(Array("hunter2-hunter2".utf8), to: "short")
    try place.write(Array((String(repeating: "0f", count: 32) + "\n").utf8), to: "digits")
    try place.write([], to: "empty")
    try place.write(Array(String(repeating: "0f", count: 16).utf8), to: "half")
    try place.write(Array((String(repeating: "0f", count: 31) + "0g").utf8), to: "misspelt")
    try place.write([UInt8](repeating: 7, count: 5000), to: "long")
    for name in ["short", "digits", "empty", "half", "misspelt", "long"] {
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(place.path)/\(name)")
    }
    for (name, word) in [
      ("open", "chmod 600"), ("short", "15 bytes"), ("empty", "0 bytes"), ("missing", "missing"), (".", "directory"),
      ("half", "32 hexadecimal digits"), ("misspelt", "64 bytes"), ("long", "128 bytes or more"),
    ] {
      let outcome = try place.run("append", "e", "--key-file", name, input: "x\n")
      #expect(outcome.ending == .exit(1), "\(name)")
      #expect(outcome.errors.contains(word) && !outcome.errors.contains("hunter2"), "\(outcome.errors)")
    }
    #expect(try !place.names().contains("logs"), "nothing is made")
    #expect(try place.run("append", "e", "--key-file", "digits", input: "x\n").ending == .exit(0))
    // The digits are those of this key.
    try makeKey("bytes", 0x0F)
    #expect(try place.run("cat", "e", "--key-file", "bytes").text == "x\n")
    try makeKey("twin")
    try makeKey("twin2")
    #expect(try place.run("cat", "e", "--key-file", "twin", "--key-file", "twin2").errors.contains("same key"))
  }

  @Test(
    "Codec options that make no sense are told, with status 64",
    arguments: [
      ["--codec", "gzip"], ["--codec", "deflate:10"], ["--codec", "deflate:"], ["--codec", "zstd:0"],
      ["--codec", "lz4:13"], ["--cipher", "aes-256-gcm"], ["--codec", "deflate", "--dictionary", "d"],
      ["--key-file", "key", "--cipher", "rot13"], ["--decoded-limit", "5"],
      ["--codec", "deflate", "--decoded-limit=-1"],
    ])
  func nonsense(options: [String]) throws {
    let outcome = try Child(["append", "e"] + options, in: place).finish(feeding: Array("x\n".utf8))
    #expect(outcome.ending == .exit(64))
    #expect(try place.names().isEmpty)
  }

  @Test("A record over the limit is told from one that lacks a key, and read with a higher limit")
  func limit() throws {
    let options = ["--codec", "deflate", "--delimiter", "none"]
    let large = [UInt8](repeating: 120, count: 300_000)
    #expect(try Child(["append", "e"] + options, in: place).finish(feeding: large).ending == .exit(0))
    for command in ["cat", "verify"] {
      let outcome = try place.run(command, "e", "--codec", "deflate", "--decoded-limit", "299999")
      #expect(outcome.ending == .exit(65))
      #expect(outcome.errors.contains("--decoded-limit") && !outcome.errors.contains("--key-file"), "\(outcome.errors)")
    }
    let salvage = try place.run("repair", "e", "--salvage", "s", "--codec", "deflate", "--decoded-limit", "1000")
    #expect(salvage.ending == .exit(65) && salvage.text.contains("largestDecodedPayload"))
    #expect(try place.run("cat", "e", "--codec", "deflate", "--decoded-limit", "300000").output == large + [10])
    let append = try Child(["append", "e", "--decoded-limit", "1000"] + options, in: place).finish(feeding: large)
    #expect(append.ending == .exit(1) && append.errors.contains("--decoded-limit"))
    try makeKey("key")
    try makeKey("other", 8)
    try place.run("append", "k", "--key-file", "key", input: "x\n")
    let outcome = try place.run("cat", "k", "--key-file", "other")
    #expect(outcome.errors.contains("--key-file") && !outcome.errors.contains("--decoded-limit"))
  }

  @Test("Salvaging an encrypted log encrypts its records for their new place")
  func salvage() throws {
    try makeKey("key")
    try place.run("append", "e", "--key-file", "key", input: "a\nb\nc\n")
    try place.damage("logs/e.log", at: 30)
    #expect(try place.run("repair", "e", "--salvage", "s").errors.contains("aes-256-gcm"))
    #expect(try place.run("repair", "e", "--salvage", "s", "--key-file", "key").ending == .exit(65))
    #expect(try place.run("cat", "s", "--key-file", "key").text == "b\nc\n")
  }

  #if Zstd
    @Test("A dictionary trained on a log makes another much smaller")
    func training() throws {
      let lines = (0..<2000).map { #"{"user":\#($0 * 7919 % 1009),"event":"viewed","path":"/p/\#($0 % 97)"}"# + "\n" }
      try place.run("append", "e", input: lines.joined())
      let outcome = try place.run("codec", "train", "e", "--output", "dict", "--size", "4096", "--json")
      #expect(outcome.ending == .exit(0))
      try JSONSchema().expect(outcome.lines, as: "codec train", "codec train")
      #expect(try outcome.objects().first?["bytes"] as? Int == place.read("dict").count)
      #expect(try place.run("codec", "train", "e", "--output", "dict").errors.contains("dict"), "is not replaced")
      try place.run("append", "s", "--codec", "zstd", "--dictionary", "dict", input: lines.joined())
      #expect(try place.run("cat", "s", "--codec", "zstd", "--dictionary", "dict").text == lines.joined())
      #expect(try place.read("logs/s.log").count * 3 < place.read("logs/e.log").count * 2)
      let without = try place.run("cat", "s", "--codec", "zstd")
      #expect(without.ending == .exit(65) && without.errors.contains("dictionary"))
      #expect(try place.run("codec", "train", "none", "--output", "d2").ending == .exit(1))
    }
  #else
    @Test("Without the traits the tool says how to build it with them")
    func missing() throws {
      for codec in ["zstd", "lz4"] {
        let outcome = try place.run("append", "e", "--codec", codec, input: "x\n")
        #expect(outcome.ending == .exit(1) && outcome.errors.contains("--traits"))
      }
      #expect(try place.run("codec", "train", "e", "--output", "d").errors.contains("--traits Zstd"))
    }
  #endif
}
