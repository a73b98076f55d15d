import Foundation
import Testing

/// `cat --follow` of what does not exist yet.
@Suite("Following what does not exist yet")
struct AppearanceTests {
  let place = Workplace()

  /// Starts it, and returns once it waits.
  private func waiting(_ arguments: String...) throws -> Child {
    let child = try Child(arguments, in: place)
    try #require(try child.errorLine()?.contains("does not exist yet: waiting for it") == true)
    return child
  }

  @Test(
    "All of it is printed once it appears, whatever was asked of the records before",
    arguments: [[], ["--latest"], ["-n", "1"]])
  func namespace(options: [String]) throws {
    try place.run("append", "other", input: "x\n")
    let child = try Child(["cat", "late", "--follow"] + options, in: place)
    try #require(try child.errorLine()?.contains("the namespace “late” in ./logs does not exist yet") == true)
    try place.run("append", "late", input: "one\ntwo\n")
    #expect(try child.line() == "one")
    #expect(try child.line() == "two")
    try place.run("append", "late", input: "three\n")
    #expect(try child.line() == "three")
  }

  @Test("The directory may be missing, too, and a number of the first record is waited for")
  func directoryAndNumber() throws {
    let child = try waiting("cat", "late", "--follow", "--from", "1", "--dir", "new")
    try place.run("append", "late", "--dir", "new", input: "zero\none\n")
    #expect(try child.line() == "one")
  }

  @Test("A consumer is made in a log that has appeared")
  func consumer() throws {
    let child = try waiting("cat", "late", "--follow", "--consumer", "mailer")
    try place.run("append", "late", input: "one\n")
    #expect(try child.line() == "one")
  }

  @Test("A store is waited for as a log is")
  func store() throws {
    let child = try waiting("logstore", "cat", "s", "--follow", "--latest")
    try place.run("logstore", "append", "s", "--partitions", "1", input: "k\tone\n")
    #expect(try child.line() == "one")
  }

  @Test("It ends when asked to, when nobody reads, and when the time of --until is over")
  func ends() throws {
    let stopped = try waiting("cat", "late", "--follow")
    stopped.signal(SIGTERM)
    #expect(try stopped.waitForEnd() == .signal(SIGTERM))
    let abandoned = try waiting("cat", "late", "--follow")
    abandoned.closeOutput()
    #expect(try abandoned.waitForEnd() == .exit(0))
    let over = try place.run("cat", "late", "--follow", "--until", "1 s ago")
    #expect(over.ending == .exit(1))
  }

  @Test("Without --follow it is an error at once, and so is a fault that waiting does not end")
  func errors() throws {
    #expect(try place.run("cat", "late").ending == .exit(1))
    try place.run("append", "e", input: "x\n")
    let file = place.path + "/logs/e.log"
    let notADirectory = try place.run("cat", "e", "--follow", "--dir", "logs/e.log")
    #expect(notADirectory.ending == .exit(1) && FileManager.default.fileExists(atPath: file))
  }
}
