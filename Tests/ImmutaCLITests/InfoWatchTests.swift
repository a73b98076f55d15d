import Foundation
import ImmutaLibC
import Testing

@testable import ImmutaCLI

@Suite("info --watch")
struct InfoWatchTests {
  let place = Workplace()

  @Test("An object a second says how fast the log grows, and how far its slowest consumer is behind")
  func json() throws {
    try place.run("append", "e", input: "a\nb\nc\n")
    try place.run("cat", "e", "--consumer", "slow", "--limit", "1")
    try place.run("cat", "e", "--consumer", "quick", "--limit", "2")
    let child = try Child(["info", "--watch", "--json"], in: place)
    let first = try #require(try child.object())
    #expect(first["count"] as? Int == 3 && first["lag"] as? Int == 2 && first["recordsPerSecond"] == nil)
    try place.run("append", "e", input: "d\ne\n")
    // Its next look may have come before the records did.
    var found: [String: Any] = [:]
    for _ in 0..<20 where found["count"] as? Int != 5 { found = try #require(try child.object()) }
    let (records, bytes) = (found["recordsPerSecond"] as? Double, found["bytesPerSecond"] as? Double)
    #expect(try #require(records) > 0 && #require(bytes) > 0 && found["lag"] as? Int == 4)
    child.closeOutput()
    #expect(try child.waitForEnd() == .exit(0))
  }

  @Test("For people it is a table of at most 80 columns, and logs that appear join it")
  func table() throws {
    try place.run("append", "events", input: "a\n")
    let child = try Child(["info", "--watch"], in: place)
    let title = try #require(try child.line())
    #expect(title.hasPrefix("NAMESPACE  RECORDS  REC/S  SIZE/S  SEGMENTS  LAG  HEALTH") && title.count <= 80)
    #expect(try child.line()?.hasPrefix("events           1      -       -         1    -  ok") == true)
    try place.run("append", "later", input: "x\n")
    var lines: [String] = []
    for _ in 0..<60 where !lines.contains(where: { $0.hasPrefix("later") }) { lines.append(try child.line() ?? "") }
    #expect(lines.contains { $0.hasPrefix("later") })
    child.signal(SIGINT)
    #expect(try child.waitForEnd() == .signal(SIGINT))
  }

  @Test("The partitions of a store are watched as logs are")
  func store() throws {
    try place.run("logstore", "append", "s", "--partitions", "2", input: "k\tone\n")
    let child = try Child(["logstore", "info", "s", "--watch", "--json"], in: place)
    #expect(try child.object()?["partition"] != nil && child.object()?["partition"] != nil)
    #expect(try place.run("logstore", "info", "s", "--watch", "--segments").ending == .exit(64))
  }

  @Test("A damaged log is listed with what is wrong, and the others go on")
  func damage() throws {
    for name in ["bad", "good"] { try place.run("append", name, input: "aaaa\nbbbb\n") }
    try place.damage("logs/bad.log", at: 39)
    let child = try Child(["info", "--watch"], in: place)
    let lines = try (0..<4).map { _ in try child.line() ?? "" }
    #expect(
      lines[1].hasPrefix("bad ") && lines[1].contains("damaged") && lines[2].hasPrefix("good ")
        && lines[2].contains("ok"))
    #expect(lines[3].hasPrefix("bad: damaged: "), "\(lines)")
  }

  @Test("A spark line has a bar for each number")
  func sparks() {
    #expect(InfoWatch.spark([]) == "" && InfoWatch.spark([0, 0]) == "▁▁")
    #expect(InfoWatch.spark([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█")
    #expect(InfoWatch.spark([5]) == "█" && InfoWatch.spark([1e-9, 1e12]) == "▁█")
  }
}
