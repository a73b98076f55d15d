import Foundation
import Testing

@Suite("Help and usage")
struct HelpTests {
  let place = Workplace()

  @Test("The tool's version is the newest in CHANGELOG.md")
  func version() throws {
    let outcome = try place.run("--version")
    #expect(outcome.ending == .exit(0))
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let changes = try String(contentsOf: root.appending(path: "CHANGELOG.md"), encoding: .utf8)
    let newest = try #require(changes.firstMatch(of: /\n## \[(\d+\.\d+\.\d+)\]/))
    #expect(outcome.text == "\(newest.1)\n")
  }

  @Test("Help names every subcommand and begins with what a newcomer should run")
  func overview() throws {
    for arguments in [["--help"], ["help"], []] {
      let outcome = try Child(arguments, in: place).finish()
      #expect(outcome.ending == .exit(0))
      for word in ["demo", "bench", "append", "cat", "info", "verify", "mirror", "immuta demo", "64", "65", "75"] {
        #expect(outcome.text.contains(word), "\(arguments): \(word)")
      }
    }
  }

  @Test(
    "Each subcommand's help teaches by example",
    arguments: ["demo", "bench", "append", "cat", "info", "verify", "trim", "mirror"])
  func examples(command: String) throws {
    let outcome = try place.run(command, "--help")
    #expect(outcome.ending == .exit(0))
    let examples = outcome.lines.filter { $0.hasPrefix("  ") && $0.contains("immuta \(command)") }
    #expect(examples.count >= 2, "\(outcome.text)")
    #expect(outcome.text.contains("--json"))
    #expect(outcome.text.contains("--dir") == (command != "demo"))
  }

  @Test(
    "Arguments that make no sense are told on stderr, with status 64",
    arguments: [
      ["nonsense"], ["append"], ["cat"], ["cat", "../x"], ["append", ".hidden"], ["info", "a/b"], ["verify", ""],
      ["cat", "e", "--from", "-1"], ["cat", "e", "--from=-1"], ["cat", "e", "--limit=-1"], ["cat", "e", "--from", "x"],
      ["cat", "e", "--from", "1", "--latest"], ["cat", "e", "--json", "--format", "raw"],
      ["cat", "e", "--format", "xml"],
      ["append", "e", "--delimiter", "tab"], ["append", "e", "--durability", "maybe"], ["append", "e", "--wait", "5"],
      ["append", "e", "--wait", "-1s"], ["append", "e", "--segment-bytes", "0"],
      ["append", "e", "--segment-age", "0s"],
      ["append", "e", "--segment-bytes", "big"], ["append", "e", "--max-record", "0"],
      ["trim", "e"], ["trim", "e", "--apply"], ["trim", "e", "--records", "1", "--bytes", "1"],
      ["trim", "e", "--records", "0"], ["trim", "e", "--before", "-1"], ["trim", "e", "--age", "30"],
      ["trim", "../e", "--records", "1"], ["demo", "--records", "0"],
      ["demo", "--size=-1"], ["demo", "--records", "100000001"], ["demo", "--size", "67108865"],
      ["bench", "--seconds", "0"],
      ["bench", "--seconds=-1"], ["bench", "--seconds", "3601"], ["bench", "--seconds", "x"], ["bench", "events"],
      ["--nonsense"],
    ])
  func usage(arguments: [String]) throws {
    let outcome = try Child(arguments, in: place).finish()
    #expect(outcome.ending == .exit(64))
    #expect(outcome.output.isEmpty)
    let isJSON = arguments.contains("--json")
    #expect(outcome.errors.hasPrefix(isJSON ? #"{"schema":1,"error":""# : "immuta: "))
    #expect(try place.names().isEmpty, "nothing is made")
  }
}
