import Foundation
import Immuta
import Testing

@testable import ImmutaCLI

@Suite("Times as arguments")
struct MomentTests {
  private static let now = Timestamp(nanosecondsSince1970: 1_795_632_959_761_189_667)

  @Test(
    "ISO 8601 with a zone is a moment to the nanosecond",
    arguments: [
      ("2026-11-25T18:55:59.761189667Z", 1_795_632_959_761_189_667),
      ("2026-11-25t18:55:59,761189667z", 1_795_632_959_761_189_667),
      ("2026-11-25 18:55:59Z", 1_795_632_959_000_000_000), ("2026-11-25T18:55Z", 1_795_632_900_000_000_000),
      ("2026-11-25T19:55:59+01:00", 1_795_632_959_000_000_000), ("2026-11-25T19:55:59+0100", 1_795_632_959_000_000_000),
      ("2026-11-25T14:25:59-04:30", 1_795_632_959_000_000_000), ("2026-11-26T00:55:59+06", 1_795_632_959_000_000_000),
      ("1970-01-01T00:00:00Z", 0), ("1970-01-01Z", 0), ("1969-12-31T23:59:59.5Z", -500_000_000),
      ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000), ("2262-04-11T23:47:16.854775807Z", .max),
    ] as [(String, Int64)])
  func zones(text: String, nanoseconds: Int64) {
    #expect(Moment.read(text) == Timestamp(nanosecondsSince1970: nanoseconds))
  }

  @Test("What the tool prints leads back to the same moment")
  func printed() {
    for nanoseconds in [0, 1, -1, 999_999_999, Self.now.nanosecondsSince1970, -9_000_000_000_000_000_001] as [Int64] {
      let moment = Timestamp(nanosecondsSince1970: nanoseconds)
      #expect(Moment.read("\(moment)") == moment)
    }
  }

  @Test(
    "Words count back from now",
    arguments: [
      ("now", 0), ("NOW", 0), ("0 s ago", 0), ("10 min ago", 600), ("10min ago", 600), ("10minago", 600),
      ("1 minute ago", 60),
      ("2 h ago", 7200), ("90 seconds ago", 90), ("3 Days ago", 259_200), ("1 week ago", 604_800), ("1h 30m ago", 5400),
      ("1 h 30 min 5 s ago", 5405),
    ] as [(String, Int64)])
  func words(text: String, seconds: Int64) {
    let expected = Timestamp(nanosecondsSince1970: Self.now.nanosecondsSince1970 - seconds * 1_000_000_000)
    #expect(Moment.read(text, now: Self.now) == expected)
  }

  @Test("Days begin at midnight, by local time")
  func days() throws {
    let calendar = Calendar(identifier: .gregorian)
    let now = Date(timeIntervalSince1970: Double(Self.now.nanosecondsSince1970 / 1_000_000_000))
    let today = calendar.startOfDay(for: now)
    let yesterday = try #require(calendar.date(byAdding: .day, value: -1, to: today))
    for (text, date) in [("today", today), ("yesterday", yesterday), ("Yesterday", yesterday)] {
      let found = try #require(Moment.read(text, now: Self.now))
      #expect(found.nanosecondsSince1970 == Int64(date.timeIntervalSince1970) * 1_000_000_000)
    }
  }

  @Test(
    "Nonsense is no moment",
    arguments: [
      "", " ", "x", "2026", "2026-11", "2026-11-31", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00",
      "2026-11-26T24:00:00Z", "2026-11-26T10:60Z", "2026-11-26T10:00:60Z", "2026-11-26T", "2026-11-26T10",
      "2026-11-26T10:00:00.Z",
      "2026-11-26T10:00:00.1234567890Z", "2026-11-26T10:00:00+24:00", "2026-11-26T10:00:00+01:60",
      "2026-11-26T10:00:00 CET",
      "26.11.2026", "11/26/2026", "ago", "min ago", "10 ago", "10 moons ago", "-10 min ago", "10 min", "1.5 h ago",
      "10 min ago x",
      "9223372036854775807 weeks ago", "99999999999 days ago", "2262-04-11T23:47:16.854775808Z", "2263-01-01Z",
      "1677-01-01Z",
      "٢٠٢٦-11-26", "2026-11-26\n", "tomorrow", "1795632959",
    ])
  func nonsense(text: String) {
    #expect(Moment.read(text, now: Self.now) == nil)
  }
}

@Suite("cat of a span")
struct SpanTests {
  let place = Workplace()

  /// Appends records one by one, each with a time of its own; returns the times.
  private func fill(_ count: Int) throws -> [String] {
    for number in 0..<count { try place.run("append", "e", input: "\(number)\n") }
    let times = try place.run("cat", "e", "--json").objects().map { try #require($0["timestamp"] as? String) }
    #expect(Set(times).count == count)
    return times
  }

  @Test("-n is the last records, or all there are")
  func last() throws {
    try place.run("append", "e", input: "0\n1\n2\n3\n")
    #expect(try place.run("cat", "e", "-n", "2").text == "2\n3\n")
    #expect(try place.run("cat", "e", "--last", "1").text == "3\n")
    #expect(try place.run("cat", "e", "-n", "9").text == "0\n1\n2\n3\n")
    #expect(try place.run("cat", "e", "-n", "0").text == "")
    #expect(try place.run("cat", "e", "-n", "3", "--limit", "2").text == "1\n2\n")
    let reader = try place.start("cat", "e", "-n", "1", "--follow", "--limit", "2")
    #expect(try reader.line() == "3")
    try place.run("append", "e", input: "4\n5\n")
    #expect(try reader.finish().text == "4\n")
  }

  @Test("--since begins with that time, --until ends before it")
  func span() throws {
    let times = try fill(5)
    #expect(try place.run("cat", "e", "--since", times[3]).text == "3\n4\n")
    #expect(try place.run("cat", "e", "--until", times[3]).text == "0\n1\n2\n")
    #expect(try place.run("cat", "e", "--since", times[1], "--until", times[3]).text == "1\n2\n")
    #expect(try place.run("cat", "e", "--since", times[1], "--until", times[1]).text == "")
    #expect(try place.run("cat", "e", "--from", "1", "--until", times[3]).text == "1\n2\n")
    #expect(try place.run("cat", "e", "--from", "4", "--until", times[3]).text == "")
    #expect(try place.run("cat", "e", "-n", "2", "--until", times[3]).text == "1\n2\n")
    #expect(try place.run("cat", "e", "--since", times[0], "--limit", "2").text == "0\n1\n")
    #expect(try place.run("cat", "e", "--since", "1 h ago", "--until", "now").text == "0\n1\n2\n3\n4\n")
    #expect(try place.run("cat", "e", "--since", "2 weeks ago", "--until", "1 h ago").text == "")
    let future = try place.run("cat", "e", "--since", "2200-01-01")
    #expect(future.ending == .exit(0) && future.output.isEmpty)
  }

  @Test("A time without a zone is local")
  func local() throws {
    let times = try fill(2)
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: -9000)
    formatter.dateFormat = "yyyy-MM-dd'T'HH:mm:ss"
    let second = try #require(ISO8601DateFormatter().date(from: String(times[1].prefix(19)) + "Z"))
    let text = formatter.string(from: second) + times[1].dropFirst(19).dropLast()
    // Two and a half hours west of Greenwich.
    let outcome = try Child(["cat", "e", "--since", text], in: place, as: ["/usr/bin/env", "TZ=XXX2:30"]).finish()
    #expect(outcome.text == "1\n", "\(text): \(outcome.errors)")
  }

  @Test("--follow --until ends with the first record that is too late")
  func followUntilRecord() throws {
    let times = try fill(3)
    #expect(try place.run("cat", "e", "--follow", "--until", times[2]).text == "0\n1\n")
    #expect(try place.run("cat", "e", "--follow", "--since", times[1], "--until", times[2]).text == "1\n")
    #expect(try place.run("cat", "e", "--follow", "-n", "1", "--until", times[2]).text == "1\n")
  }

  @Test("--follow --until ends when the time is over, with all that came before it")
  func followUntilTime() throws {
    _ = try fill(1)
    let end = Timestamp(nanosecondsSince1970: Timestamp.now.nanosecondsSince1970 + 1_500_000_000)
    let reader = try place.start("cat", "e", "--follow", "--until", "\(end)", "--json")
    let writer = try place.start("append", "e")
    var sent = 0
    while try !reader.isOver {
      try writer.send("x\n")
      sent += 1
      usleep(5_000)
    }
    writer.closeInput()
    #expect(try writer.finish().ending == .exit(0))
    #expect(Timestamp.now >= end)
    let outcome = try reader.finish()
    #expect(outcome.ending == .exit(0))
    let early = try place.run("cat", "e", "--until", "\(end)", "--json")
    #expect(outcome.output == early.output && early.lines.count > 1)
  }

  @Test("--follow --until ends by itself where nothing comes")
  func followInVain() throws {
    _ = try fill(1)
    let end = Timestamp(nanosecondsSince1970: Timestamp.now.nanosecondsSince1970 + 300_000_000)
    let outcome = try place.run("cat", "e", "--follow", "--until", "\(end)")
    #expect(outcome.ending == .exit(0) && outcome.text == "0\n" && Timestamp.now >= end)
    #expect(try place.run("cat", "e", "--follow", "--until", "now").text == "0\n")
  }

  @Test("--follow --since waits for that time")
  func followSince() throws {
    _ = try fill(1)
    let begin = Timestamp(nanosecondsSince1970: Timestamp.now.nanosecondsSince1970 + 700_000_000)
    let reader = try place.start("cat", "e", "--follow", "--since", "\(begin)", "--limit", "1", "--json")
    let writer = try place.start("append", "e")
    while try !reader.isOver {
      try writer.send("x\n")
      usleep(5_000)
    }
    writer.closeInput()
    #expect(try writer.finish().ending == .exit(0))
    let object = try #require(try reader.finish().objects().first)
    let time = try #require(object["timestamp"] as? String)
    #expect(time >= "\(begin)")
    let first = try #require(try place.run("cat", "e", "--json", "--since", "\(begin)").objects().first)
    #expect(first["sequence"] as? Int == object["sequence"] as? Int)
  }

  @Test("A damaged record after the span is nobody's business")
  func damage() throws {
    let times = try fill(3)
    try place.damage("logs/e.log", at: 16 + 2 * 9 + 8)
    let outcome = try place.run("cat", "e", "--until", times[2])
    #expect(outcome.ending == .exit(0) && outcome.text == "0\n1\n")
  }

  @Test(
    "What contradicts itself is told, with status 64",
    arguments: [
      (["-n", "1", "--from", "1"], "use either --from or -n"), (["-n", "1", "--latest"], "use either --latest or -n"),
      (["-n", "1", "--since", "now"], "use either -n or --since"),
      (["--from", "1", "--since", "now"], "use either --from or --since"),
      (["--latest", "--since", "now"], "use either --latest or --since"),
      (["--from", "1", "--latest"], "use either --from or --latest"),
      (["-n", "-1"], "-n is -1; it must be 0 or more"), (["-n", "x"], "'x' is invalid"),
      (["--since", "now", "--until", "10 min ago"], "--until is before --since"),
      (["--latest", "--follow", "--until", "1 h ago"], "the time of --until is over"),
      (["--since", "soon"], "that is no time: use a date"), (["--until", "2026-02-30"], "that is no time: use a date"),
      (["--since", ""], "that is no time"), (["--since", "-1"], "that is no time"), (["--since"], "Missing value"),
      (["--since", "10", "min", "ago"], "that is no time"),
      (["-n", "1", "--ahead", "--follow"], "--ahead needs --from"),
    ])
  func contradictions(options: [String], message: String) throws {
    for command in [["cat", "e"], ["logstore", "cat", "s"]] {
      let outcome = try Child(command + options, in: place).finish()
      #expect(outcome.ending == .exit(64) && outcome.output.isEmpty)
      #expect(outcome.errors.contains(message), "\(options): \(outcome.errors)")
    }
  }

  @Test("Of a store, the same options count in each partition")
  func store() throws {
    for number in 0..<4 {
      try place.run("logstore", "append", "s", "--partitions", "2", input: "a\ta\(number)\nb\tb\(number)\n")
    }
    let objects = try place.run("logstore", "cat", "s", "--json").objects()
    #expect(Set(objects.map { $0["partition"] as? Int }).count == 2)
    let middle = try #require(objects.first { $0["text"] as? String == "a2" }?["timestamp"] as? String)
    #expect(try place.run("logstore", "cat", "s", "-n", "1").lines.sorted() == ["a3", "b3"])
    let late = try place.run("logstore", "cat", "s", "--since", middle).lines
    let early = try place.run("logstore", "cat", "s", "--until", middle).lines
    #expect(Set(late).isSuperset(of: ["a2", "a3", "b3"]) && Set(early).isSuperset(of: ["a0", "a1", "b0", "b1"]))
    #expect((early + late).sorted() == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"])
    let last = try place.run("logstore", "cat", "s", "-n", "1", "--until", middle).lines
    #expect(last.count == 2 && last.contains("a1"))
  }
}
