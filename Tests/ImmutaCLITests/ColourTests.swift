import Foundation
import Testing

@testable import ImmutaCLI

@Suite("Colours")
struct ColourTests {
  let place = Workplace()

  @Test(
    "They are for terminals that know them, and variables of the environment overrule that",
    arguments: [
      (true, ["TERM": "xterm"], true), (false, ["TERM": "xterm"], false), (true, [:], false),
      (true, ["TERM": "dumb"], false), (true, ["TERM": "xterm", "NO_COLOR": "1"], false),
      (true, ["TERM": "xterm", "NO_COLOR": "0"], false), (true, ["TERM": "xterm", "CLICOLOR": "0"], false),
      (true, ["TERM": "xterm", "CLICOLOR": "1"], true), (false, ["CLICOLOR_FORCE": "1"], true),
      (false, ["CLICOLOR_FORCE": "0"], false), (true, ["TERM": "xterm", "CLICOLOR_FORCE": "0"], true),
      (true, ["TERM": "xterm", "CLICOLOR_FORCE": "1", "NO_COLOR": "1"], false),
      (true, ["TERM": "dumb", "CLICOLOR": "0", "CLICOLOR_FORCE": "1"], true),
    ] as [(Bool, [String: String], Bool)])
  func decision(isTerminal: Bool, variables: [String: String], expected: Bool) {
    #expect(Colours.areOn(isTerminal: isTerminal) { variables[$0] } == expected)
  }

  private func run(_ arguments: [String], _ variables: String...) throws -> String {
    let outcome = try Child(arguments, in: place, as: ["/usr/bin/env"] + variables).finish()
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    return outcome.text
  }

  private func plain(_ text: String) -> String { text.replacing(/\u{1B}\[\d+m/, with: "") }

  @Test("What is printed is the same without them, in each format; payloads have none")
  func formats() throws {
    try place.run("append", "e", input: "a \"b\"\\:{}\ntwo\n")
    try place.run("append", "e", "--delimiter", "none", input: [0xFF, 0x1B])
    for format in ["json", "hex", "%n %i %t %S|%s|", "text", "raw"] {
      let arguments = ["cat", "e", "--format", format]
      let output = try Child(arguments, in: place).finish().output
      let coloured = try Child(arguments, in: place, as: ["/usr/bin/env", "CLICOLOR_FORCE=1"]).finish().output
      let isPlain = ["text", "raw"].contains(format)
      #expect((coloured == output) == isPlain, "\(format)")
      if format == "json" { #expect(plain(String(decoding: coloured, as: UTF8.self)).utf8.elementsEqual(output)) }
    }
    let record = try run(["cat", "e", "--json", "--limit", "1"], "CLICOLOR_FORCE=1")
    #expect(
      record.hasPrefix("{\u{1B}[36m\"schema\"\u{1B}[0m:1,\u{1B}[36m\"sequence\"\u{1B}[0m:0,"),
      "\(record.debugDescription)")
    let payload = #""a \"b\"\\:{}""#
    #expect(
      record.hasSuffix("\u{1B}[36m\"text\"\u{1B}[0m:\u{1B}[32m\(payload)\u{1B}[0m}\n"), "\(record.debugDescription)")
    #expect(
      try run(["cat", "e", "--format", "%n|%s|", "--limit", "1"], "CLICOLOR_FORCE=1").hasPrefix(
        "\u{1B}[36m0\u{1B}[0m|a "))
    #expect(try !run(["cat", "e", "--json"], "CLICOLOR_FORCE=1", "NO_COLOR=1").contains("\u{1B}["))
  }

  #if os(Linux)
    @Test("On a terminal they are there, and control bytes of records are not")
    func terminal() throws {
      try place.run("append", "e", input: "a\u{1B}]0;owned\u{7}b\n")
      func shown(_ arguments: [String], _ variables: [String]) throws -> String {
        let terminal = try Terminal()
        let child = try Child(arguments, in: place, as: terminal.shell(">", variables: variables))
        #expect(try child.finish().ending == .exit(0))
        return terminal.read()
      }
      let json = try shown(["cat", "e", "--json"], ["TERM=xterm"])
      #expect(
        json.contains("\u{1B}[36m\"sequence\"\u{1B}[0m:0") && json.contains(#"\u001b]0;owned\u0007b"#),
        "\(json.debugDescription)")
      let template = try shown(["cat", "e", "--format", "%n %s"], ["TERM=xterm"])
      #expect(template == "\u{1B}[36m0\u{1B}[0m a\\x1b]0;owned\\x07b\n", "\(template.debugDescription)")
      #expect(try !shown(["cat", "e", "--json"], ["TERM=xterm", "NO_COLOR=1"]).contains("\u{1B}"))
    }
  #endif
}
