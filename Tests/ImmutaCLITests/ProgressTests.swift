import Foundation
import ImmutaLibC
import Testing

@testable import ImmutaCLI

/// What is said on standard error while something is read or printed.
@Suite("Bars and hints on a terminal")
struct ProgressTests {
  let place = Workplace()

  @Test("A bar without an end says how much there was and how fast, on a line of a terminal")
  func unknownLength() {
    let line = Progress.line("appending", bytes: 3 << 20, after: .seconds(2))
    #expect(line.hasPrefix("\rappending  ") && line.hasSuffix("3.00 MiB  1.6 MB/s\u{1B}[K"), "\(line)")
    for milliseconds in stride(from: 0, to: 10_000, by: 50) {
      let line = Progress.line("appending", bytes: 1 << 40, after: .milliseconds(milliseconds))
      #expect(line.count { $0 == "━" } == 6 && line.count { $0 == "━" || $0 == "┄" } == 30, "\(line)")
      #expect(line.count < 80)
    }
    let first = Progress.line("x", bytes: 1, after: .zero)
    #expect(first != Progress.line("x", bytes: 1, after: .milliseconds(100)), "it moves")
    // There and back again.
    #expect(first == Progress.line("x", bytes: 1, after: .zero))
  }

  #if os(Linux)
    @Test(
      "Where lines are to be typed, append says so and how they end",
      arguments: [
        (["append", "e"], "reading lines; Ctrl-D ends", "one\ntwo\n", 2),
        (["append", "e", "--delimiter", "none"], "reading one record; Ctrl-D ends", "one\ntwo\n", 1),
        (
          ["append", "e", "--delimiter", "nul"], "reading records, with a NUL byte after each; Ctrl-D ends", "one\n", 1
        ),
        (["logstore", "append", "s", "--partitions", "1", "--key", "k"], "reading lines; Ctrl-D ends", "one\n", 1),
      ])
    func typed(arguments: [String], hint: String, text: String, count: Int) throws {
      let terminal = try Terminal()
      let child = try Child(arguments + ["--json"], in: place, as: terminal.shell("<"))
      #expect(try child.errorLine() == #"{"schema":1,"note":"\#(hint)"}"#)
      try terminal.type(text + "\u{4}")
      let outcome = try child.finish()
      #expect(try outcome.objects().first?["records"] as? Int == count, "\(outcome.errors)")
    }

    @Test("Where they come from elsewhere, it says nothing")
    func piped() throws {
      #expect(try place.run("append", "e", input: "one\n").errors.isEmpty)
    }

    @Test("What comes through a pipe has a bar, which is gone at the end")
    func pipe() throws {
      let terminal = try Terminal()
      let child = try Child(["append", "e"], in: place, as: terminal.shell("2>"))
      var shown = ""
      let end = ContinuousClock.now + .seconds(60)
      while !shown.contains(" MB/s"), ContinuousClock.now < end {
        try child.send(String(repeating: "x", count: 4_000) + "\n")
        shown += terminal.read(within: .milliseconds(10))
      }
      #expect(shown.contains("\rappending  ") && shown.contains("iB  "), "\(shown.suffix(200).debugDescription)")
      #expect(try child.finish().ending == .exit(0))
      shown = terminal.read()
      #expect(shown.contains("\r\u{1B}[K"), "\(shown.debugDescription)")
    }

    @Test("cat has a bar where its output is a file, and none where it is a pipe", arguments: [true, false])
    func cat(isFile: Bool) throws {
      let count = 400_000
      try place.run("append", "e", input: String(repeating: "x\n", count: count))
      let terminal = try Terminal()
      let child = try Child(
        ["cat", "e", "--format", "%n %t %s"], in: place,
        as: isFile ? terminal.shell("> out 2>") : terminal.shell("2>"))
      var shown = ""
      // A terminal that nobody reads is full at some time, and holds up the program.
      if isFile { while try !child.isOver { shown += terminal.read(within: .milliseconds(20)) } }
      let outcome = try child.finish()
      #expect(outcome.ending == .exit(0))
      while case let more = terminal.read(), !more.isEmpty { shown += more }
      if isFile {
        #expect(shown.contains("\rprinting  ") && shown.hasSuffix("\r\u{1B}[K"), "\(shown.debugDescription)")
      } else {
        #expect(shown.isEmpty && outcome.lines.count == count)
      }
    }
  #endif
}
