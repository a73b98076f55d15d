import Foundation
import ImmutaTestSupport
import Testing

/// What `--json` prints is what the documentation says.
@Suite("The schema of --json")
struct JSONSchemaTests {
  let place = Workplace()
  let schema: JSONSchema

  init() throws { schema = try JSONSchema() }

  private func fill() throws {
    for first in [0, 10] {
      let lines = (first..<first + 10).map { "\($0)\n" }.joined()
      try place.run("append", "e", "--segment-bytes", "20", input: lines)
    }
    try place.run("append", "e", "--delimiter", "none", input: [0xFF, 0xFE])
    #expect(try place.run("cat", "e", "--consumer", "mail", "--limit", "3").lines.count == 3)
    try place.run("append", "bad", "--dir", "broken", input: "one\ntwo\n")
    try place.damage("broken/bad.log", at: 36)
    try place.write(Array("words for people, and no log\n".utf8), to: "broken/text.log")
    try place.run("append", "lost", "--dir", "broken", input: "one\n")
    try FileManager.default.removeItem(atPath: "\(place.path)/broken/lost.log")
    try place.run(
      "logstore", "append", "s", "--partitions", "2", "--segment-bytes", "20", input: "a\tone\nb\ttwo\nc\tthree\n")
    try place.run("logstore", "cat", "s", "--consumer", "mail")
    try place.write(Array("line\n".utf8), to: "lines")
  }

  /// Commands with `--json`, each behind the definition of what it prints, in an order in which they can be run.
  static let commands: [(definition: String, arguments: [String])] = [
    ("append", ["append", "new", "lines"]), ("append", ["append", "new", "/dev/null"]),
    ("logstore append", ["logstore", "append", "s", "lines", "--key", "k"]),
    ("logstore append", ["logstore", "append", "s", "lines", "--skip-invalid"]),
    ("cat", ["cat", "e"]), ("cat", ["cat", "bad", "--dir", "broken"]), ("logstore cat", ["logstore", "cat", "s"]),
    ("info", ["info"]), ("info", ["info", "e", "--segments"]), ("info", ["info", "--dir", "broken"]),
    ("info", ["info", "e", "nope"]),
    ("logstore info", ["logstore", "info", "s", "--segments"]), ("verify", ["verify"]),
    ("verify", ["verify", "--dir", "broken"]), ("logstore verify", ["logstore", "verify", "s"]),
    ("repair", ["repair", "e"]), ("repair", ["repair", "bad", "--dir", "broken"]),
    ("logstore repair", ["logstore", "repair", "s", "0"]),
    ("consumers list", ["consumers"]), ("logstore consumers list", ["logstore", "consumers", "s"]),
    ("migrate", ["migrate", "log:logs/e", "log:logs/copy"]), ("backup", ["backup", "logs", "copies"]),
    ("backup", ["backup", "broken", "others"]), ("backup", ["backup", "s", "copy-of-s"]),
    ("restore", ["restore", "copies", "restored", "e"]), ("trim", ["trim", "e", "--records", "5"]),
    ("trim", ["trim", "e", "--records", "5", "--apply"]), ("trim", ["trim", "new", "--records", "1"]),
    ("migrate", ["migrate", "log:logs/e", "log:logs/trimmed"]),
    ("logstore trim", ["logstore", "trim", "s", "1", "--records", "1"]),
    ("demo", ["demo", "--records", "20", "--size", "10"]), ("bench", ["bench", "--seconds", "1"]),
  ]

  /// Commands that need what not every machine has; their own tests use the same schema.
  static let others: Set<String> = ["mirror", "codec train"]

  @Test("Each object is as its command's schema says, and nothing else is on standard error")
  func objects() throws {
    try fill()
    for (definition, arguments) in Self.commands {
      let outcome = try Child(arguments + ["--json"], in: place).finish()
      #expect(!outcome.lines.isEmpty, "\(arguments): \(outcome.errors)")
      check(outcome.lines, definition, arguments)
      check(Self.lines(outcome.errors), "message", arguments)
    }
  }

  private func check(_ lines: [String], _ definition: String, _ arguments: [String]) {
    schema.expect(lines, as: definition, "\(arguments)")
  }

  private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

  @Test("Receipts and repeated looks are as the schema says")
  func streams() throws {
    try fill()
    check(try place.run("append", "e", "lines", "--receipts").lines, "receipt", ["--receipts"])
    check(try place.run("logstore", "append", "s", "lines", "--key", "k", "--receipts").lines, "receipt", ["logstore"])
    let watch = try place.start("info", "--watch", "--json")
    // The second look knows how fast the logs grow.
    for _ in 0..<2 { check([try #require(try watch.line())], "info", ["--watch"]) }
  }

  @Test("Every command that has --json has a definition, and is run here")
  func all() throws {
    let dumped = try JSONValue(place.run("--experimental-dump-help").text)
    func paths(_ command: JSONValue?, _ path: [String]) -> [String] {
      let takesJSON = command?["arguments"]?.elements?.contains { argument in
        argument["names"]?.elements?.contains { $0["name"]?.string == "json" } ?? false
      }
      let own = takesJSON == true ? [path.joined(separator: " ")] : []
      let children = command?["subcommands"]?.elements ?? []
      return own + children.flatMap { child in paths(child, path + [child["commandName"]?.string ?? "?"]) }
    }
    let commands = Set(paths(dumped["command"], []))
    #expect(commands.count > 15)
    #expect(commands == Set(Self.commands.map(\.definition)).union(Self.others))
    #expect(commands.union(["message", "receipt", "time"]) == schema.definitions)
  }

  @Test(
    "With --json errors are objects on standard error, with the exit status",
    arguments: [
      (["cat", "nope"], 1), (["cat"], 64), (["info", "--dir", "nowhere"], 1), (["trim", "e"], 64), (["nonsense"], 64),
      (["verify", "bad", "--dir", "broken"], 65), (["cat", "e", "--from", "99"], 1), (["append", "e", "nowhere"], 1),
    ] as [([String], Int)])
  func errors(arguments: [String], status: Int) throws {
    try fill()
    let outcome = try Child(arguments + ["--json"], in: place).finish()
    #expect(outcome.ending == .exit(Int32(status)))
    let objects = try Self.lines(outcome.errors).map { try JSONValue($0) }
    check(Self.lines(outcome.errors), "message", arguments)
    #expect(objects.last?["status"] == .integer(status), "\(outcome.errors)")
    #expect(objects.last?["error"]?.string?.hasPrefix("immuta: ") == false)
    #expect((objects.last?["usage"] != nil) == (status == 64), "\(outcome.errors)")
  }

  @Test("Who asks cat for JSON by its format gets the same, and who does not gets lines")
  func format() throws {
    for arguments in [["cat", "nope", "--format", "json"], ["cat", "nope", "--format=json"]] {
      check(Self.lines(try Child(arguments, in: place).finish().errors), "message", arguments)
    }
    #expect(try place.run("cat", "nope").errors.hasPrefix("immuta: "))
    #expect(try place.run("append", "e", "--", "--json").errors.hasPrefix("immuta: "))
  }

  @Test("The checker finds what is wrong")
  func checker() throws {
    func faults(_ text: String, _ definition: String = "mirror") throws -> Int {
      try schema.faults(of: JSONValue(text), as: definition).count
    }
    #expect(try faults(#"{"schema":1,"namespace":"e","count":1,"lag":0}"#) == 0)
    #expect(try faults(#"{"schema":2,"namespace":"e","count":1,"lag":0}"#) == 1)
    #expect(try faults(#"{"schema":1,"namespace":"e","count":1}"#) == 1)
    #expect(try faults(#"{"schema":1,"namespace":3,"count":-1,"lag":0,"more":true}"#) == 3)
    #expect(try faults(#"[]"#) > 0)
    #expect(try faults(#"{}"#, "no such") == 1)
    let record = #"{"schema":1,"sequence":0,"timestamp":"t""#
    #expect(try faults(record + "}", "cat") == 1 && faults(record + #","text":"","base64":""}"#, "cat") == 1)
    #expect(try faults(record + #","base64":"a b"}"#, "cat") == 1 && faults(record + #","base64":"YQ=="}"#, "cat") == 0)
  }
}
