import Foundation
import Testing

@testable import ImmutaCLI

@Suite("bench")
struct BenchTests {
  private static let works = [
    "append, 100 B", "append, 1 KiB", "append, 4 KiB", "append, 64 KiB", "append, 64 × 100 B a transaction",
    "append, synced, 1 KiB", "append, synced, 1 KiB, 16 tasks", "stream, verified, 100 B", "stream, verified, 1 KiB",
    "record at a random number, 1 KiB", "open and close a log", "commit, until 1 waiting stream has it",
    "commit, until 100 waiting streams have it", "commit, until 1,000 waiting streams have it",
    "commit, until 1 follower has it",
  ]
  let place = Workplace()

  @Test("The table has a row for each work, with both times and their ratio, and nothing is left behind")
  func table() throws {
    let outcome = try place.run("bench", "--seconds", "1")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.errors.isEmpty, "no progress where nobody looks")
    #expect(outcome.lines.first == "Measuring the disk of ./logs, for about 1 second.")
    let rows = outcome.lines.filter { $0.contains(" × ") && !$0.hasPrefix("WORK") && !$0.hasPrefix("Immuta") }
    #expect(rows.count == Self.works.count)
    for (row, work) in zip(rows, Self.works) {
      #expect(row.hasPrefix(work + "  "))
      let number = #/\s+[0-9.,]+ (ns|µs|ms|s)\s+[0-9.,]+ (ns|µs|ms|s)\s+[0-9.,]+ ×\s+.*(pread|pwrite).*/#
      #expect(row.dropFirst(work.count).wholeMatch(of: number) != nil, "\(row)")
    }
    #expect(outcome.text.contains("The floor is the same bytes with bare system calls"))
    #expect(try place.names().isEmpty)
  }

  @Test("As JSON it is an object for each work; what was in the directory stays as it was")
  func json() throws {
    try place.run("append", "events", input: "one\n")
    let before = try place.names(in: "logs")
    let outcome = try place.run("bench", "--seconds", "1", "--json")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.errors.isEmpty)
    let objects = try outcome.objects()
    #expect(objects.map { $0["work"] as? String } == Self.works)
    for object in objects {
      let ours = try #require(object["nanoseconds"] as? Double)
      let floor = try #require(object["floorNanoseconds"] as? Double)
      #expect(ours > 0 && floor > 0)
      #expect((object["ratio"] as? Double ?? 0) > 0)
      #expect((object["rounds"] as? Int).map { 1...9 ~= $0 } == true)
      #expect((object["count"] as? Int ?? 0) > 0)
      #expect(object["floor"] is String && object["size"] is Int && object["debugBuild"] is Bool)
      let isRecords = object["unit"] as? String == "record"
      #expect((object["recordsPerSecond"] is Int) == isRecords)
    }
    #expect(try place.names(in: "logs") == before)
    #expect(try place.run("cat", "events").text == "one\n")
  }

  @Test("Ctrl-C ends it, and nothing is left behind", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func interrupted(signal: Int32, status: Int32) throws {
    let child = try place.start("bench", "--seconds", "3600")
    // Its first line comes when the directory is there and signals are handled.
    _ = try child.line()
    #expect(try place.names(in: "logs").count == 1)
    child.signal(signal)
    let outcome = try child.finish(closingInput: false)
    #expect(outcome.ending == .exit(status))
    #expect(outcome.errors.isEmpty)
    #expect(try place.names().isEmpty)
  }

  @Test("Ctrl-C ends it where it reads, too, and the log that it reads is gone")
  func interruptedReading() throws {
    let child = try place.start("bench", "--seconds", "5")
    _ = try child.line()
    let folder = "logs/\(try #require(try place.names(in: "logs").first))"
    while try !place.names(in: folder).contains("fixture-large") {
      try #require(try !child.isOver)
      usleep(1000)
    }
    child.signal(SIGINT)
    #expect(try child.finish(closingInput: false).ending == .exit(130))
    #expect(try place.names().isEmpty)
  }

  @Test("A directory that was there stays, and keeps what was in it")
  func existingDirectory() throws {
    try FileManager.default.createDirectory(atPath: "\(place.path)/mine", withIntermediateDirectories: false)
    let child = try place.start("bench", "--dir", "mine", "--seconds", "60")
    _ = try child.line()
    child.signal(SIGINT)
    #expect(try child.finish(closingInput: false).ending == .exit(130))
    #expect(try place.names() == ["mine"])
    #expect(try place.names(in: "mine").isEmpty)
  }

  @Test("A directory that cannot be used is told", arguments: ["file", "file/logs", "not/there", ""])
  func unusableDirectory(directory: String) throws {
    try place.write([1], to: "file")
    let outcome = try place.run("bench", "--dir", directory, "--seconds", "1")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("immuta: cannot make "))
    #expect(directory.isEmpty || outcome.errors.contains(directory))
    #expect(try place.names() == ["file"])
  }

  @Test("A directory that one may not write to is told", .enabled(if: geteuid() != 0, "root may write anywhere"))
  func unwritableDirectory() throws {
    try FileManager.default.createDirectory(
      atPath: "\(place.path)/shut", withIntermediateDirectories: false, attributes: [.posixPermissions: 0o555])
    let outcome = try place.run("bench", "--dir", "shut", "--seconds", "1")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors == "immuta: cannot make a directory in shut: Permission denied\n")
  }

  @Test("A disk that is too full is told before anything is written")
  func fullDisk() throws {
    try BenchPlace.check(free: BenchPlace.space, in: "here")
    let error = #expect(throws: ToolError.self) { try BenchPlace.check(free: 99 << 20, in: "here") }
    #expect(
      error?.message
        == "the measurements need 512 MiB in here, which has 99: make room, or name a directory on another disk with --dir"
    )
  }
}

@Suite("How bench measures")
struct BenchRunnerTests {
  let place = Workplace()

  private func measure(_ work: BenchWork, for time: Duration) async throws -> BenchRow {
    let runner = BenchRunner(directory: place.path, progress: Progress("", isShown: false))
    return try #require(try await runner.run([work], for: time).rows.first)
  }

  @Test("The next trial does as much more as fits into its share, never less, in whole steps")
  func nextCount() {
    func next(_ count: Int, took milliseconds: Int, of share: Duration = .milliseconds(100)) -> Int {
      BenchRunner.nextCount(count, in: 8...1_000, took: .milliseconds(milliseconds), of: share)
    }
    #expect(next(8, took: 10) == 80)
    #expect(next(8, took: 33) == 24)
    #expect(next(8, took: 1) == 128, "at most 16 times as much")
    #expect(next(400, took: 0) == 1_000, "at most what there is to do")
    #expect(next(8, took: 60) == 8, "not worth another trial")
    #expect(next(8, took: 5_000) == 8)
    #expect(next(8, took: 10, of: .seconds(-1)) == 8, "late already")
  }

  @Test("Immuta and the floor take turns, on files of their own that are gone afterwards")
  func turns() async throws {
    // Unsafe, and safe: one turn is over before the next begins.
    nonisolated(unsafe) var turns = ""
    func work(_ letter: String, _ value: Double) -> BenchWork.Measurement {
      { [place] directory, count in
        #expect(try place.names(in: "work").isEmpty)
        #expect(count == 1)
        try Data([1]).write(to: URL(fileURLWithPath: "\(directory)/file"))
        turns += letter
        return value
      }
    }
    let row = try await measure(
      BenchWork(name: "w", size: 1, counts: 1...1, floorName: "f", ours: work("I", 30), floor: work("f", 60)),
      for: .seconds(60))
    #expect(row.rounds.count == 9)
    #expect(turns == "If" + "IffIIffIIffIIffIIf")
    #expect((row.ours, row.floor, row.ratio) == (30, 60, 0.5))
    #expect(row.rate == 33_333_333)
    #expect(try place.names().isEmpty)
  }

  @Test("A disk so slow that one round takes all the time is measured once")
  func slow() async throws {
    let start = ContinuousClock.now
    let row = try await measure(
      BenchWork(
        name: "w", size: 1, counts: 8...800, floorName: "f",
        ours: { _, count in
          #expect(count == 8)
          usleep(30_000)
          return 2
        }, floor: { _, _ in 1 }),
      for: .milliseconds(10))
    #expect(row.rounds.count == 1)
    #expect(row.count == 8)
    #expect(row.ratio == 2)
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  @Test("Where the machine does not let the floor work, its place is empty")
  func withoutFloor() async throws {
    let work = BenchWork(name: "w", size: 1, counts: 1...1, floorName: "f", ours: { _, _ in 2 }, floor: { _, _ in nil })
    let report = BenchReport(rows: [try await measure(work, for: .seconds(1))])
    #expect(report.lines[1].wholeMatch(of: /w\s+2.00 ns\s+—\s+—\s+500,000,000\s+f/) != nil, "\(report.lines[1])")
    let line = Data(try #require(report.json.first))
    let object = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
    #expect(object["nanoseconds"] as? Double == 2)
    #expect(object["floorNanoseconds"] == nil && object["ratio"] == nil)
  }

  @Test("What fails while measuring leaves nothing behind")
  func failing() async throws {
    let work = BenchWork(
      name: "w", size: 1, counts: 1...1, floorName: "f",
      ours: { directory, _ in
        try Data([1]).write(to: URL(fileURLWithPath: "\(directory)/file"))
        throw ToolError("the disk is gone")
      }, floor: { _, _ in 1 })
    let error = await #expect(throws: ToolError.self) { _ = try await measure(work, for: .seconds(1)) }
    #expect(error?.message == "the disk is gone")
    #expect(try place.names().isEmpty)
  }

  @Test("The median of an even number of values lies between the two in the middle")
  func median() {
    #expect(Stopwatch.median([5]) == 5)
    #expect(Stopwatch.median([9, 1, 4]) == 4)
    #expect(Stopwatch.median([9, 1, 4, 5]) == 4.5)
  }

  @Test("The sum of bytes counts each of them", arguments: [0, 1, 7, 8, 9, 16, 100])
  func sums(count: Int) {
    var bytes = [UInt8](repeating: 0, count: count)
    #expect(bytes.withUnsafeBytes(\.sum) == 0)
    for position in bytes.indices {
      bytes[position] = 3
      #expect(bytes.withUnsafeBytes(\.sum) == 3 << (position < count & ~7 ? UInt64(position % 8) * 8 : 0))
      bytes[position] = 0
    }
  }

  @Test("A reader that fails ends the waiting for it")
  func arrivals() {
    let arrivals = Arrivals(audience: 2)
    let error = #expect(throws: ToolError.self) {
      _ = try arrivals.median(3) { number in
        arrivals.add()
        if number == 1 { arrivals.fail(ToolError("lost")) } else { arrivals.add() }
      }
    }
    #expect(error?.message == "lost")
  }
}
