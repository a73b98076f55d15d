import Foundation
import ImmutaLibC
import ImmutaTestSupport
import Testing

@testable import ImmutaCLI

@Suite("Records on a terminal")
struct TerminalTests {
  let place = Workplace()

  private func shown(_ pieces: [[UInt8]], isJSON: Bool = false) -> String {
    var terminalGuard = TerminalGuard(isJSON: isJSON)
    var output: [UInt8] = []
    for piece in pieces { piece.withUnsafeBytes { terminalGuard.pass($0, into: &output) } }
    terminalGuard.finish(into: &output)
    return String(decoding: output, as: UTF8.self)
  }

  @Test(
    "Text passes, and what a terminal would obey is shown",
    arguments: [
      ("plain\ttext\n", "plain\ttext\n"), ("é🙂“\u{A0}", "é🙂“\u{A0}"), ("\u{1B}[31mred", #"\x1b[31mred"#),
      ("a\rb\u{8}\u{7}\u{0}\u{7F}", #"a\x0db\x08\x07\x00\x7f"#), ("\u{9B}2J", #"\xc2\x9b2J"#), ("", ""),
    ])
  func text(text: String, expected: String) {
    #expect(shown([Array(text.utf8)]) == expected)
    // Whatever the pieces are that it comes in.
    #expect(shown(text.utf8.map { [$0] }) == expected)
  }

  @Test(
    "Bytes that are no UTF-8 are shown",
    arguments: [
      ([0x9B, 0x41] as [UInt8], #"\x9bA"#), ([0xE2, 0x80], #"\xe2\x80"#), ([0xE2, 0x1B, 0x5B], #"\xe2\x1b["#),
      ([0xF0, 0x9F, 0xC3, 0xA9], #"\xf0\x9fé"#), ([0xC2], #"\xc2"#), ([0xFF, 0xC0, 0x80], #"\xff\xc0\x80"#),
      ([0xED, 0xA0, 0x80], #"\xed\xa0\x80"#),
    ])
  func bytes(bytes: [UInt8], expected: String) {
    #expect(shown([bytes]) == expected)
    #expect(shown(bytes.map { [$0] }) == expected)
  }

  @Test("JSON stays JSON")
  func json() {
    #expect(shown([Array("{\"text\":\"\u{9B}\u{7F}é\"}\n".utf8)], isJSON: true) == "{\"text\":\"\\u009b\\u007fé\"}\n")
  }

  @Test("Whatever comes, nothing but printable text, newlines and tabs goes out")
  func random() {
    var random = SplitMix(state: 7)
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in
        [UInt8.random(in: 0...255, using: &random), 0xC2, 0x9B, 0x1B, 0x41].randomElement(using: &random) ?? 0
      }
      let cut = Int.random(in: 0...bytes.count, using: &random)
      let output = shown([Array(bytes[..<cut]), Array(bytes[cut...])])
      #expect(output == shown([bytes]))
      #expect(
        output.unicodeScalars.allSatisfy { scalar in
          scalar == "\n" || scalar == "\t"
            || (scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value) && scalar != "\u{FFFD}")
        }, "\(bytes)")
    }
  }

  #if os(Linux)
    /// What a command prints on a terminal.
    private func onTerminal(_ arguments: [String]) throws -> String {
      let terminal = try Terminal()
      let outcome = try Child(arguments, in: place, as: terminal.shell(">")).finish()
      #expect(outcome.ending == .exit(0), "\(outcome.errors)")
      return terminal.read()
    }

    @Test("cat escapes control bytes on a terminal, in each format, unless told otherwise")
    func cat() throws {
      try place.run("append", "e", input: "a\u{1B}]0;owned\u{7}b\n")
      let escaped = #"a\x1b]0;owned\x07b"#
      #expect(try onTerminal(["cat", "e"]) == escaped + "\n")
      #expect(try onTerminal(["cat", "e", "--format", "raw"]) == escaped)
      #expect(try onTerminal(["cat", "e", "--format", "%n %s"]) == "0 \(escaped)\n")
      #expect(try onTerminal(["cat", "e", "--raw-control"]) == "a\u{1B}]0;owned\u{7}b\n")
      // Elsewhere the bytes are those of the record.
      #expect(try place.run("cat", "e").text == "a\u{1B}]0;owned\u{7}b\n")
      try place.run("append", "e", input: "\u{9B}1m\n")
      #expect(try onTerminal(["cat", "e", "--json", "--from", "1"]).contains(#""text":"\u009b1m""#))
    }
  #endif
}
