import Foundation
import Immuta
import Testing

@testable import ImmutaCLI

@Suite("Consumers by the tool")
struct ConsumersTests {
  let place = Workplace()

  private func append(_ lines: Range<Int>) throws {
    #expect(try place.run("append", "e", input: lines.map { "\($0)\n" }.joined()).ending == .exit(0))
  }

  @Test("cat --consumer goes on after what it printed")
  func goesOn() throws {
    try append(0..<3)
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == ["0", "1", "2"])
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == [])
    try append(3..<2_500)
    #expect(try place.run("cat", "e", "--consumer", "mail", "--limit", "1").lines == ["3"])
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == (4..<2_500).map(String.init))
    #expect(try place.run("cat", "e", "--consumer", "other", "--limit", "2").lines == ["0", "1"])
  }

  @Test("What was printed before a damaged record is not printed again, and the damaged one is told each time")
  func stopsAtDamage() throws {
    try append(0..<5)
    // Record 3's payload: a header of 16 bytes, and 9 for each record before.
    let size = try place.read("logs/e.log")
    let index = try #require(try place.run("cat", "e", "--json").objects()[3]["index"] as? Int)
    try place.damage("logs/e.log", at: index + 8)
    #expect(size.count > index)
    for expected in [["0", "1", "2"], []] {
      let outcome = try place.run("cat", "e", "--consumer", "mail")
      #expect(outcome.lines == expected && outcome.ending == .exit(65))
    }
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "4").ending == .exit(0))
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == ["4"])
  }

  @Test("What nobody read is printed again")
  func nobodyReads() throws {
    try append(0..<3)
    let child = try place.start("cat", "e", "--consumer", "mail", closing: [1])
    _ = try child.finish()
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == ["0", "1", "2"])
  }

  @Test("A consumer that is killed goes on where it was, and says who has it while it runs")
  func killed() throws {
    try append(0..<3)
    let child = try place.start("cat", "e", "--consumer", "mail", "--follow")
    for number in 0..<3 { #expect(try child.line() == "\(number)") }
    // It acknowledges once it has written them.
    let deadline = ContinuousClock.now + .seconds(60)
    var listed = try place.run("consumers", "--json").objects()
    while listed.first?["position"] as? Int != 3, ContinuousClock.now < deadline {
      usleep(10_000)
      listed = try place.run("consumers", "--json").objects()
    }
    #expect(listed.count == 1)
    #expect(listed[0]["namespace"] as? String == "e" && listed[0]["name"] as? String == "mail")
    #expect(listed[0]["position"] as? Int == 3 && listed[0]["lag"] as? Int == 0)
    #expect(listed[0]["owner"] as? Int == Int(child.process))
    for arguments in [["seek", "e", "mail", "--to", "0"], ["remove", "e", "mail"]] {
      let outcome = try place.run(
        "consumers", arguments[0], arguments[1], arguments[2], arguments.count > 3 ? "--to=0" : "--dir=./logs")
      #expect(outcome.ending == .exit(75) && outcome.errors.contains("\(child.process)"))
    }
    #expect(try place.run("cat", "e", "--consumer", "mail").ending == .exit(75))
    child.signal(SIGKILL)
    _ = try child.waitForEnd()
    try append(3..<5)
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == ["3", "4"])
    #expect(try place.run("consumers", "e", "--json").objects()[0]["owner"] is NSNull)
  }

  @Test("Moved, removed, listed for people")
  func movedAndRemoved() throws {
    try append(0..<10)
    #expect(try place.run("consumers").lines == ["no consumers"])
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "7").ending == .exit(0))
    #expect(
      try place.run("consumers").lines == [
        "namespace  consumer  position  lag  owner", "e          mail             7    3  -",
      ])
    for (to, position) in [("beginning", 0), ("latest", 10), ("1 h ago", 0), ("now", 10)] {
      #expect(try place.run("consumers", "seek", "e", "mail", "--to", to).ending == .exit(0))
      #expect(try place.run("consumers", "--json").objects()[0]["position"] as? Int == position, "\(to)")
    }
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "11").ending == .exit(1))
    #expect(try place.run("consumers", "seek", "e", "a/b", "--to", "1").ending == .exit(64))
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "soon").ending == .exit(64))
    #expect(try place.run("cat", "e", "--consumer", "mail", "--from", "3").ending == .exit(64))
    #expect(try place.run("consumers", "remove", "e", "mail").ending == .exit(0))
    let again = try place.run("consumers", "remove", "e", "mail")
    #expect(again.ending == .exit(1) && again.errors.contains("immuta consumers e"))
    #expect(try place.run("consumers").lines == ["no consumers"])
  }

  @Test("A consumer that is new is said; one that is most likely mistyped is made only if asked for")
  func mistyped() throws {
    try append(0..<10)
    let new = try place.run("consumers", "seek", "e", "billing", "--to", "7")
    #expect(new.ending == .exit(0) && new.errors.contains("the consumer “billing” is new"), "\(new.errors)")
    #expect(try place.run("consumers", "seek", "e", "billing", "--to", "6").errors.isEmpty)
    let refused = try place.run("consumers", "seek", "e", "biling", "--to", "1")
    #expect(refused.ending == .exit(1) && refused.errors.contains("did you mean “billing”?"), "\(refused.errors)")
    #expect(refused.errors.contains("--create"))
    // One that cannot be made is not said to be new.
    let beyond = try place.run("consumers", "seek", "e", "biling", "--to", "11", "--create")
    #expect(beyond.ending == .exit(1) && !beyond.errors.contains("is new"), "\(beyond.errors)")
    #expect(try place.run("consumers", "--json").objects().map { $0["name"] as? String } == ["billing"])
    let made = try place.run("consumers", "seek", "e", "biling", "--to", "1", "--create")
    #expect(made.ending == .exit(0) && !made.errors.contains("?"), "\(made.errors)")
    // It counts, whatever else there is.
    #expect(try place.run("consumers", "seek", "e", "billing2", "--to", "1").ending == .exit(0))
    // Numbered ones are meant.
    for name in ["worker-1", "worker-2", "shard-a", "shard-b", "ab", "ac"] {
      #expect(try place.run("consumers", "seek", "e", name, "--to", "1").ending == .exit(0))
    }
    #expect(try place.run("cat", "e", "--consumer", "worker-3").errors.isEmpty)
    let read = try place.run("cat", "e", "--consumer", "wroker-1")
    #expect(read.ending == .exit(0) && read.errors.contains("is new; did you mean “worker-1”?"), "\(read.errors)")
    #expect(read.errors.contains("`immuta consumers remove e wroker-1`"))
  }

  @Test("A damaged position is told, with what to do, and the others are listed")
  func damaged() throws {
    try append(0..<3)
    for name in ["a", "b"] { #expect(try place.run("cat", "e", "--consumer", name).ending == .exit(0)) }
    try place.write([0], to: "logs/e.consumers/a.position")
    let outcome = try place.run("consumers", "--json")
    #expect(outcome.ending == .exit(65) && outcome.errors.contains("immuta consumers seek e a --to N"))
    #expect(try outcome.objects().map { $0["name"] as? String } == ["a", "b"])
    #expect(try outcome.objects()[0]["position"] is NSNull)
    #expect(try place.run("cat", "e", "--consumer", "a").ending == .exit(65))
  }
}
