import Foundation
import Testing

private let canBeFaked = FileManager.default.isExecutableFile(atPath: "/usr/bin/faketime")

/// The tool under a clock that is wrong: `faketime` gives it one.
@Suite("A wrong clock", .serialized, .enabled(if: canBeFaked, "SKIPPED: faketime is not installed"))
struct WrongClockTests {
  let place = Workplace()

  /// Runs the tool as if it were that moment.
  private func run(at moment: String, _ arguments: String..., input: String) throws {
    let outcome = try Child(arguments, in: place, as: ["/usr/bin/faketime", "-f", "@\(moment)"])
      .finish(feeding: Array(input.utf8))
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
  }

  @Test("One append under a wrong clock is told, and the times after it can be told")
  func once() throws {
    try place.run("append", "e", input: "first\n")
    try run(at: "2096-02-07 00:00:00", "append", "e", input: "clock wrong\n")
    let before = Date.now
    for number in 0..<3 { try place.run("append", "e", input: "now \(number)\n") }
    let objects = try place.run("cat", "e", "--json").objects()
    let times = try objects.map { try #require($0["timestamp"] as? String) }
    #expect(times == times.sorted() && Set(times).count == 5)
    #expect(objects[0]["clock"] == nil && objects[1]["clock"] == nil)
    let clocks = try objects[2...].map { try #require($0["clock"] as? String) }
    #expect(clocks == clocks.sorted())
    let year = Calendar(identifier: .gregorian).dateComponents(in: .gmt, from: before).year ?? 0
    #expect(clocks[0].hasPrefix("\(year)-") || clocks[0].hasPrefix("\(year + 1)-"))

    let info = try place.run("info", "e")
    #expect(info.ending == .exit(0))
    // Its lines are broken where the page ends.
    let words = info.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(words.contains("; the times from record 1 on are later than the clock, the last by "), "\(words)")
    let object = try #require(try place.run("info", "e", "--json").objects().first)
    #expect((object["clock"] as? [String])?.count == 1)
    #expect(try place.run("verify", "e").ending == .exit(0))
  }

  @Test("When the clock is past the wrong time, times are right again")
  func recovery() throws {
    try run(at: "2030-01-01 01:00:00", "append", "e", input: "wrong\n")
    try run(at: "2030-01-01 00:00:00", "append", "e", input: "slow\n")
    try run(at: "2030-01-01 02:00:00", "append", "e", input: "right again\n")
    let times = try place.run("cat", "e", "--json").objects().map { try #require($0["timestamp"] as? String) }
    #expect(times.map { $0.prefix(16) } == ["2030-01-01T01:00", "2030-01-01T01:00", "2030-01-01T02:00"])
    #expect(times == times.sorted())
  }

  @Test("A store's merged order is right again once the clock is")
  func store() throws {
    try place.run("logstore", "append", "s", "--partitions", "2", input: "a\tA0\nb\tB0\n")
    try run(at: "2096-02-07 00:00:00", "logstore", "append", "s", input: "a\tAbad\n")
    for number in 1...3 {
      try place.run("logstore", "append", "s", input: "a\tA\(number)\n")
      try place.run("logstore", "append", "s", input: "b\tB\(number)\n")
    }
    let lines = try place.run("logstore", "cat", "s").lines
    #expect(lines.filter { $0.hasPrefix("A") } == ["A0", "Abad", "A1", "A2", "A3"])
    #expect(Array(lines.suffix(6)) == ["A1", "B1", "A2", "B2", "A3", "B3"], "\(lines)")
  }

  @Test("A moment before 1970 is one as any other")
  func before1970() throws {
    try run(at: "1969-06-01 00:00:00", "append", "e", input: "then\n")
    let object = try #require(try place.run("cat", "e", "--json").objects().first)
    #expect((object["timestamp"] as? String)?.hasPrefix("1969-06-01T00:00:0") == true)
    #expect(try place.run("verify", "e").ending == .exit(0))
    #expect(try place.run("info", "e").text.contains("1969-06-01T00:00:0"))
  }
}
