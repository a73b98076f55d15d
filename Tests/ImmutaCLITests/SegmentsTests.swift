import Foundation
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaCLI

@Suite("The tool over logs in segments")
struct SegmentsTests {
  let place = Workplace()

  private func name(_ first: Int) -> String { String(repeating: "0", count: 20 - "\(first)".count) + "\(first)" }

  /// A log with forty records, in segments of ten.
  private func fill(_ namespace: String = "e", codec: Codec? = nil) async throws {
    var configuration = Storage.Configuration()
    configuration.codec = codec
    let storage = try Storage(directory: "\(place.path)/logs", namespaces: [namespace], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log(namespace)
    for number in 0..<40 {
      try await log.append("\(number)")
      if number % 10 == 9, number < 39 { try await log.roll() }
    }
  }

  /// The same, whose first records are gone.
  private func fillAndTrim() async throws {
    try await fill()
    #expect(try place.run("trim", "e", "--before", "20", "--apply").ending == .exit(0))
    #expect(!FileManager.default.fileExists(atPath: "\(place.path)/logs/e.log"))
  }

  // MARK: append

  @Test("append begins another file where one is large enough, or old enough")
  func rolls() throws {
    let lines = (0..<100).map { "\($0)\n" }.joined()
    #expect(try place.run("append", "e", "--segment-bytes", "200", input: lines).ending == .exit(0))
    let folder = try place.names(in: "logs/e.segments").filter { $0.hasSuffix(".log") && $0 != "next.log" }
    #expect(folder.count >= 4)
    for file in folder { #expect(try place.read("logs/e.segments/\(file)").count <= 200) }
    #expect(try place.run("cat", "e").text == lines)

    let writer = try place.start("append", "a", "--segment-age", "50ms", "--receipts")
    try writer.send("one\n")
    #expect(try writer.line()?.contains(#""sequence":0"#) == true)
    let deadline = ContinuousClock.now + .seconds(60)
    while try !place.names(in: "logs").contains("a.segments")
      || !place.names(in: "logs/a.segments").contains("\(name(1)).log"), ContinuousClock.now < deadline
    {
      usleep(10_000)
    }
    try writer.send("two\n")
    #expect(try writer.line()?.contains(#""sequence":1,"index":16"#) == true)
    _ = try writer.finish()
    #expect(try place.run("cat", "a").lines == ["one", "two"])
  }

  @Test("A store's partitions roll as well, and are read, checked and listed")
  func rollsPartitions() throws {
    let lines = (0..<60).map { "k\($0 % 5)\t\($0)\n" }.joined()
    #expect(
      try place.run("logstore", "append", "s", "--partitions", "2", "--segment-bytes", "64", input: lines).ending
        == .exit(0))
    #expect(try place.names(in: "s/0.segments").contains { $0.hasSuffix(".bilog") })
    #expect(try place.run("logstore", "cat", "s").lines.count == 60)
    #expect(try place.run("logstore", "verify", "s").ending == .exit(0))
    let objects = try place.run("logstore", "info", "s", "--json", "--segments").objects()
    for object in objects {
      let segments = try #require(object["segmentList"] as? [[String: Any]])
      #expect(segments.count > 2 && object["segments"] as? Int == segments.count)
      #expect(segments.reduce(0) { $0 + ($1["records"] as? Int ?? 0) } == object["records"] as? Int)
    }
  }

  @Test("A partition whose first messages were removed is one of its store's")
  func trimmedPartition() async throws {
    let lines = (0..<60).map { "k\($0 % 5)\t\($0)\n" }.joined()
    try place.run("logstore", "append", "s", "--partitions", "2", "--segment-bytes", "64", input: lines)
    var configuration = Storage.Configuration()
    configuration.format = .bilog
    var first: [Int] = []
    for partition in ["0", "1"] {
      let storage = try Storage(directory: "\(place.path)/s", namespaces: [partition], configuration: configuration)
      defer { storage.close() }
      first.append(try await storage.removeRecords(before: storage.log(partition).count, from: partition))
    }
    #expect(first.allSatisfy { $0 > 0 })
    #expect(try !place.names(in: "s").contains("0.bilog"))
    #expect(try place.run("logstore", "verify", "s").ending == .exit(0))
    let objects = try place.run("logstore", "info", "s", "--json").objects()
    #expect(objects.map { $0["firstSequence"] as? Int } == first)
    let kept = try place.run("logstore", "cat", "s").lines
    #expect(!kept.isEmpty && kept.count < 60)
    let seek = ["logstore", "consumers", "seek", "s", "mail", "--to", "0"]
    for arguments in [seek, seek + ["--partition", "0"]] {
      let refused = try Child(arguments, in: place).finish()
      #expect(refused.ending == .exit(1))
      #expect(
        refused.errors.contains("record 0 of partition “0” was removed")
          && refused.errors.contains("Give --to beginning, or --to \(first[0])"), "\(refused.errors)")
    }
    #expect(try place.run("logstore", "consumers", "s").lines == ["no consumers"])
    #expect(try place.run("logstore", "append", "s", input: "k\tmore\n").ending == .exit(0))
    #expect(try place.run("logstore", "cat", "s").lines.count == kept.count + 1)
    // A directory that has lost its layout is not taken for another program's.
    try FileManager.default.removeItem(atPath: "\(place.path)/s/logstore.layout")
    let lost = try place.run("logstore", "append", "s", input: "k\tmore\n")
    #expect(lost.ending == .exit(1) && lost.errors.contains("logstore.layout"), "\(lost.errors)")
  }

  @Test("A consumer is not sent to a record that was removed")
  func seekToRemoved() async throws {
    try await fillAndTrim()
    let refused = try place.run("consumers", "seek", "e", "mail", "--to", "5")
    #expect(refused.ending == .exit(1))
    #expect(
      refused.errors.contains("record 5 of “e” was removed")
        && refused.errors.contains("Give --to beginning, or --to 20"), "\(refused.errors)")
    #expect(try place.run("consumers", "e").lines == ["no consumers"])
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "beginning").ending == .exit(0))
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "19").ending == .exit(1))
    #expect(try place.run("consumers", "e", "--json").objects().map { $0["position"] as? Int } == [20])
  }

  @Test("A line that is longer than --max-record is an error, and nothing of it is appended")
  func longLines() throws {
    for long in [101, 3 << 20] {
      let input = "one\n" + String(repeating: "x", count: long) + "\ntwo\n"
      let outcome = try place.run("append", "e\(long)", "--max-record", "100", input: input)
      #expect(outcome.ending == .exit(1))
      #expect(outcome.errors.contains("line 2 has more than 100 bytes"), "\(outcome.errors)")
      #expect(outcome.errors.contains("--max-record") && outcome.errors.contains("1 record before it was appended"))
      #expect(try place.run("cat", "e\(long)").text == "one\n")
    }
    let last = try place.run("append", "l", "--max-record", "1k", input: String(repeating: "x", count: 1025))
    #expect(last.ending == .exit(1) && last.errors.contains("line 1 has more than 1k bytes"))
    #expect(try place.run("cat", "l").text.isEmpty)
    let whole = try place.run(
      "append", "w", "--delimiter", "none", "--max-record", "1k", input: String(repeating: "x\n", count: 1 << 20))
    #expect(whole.ending == .exit(1) && whole.errors.contains("record 1 has more than 1k bytes"), "\(whole.errors)")
    let most = String(repeating: "x", count: 2 << 20)
    #expect(try place.run("append", "m", "--max-record", "2M", input: most + "\n").ending == .exit(0))
    #expect(try place.run("cat", "m").text == most + "\n")
    let store = try place.run(
      "logstore", "append", "s", "--partitions", "1", "--key", "k", "--max-record", "1k",
      input: String(repeating: "x", count: 2 << 20))
    #expect(store.ending == .exit(1) && store.errors.contains("--max-record"), "\(store.errors)")
  }

  @Test("A file of the log itself is not appended to it, whichever segment it is")
  func itself() async throws {
    try await fillAndTrim()
    for file in [20, 30] {
      let outcome = try place.run("append", "e", "logs/e.segments/\(name(file)).log")
      #expect(outcome.ending == .exit(1) && outcome.errors.contains("to itself"), "\(outcome.errors)")
    }
    try place.write(Array("x\n".utf8), to: "other")
    #expect(try place.run("append", "e", "other").ending == .exit(0))
  }

  // MARK: trim

  @Test(
    "trim says what would go, and does it with --apply",
    arguments: [
      (["--before", "25"], 20), (["--before", "20"], 20), (["--records", "20"], 20), (["--records", "15"], 30),
      (["--bytes", "250"], 20), (["--age", "1ms"], 30), (["--bytes", "1"], 30),
    ])
  func trims(options: [String], first: Int) async throws {
    try await fill()
    usleep(2000)
    let would = try Child(["trim", "e"] + options, in: place).finish()
    #expect(would.ending == .exit(0) && would.errors.isEmpty)
    #expect(would.lines.allSatisfy { $0.count <= 80 })
    #expect(would.text.contains("would remove \(first / 10) segments, records 0 to \(first - 1) (\(first) records, "))
    #expect(would.lines.last == "  next: `immuta trim e \(options.joined(separator: " ")) --apply` removes them")
    let object = try #require(try Child(["trim", "e", "--json"] + options, in: place).finish().objects().first)
    #expect(object["applied"] as? Bool == false && object["segments"] as? Int == first / 10)
    #expect(object["records"] as? Int == first && object["from"] as? Int == 0 && object["before"] as? Int == first)
    #expect(object["firstSequence"] as? Int == 0 && object["count"] as? Int == 40)
    #expect(object["first"] is String && object["last"] is String)
    #expect(try place.run("cat", "e").lines.count == 40, "nothing is removed without --apply")

    let done = try Child(["trim", "e", "--apply", "--json"] + options, in: place).finish()
    #expect(done.ending == .exit(0))
    let result = try #require(try done.objects().first)
    #expect(result["applied"] as? Bool == true && result["bytes"] as? Int == object["bytes"] as? Int)
    #expect(result["firstSequence"] as? Int == first)
    #expect(try place.run("cat", "e").lines == (first..<40).map(String.init))
    #expect(try place.run("verify", "e").ending == .exit(0))
    let again = try Child(["trim", "e", "--apply"] + options, in: place).finish()
    #expect(again.ending == .exit(0) && again.text.contains("nothing to remove"))
  }

  @Test("trim leaves a log as it is that has nothing to remove, and says why")
  func trimsNothing() async throws {
    try place.run("append", "one", input: "x\n")
    let single = try place.run("trim", "one", "--records", "1", "--apply")
    #expect(single.ending == .exit(0) && single.text.contains("single segment"), "\(single.text)")
    try await fill()
    for options in [["--age", "1h"], ["--before", "9"], ["--bytes", "1M"], ["--records", "40"]] {
      let outcome = try Child(["trim", "e", "--apply"] + options, in: place).finish()
      #expect(outcome.ending == .exit(0) && outcome.text.hasPrefix("e: nothing to remove: "), "\(options)")
    }
    #expect(try place.run("cat", "e").lines.count == 40)
    let beyond = try place.run("trim", "e", "--before", "41")
    #expect(beyond.ending == .exit(1) && beyond.errors.contains("--before 41 is beyond the end"), "\(beyond.errors)")
    #expect(try place.run("trim", "nope", "--records", "1").ending == .exit(1))
    #expect(try place.run("trim", "e", "--before", "20", "--dir", "nope").ending == .exit(1))
  }

  @Test("trim looks while somebody writes; removing has to wait, with status 75")
  func trimsWhileWritten() async throws {
    try await fill()
    let writer = try place.start("append", "e", "--receipts")
    try writer.send("40\n")
    #expect(try writer.line() != nil)
    #expect(try place.run("trim", "e", "--before", "20").text.contains("would remove 2 segments"))
    let locked = try place.run("trim", "e", "--before", "20", "--apply", "--wait", "100ms")
    #expect(locked.ending == .exit(75))
    #expect(locked.errors.contains("nothing was removed") && locked.errors.contains("retention"), "\(locked.errors)")
    let patient = try place.start("trim", "e", "--before", "20", "--apply", "--wait", "2m")
    usleep(100_000)
    #expect(try !patient.isOver)
    _ = try writer.finish()
    #expect(try patient.finish().ending == .exit(0))
    #expect(try place.run("cat", "e").lines.first == "20")
  }

  @Test("trim needs no key, and leaves a log that only its key opens")
  func trimsEncrypted() async throws {
    try place.write((0..<32).map { UInt8($0) }, to: "key")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(place.path)/key")
    let lines = (0..<40).map { "\($0)\n" }.joined()
    try place.run("append", "e", "--codec", "deflate", "--key-file", "key", "--segment-bytes", "300", input: lines)
    let info = try place.run("info", "e", "--json").objects()[0]
    #expect(info["segments"] as? Int ?? 0 > 2)
    #expect(try place.run("trim", "e", "--records", "1", "--apply").ending == .exit(0))
    let after = try place.run("info", "e", "--json").objects()[0]
    let first = try #require(after["firstSequence"] as? Int)
    #expect(first > 0 && after["codec"] as? String == info["codec"] as? String)
    #expect(try place.run("cat", "e").ending == .exit(1))
    #expect(try place.run("append", "e", input: "plain\n").ending == .exit(1))
    #expect(
      try place.run("append", "e", "--codec", "deflate", "--key-file", "key", input: "more\n").ending == .exit(0))
    #expect(
      try place.run("cat", "e", "--codec", "deflate", "--key-file", "key").lines
        == (first..<40).map(String.init) + ["more"])
  }

  @Test("trim removes what an earlier removal left, and says so; no command counts it")
  func trimsLeftovers() async throws {
    try await fill()
    let (file, bytes) = ("logs/e.segments/\(name(10)).log", try place.read("logs/e.segments/\(name(10)).log"))
    #expect(try place.run("trim", "e", "--before", "20", "--apply").ending == .exit(0))
    try place.write(bytes, to: file)
    let object = try #require(try place.run("info", "e", "--json").objects().first)
    #expect(object["records"] as? Int == 20 && object["segments"] as? Int == 2)
    #expect(try place.run("repair", "e").ending == .exit(0))
    let would = try place.run("trim", "e", "--before", "20")
    #expect(would.text.contains("would remove the files of 1 segment that"), "\(would.text)")
    #expect(FileManager.default.fileExists(atPath: "\(place.path)/\(file)"))
    let done = try place.run("trim", "e", "--before", "20", "--apply")
    #expect(done.ending == .exit(0) && done.text.contains("removed the files of 1 segment that"), "\(done.text)")
    #expect(!FileManager.default.fileExists(atPath: "\(place.path)/\(file)"))
  }

  @Test("trim says that the records are gone where a file of theirs cannot be removed")
  func trimsPartly() async throws {
    try await fill()
    // A folder is none that could be unlinked, whoever asks.
    let companion = "\(place.path)/logs/e.segments/\(name(10)).idx"
    try FileManager.default.removeItem(atPath: companion)
    try FileManager.default.createDirectory(atPath: companion, withIntermediateDirectories: false)
    let outcome = try place.run("trim", "e", "--before", "20", "--apply")
    #expect(outcome.ending == .exit(1) && outcome.text.contains("removed 2 segments"), "\(outcome.text)")
    #expect(outcome.errors.contains("the records are gone, and not all of their files"), "\(outcome.errors)")
    #expect(try place.run("cat", "e").lines == (20..<40).map(String.init))
  }

  @Test("Missing first segments are told of by each command, and not counted")
  func missingFront() async throws {
    try await fill()
    for suffix in ["log", "idx"] { try FileManager.default.removeItem(atPath: "\(place.path)/logs/e.\(suffix)") }
    let info = try place.run("info", "e")
    #expect(info.ending == .exit(65) && info.errors.contains("records 0 to 9 is missing"), "\(info.errors)")
    #expect(info.lines[1].hasPrefix("e               30 ") && info.lines[1].hasSuffix("damaged"), "\(info.text)")
    let object = try #require(try place.run("info", "e", "--json").objects().first)
    #expect(object["records"] as? Int == 30 && object["verifiable"] as? Int == 30 && object["count"] as? Int == 40)
    #expect((object["path"] as? String)?.hasSuffix("\(name(10)).log") == true)
    for command in ["verify", "repair"] {
      let outcome = try place.run(command, "e")
      #expect(outcome.ending == .exit(65))
      #expect((outcome.text + outcome.errors).contains("records 0 to 9"), "\(outcome.text)\(outcome.errors)")
    }
    let salvage = try place.run("repair", "e", "--salvage", "n")
    #expect(salvage.ending == .exit(65) && salvage.text.contains("lost: records 0 to 9"), "\(salvage.text)")
    let trim = try place.run("trim", "e", "--before", "20")
    let words = trim.lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
    #expect(words.contains("would remove 1 segment, records 10 to 19 (10 records,"), "\(words)")
    #expect(words.contains("10 records of them were missing already"), "\(words)")
  }

  @Test("repair tells what does not belong to a log, in words and in JSON")
  func problems() async throws {
    try await fill()
    let stray = "logs/e.segments/\(name(40)).log"
    try place.write(place.read("logs/e.segments/\(name(30)).log"), to: stray)
    for options in [["repair", "e"], ["repair", "e", "--apply"]] {
      let outcome = try Child(options, in: place).finish()
      #expect(outcome.ending == .exit(65) && outcome.text.contains("problem: ./\(stray)"), "\(outcome.text)")
      #expect(outcome.text.contains("40 of 40 records are whole"))
    }
    let object = try #require(try place.run("repair", "e", "--json").objects().first)
    let problems = try #require(object["problems"] as? [[String: Any]])
    #expect(problems.map { $0["code"] as? String } == ["segmentMisplaced"] && object["healthy"] as? Bool == false)
    #expect((problems[0]["path"] as? String)?.hasSuffix(".log") == true && problems[0]["reason"] is String)
    let append = try place.run("append", "e", input: "x\n")
    #expect(append.ending == .exit(65) && append.errors.contains(stray), "\(append.errors)")
    #expect(try place.run("verify", "e").ending == .exit(65))
    #expect(try place.run("cat", "e").lines.count == 40)
  }

  @Test("info counts what can be verified over all segments, with and without --segments")
  func verifiable() async throws {
    try await fill()
    try FileManager.default.removeItem(atPath: "\(place.path)/logs/e.segments/\(name(10)).idx")
    for options in [[], ["--segments"]] {
      let object = try #require(try Child(["info", "e", "--json"] + options, in: place).finish().objects().first)
      #expect(object["verifiable"] as? Int == 30 && object["companion"] as? String == "missing", "\(object)")
      #expect(object["health"] as? String == "partly verifiable")
    }
  }

  @Test("append keeps what it is told to, and removes the oldest files")
  func keeps() throws {
    let lines = (0..<200).map { "\($0)\n" }.joined()
    let outcome = try place.run(
      "append", "e", "--segment-bytes", "200", "--keep-records", "50", input: lines)
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    let kept = try place.run("cat", "e").lines
    #expect(kept.count <= 50 && kept.count > 20 && kept.last == "199")
    #expect(
      try place.run("append", "e", "--segment-bytes", "200", "--keep-bytes", "1", input: "200\n").ending == .exit(0))
    #expect(try place.run("info", "e", "--json").objects()[0]["segments"] as? Int == 1)
    let alone = try place.run("append", "e", "--keep-age", "1h", input: "x\n")
    #expect(alone.ending == .exit(64) && alone.errors.contains("--segment-bytes"), "\(alone.errors)")
    let store = (0..<200).map { "k\t\($0)\n" }.joined()
    #expect(
      try place.run(
        "logstore", "append", "s", "--partitions", "1", "--segment-bytes", "200", "--keep-records", "50", input: store
      ).ending == .exit(0))
    #expect(try place.run("logstore", "cat", "s").lines.count <= 50)
  }

  @Test("logstore trim removes a partition's oldest messages")
  func trimsPartition() throws {
    let lines = (0..<60).map { "k\($0 % 5)\t\($0)\n" }.joined()
    try place.run("logstore", "append", "s", "--partitions", "2", "--segment-bytes", "64", input: lines)
    let before = try place.run("logstore", "info", "s", "--json").objects()
    let would = try place.run("logstore", "trim", "s", "1", "--records", "10")
    #expect(would.ending == .exit(0) && would.text.hasPrefix("partition 1: would remove "), "\(would.text)")
    #expect(would.lines.last == "  next: `immuta logstore trim s 1 --records 10 --apply` removes them")
    #expect(
      try place.run("logstore", "info", "s", "--json").objects()[1]["records"] as? Int == before[1]["records"] as? Int)
    let done = try place.run("logstore", "trim", "s", "1", "--records", "10", "--apply", "--json")
    #expect(done.ending == .exit(0), "\(done.errors)")
    #expect(try done.objects().first?["partition"] as? Int == 1)
    let after = try place.run("logstore", "info", "s", "--json").objects()
    #expect(after[1]["records"] as? Int ?? 60 <= 10 && after[0]["records"] as? Int == before[0]["records"] as? Int)
    #expect(try place.run("logstore", "verify", "s").ending == .exit(0))
    #expect(try place.run("logstore", "trim", "s", "7", "--records", "1").ending == .exit(1))
    #expect(try place.run("logstore", "trim", "nope", "0", "--records", "1").ending == .exit(1))
  }

  // MARK: info, cat, verify

  @Test("info shows a row for each segment, within 80 columns")
  func infoSegments() async throws {
    try await fillAndTrim()
    let outcome = try place.run("info", "e", "--segments", "--bytes")
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(outcome.lines.allSatisfy { $0.count <= 80 })
    #expect(outcome.lines[0].contains("BYTES") && outcome.lines[1].split(separator: " ").prefix(2) == ["e", "20"])
    #expect(outcome.text.contains("begins with record 20; 2"))
    let title = try #require(outcome.lines.firstIndex { $0.contains("SEGMENT") })
    let rows = outcome.lines[(title + 1)...].prefix(2).map { $0.split(separator: " ").map(String.init) }
    #expect(rows.map { $0.prefix(3) } == [["20", "10", "116"], ["30", "10", "116"]])
    #expect(rows.allSatisfy { $0.last == "ok" && $0[3].hasSuffix("Z") })
    #expect(try place.run("info", "e").lines[0].contains("SIZE"))

    let object = try #require(try place.run("info", "e", "--segments", "--json").objects().first)
    #expect(object["records"] as? Int == 20 && object["count"] as? Int == 40)
    #expect(object["firstSequence"] as? Int == 20 && object["segments"] as? Int == 2)
    #expect(object["bytes"] as? Int == 232 && object["companion"] as? String == "whole")
    let segments = try #require(object["segmentList"] as? [[String: Any]])
    #expect(segments.map { $0["firstSequence"] as? Int } == [20, 30])
    #expect(segments.allSatisfy { $0["records"] as? Int == 10 && $0["health"] as? String == "ok" })
    #expect(segments[0]["path"] as? String == "./logs/e.segments/\(name(20)).log")
    let sizes = try ["e.meta"].map { "logs/\($0)" } + place.names(in: "logs/e.segments").map { "logs/e.segments/\($0)" }
    #expect(try #require(object["sizeOnDisk"] as? Int) >= sizes.count * 4096)
    let taken = (sizes + ["logs/e.log", "logs/e.idx"]).reduce(0) { sum, file in
      var status = stat()
      return stat("\(place.path)/\(file)", &status) == 0 ? sum + Int(status.st_blocks) * 512 : sum
    }
    #expect(object["sizeOnDisk"] as? Int == taken, "of files, without folders")
  }

  @Test("info says which records it speaks of where a writer died in the newest segment, and trim recovers it")
  func died() async throws {
    try await fill()
    let writer = try place.start("append", "e", "--receipts")
    try writer.send("40\n")
    #expect(try writer.line() != nil)
    writer.signal(SIGKILL)
    _ = try writer.waitForEnd()
    let info = try place.run("info", "e", "--segments")
    #expect(info.ending == .exit(0) && info.lines[1].hasSuffix("not closed"))
    #expect(info.lines.joined(separator: " ").contains("whole (in its newest segment, from"), "\(info.text)")
    #expect(info.lines.contains { $0.hasPrefix("       30 ") && $0.hasSuffix("not closed") })
    #expect(try place.run("trim", "e", "--records", "11", "--apply").text.contains("removed 3 segments"))
    #expect(try place.run("cat", "e").lines == (30..<41).map(String.init))
    #expect(try place.run("info", "e").lines[1].hasSuffix("ok"))
  }

  @Test("A namespace without its first segment is found, and is not taken for one that was lost")
  func found() async throws {
    try await fillAndTrim()
    for command in ["info", "verify"] {
      let outcome = try place.run(command)
      #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(outcome.text.contains("e: "))
    }
    #expect(try Storage.namespaces(in: "\(place.path)/logs") == ["e"])
    #expect(try place.run("info", "--json").objects().count == 1)
    #expect(try place.run("cat", "nope").errors.contains("`immuta info` lists those that exist"))
    // A folder that merely is called so is no log.
    try FileManager.default.createDirectory(
      atPath: "\(place.path)/logs/other.segments", withIntermediateDirectories: false)
    try place.write([], to: "logs/file.segments")
    #expect(try Storage.namespaces(in: "\(place.path)/logs") == ["e"])
  }

  @Test("info --segments and verify name a segment that is missing or damaged", arguments: [false, true])
  func broken(isMissing: Bool) async throws {
    try await fill()
    let file = "logs/e.segments/\(name(10))"
    if isMissing {
      for suffix in [".log", ".idx"] { try FileManager.default.removeItem(atPath: "\(place.path)/\(file)\(suffix)") }
    } else {
      try place.damage("\(file).log", at: try place.read("\(file).log").count - 1)
    }
    if isMissing {
      let short = try place.run("info", "e")
      #expect(short.ending == .exit(65) && short.lines[1].hasSuffix("damaged"), "\(short.text)\(short.errors)")
      #expect(short.errors.contains("records 10 to 19 is missing"), "\(short.errors)")
    }
    let info = try place.run("info", "e", "--segments")
    #expect(info.ending == .exit(65), "\(info.errors)")
    #expect(info.lines.allSatisfy { $0.count <= 80 })
    #expect(info.lines[1].hasSuffix("damaged"))
    let row = try #require(info.lines.first { $0.hasPrefix("       10 ") })
    #expect(row.hasSuffix(isMissing ? "missing" : "damaged"))
    let object = try #require(try place.run("info", "e", "--segments", "--json").objects().first)
    let segments = try #require(object["segmentList"] as? [[String: Any]])
    #expect(segments.map { $0["health"] as? String } == ["ok", isMissing ? "missing" : "damaged", "ok", "ok"])
    let verify = try place.run("verify", "e")
    #expect(verify.ending == .exit(65))
    #expect(verify.errors.contains("record \(isMissing ? 10 : 19)"), "\(verify.errors)")
    // It is the log that is repaired, not a namespace called like the segment.
    #expect(!verify.errors.contains("repair 0") && !info.errors.contains("repair 0"))
    if !isMissing { #expect(verify.errors.contains("`immuta repair e`"), "\(verify.errors)") }
  }

  @Test(
    "A log whose newest file is damaged or gone is printed up to there, and each command says so", arguments: [0, 1, 2])
  func damagedEnd(kind: Int) async throws {
    try await fill()
    let newest = "\(place.path)/logs/e.segments/\(name(30))"
    switch kind {
    case 0: try place.write([1, 2, 3], to: "logs/e.segments/\(name(30)).log")
    case 1: for suffix in [".log", ".idx"] { try FileManager.default.removeItem(atPath: newest + suffix) }
    default:
      try FileManager.default.removeItem(atPath: newest + ".log")
      try FileManager.default.createSymbolicLink(atPath: newest + ".log", withDestinationPath: "/dev/null")
    }
    let cat = try place.run("cat", "e")
    #expect(cat.lines == (0..<30).map(String.init) && cat.ending == .exit(65), "\(cat.errors)")
    let commands = [
      ["cat", "e", "--follow"], ["cat", "e", "-n", "2"], ["cat", "e", "--from", "35"], ["verify", "e"],
      ["migrate", "log:logs/e", "log:logs/f"],
    ]
    for arguments in commands {
      let outcome = try Child(arguments, in: place).finish(feeding: [])
      #expect(outcome.ending == .exit(65), "\(arguments): \(outcome.errors)")
      #expect((outcome.errors + outcome.text).contains("30"), "\(arguments): \(outcome.errors)")
    }
    #expect(try place.run("cat", "e", "--from", "10", "--limit", "5").ending == .exit(0))
    for arguments in [["info", "e"], ["info", "e", "--segments"]] {
      let outcome = try Child(arguments, in: place).finish(feeding: [])
      #expect(outcome.ending == .exit(65) && outcome.text.contains("damaged"), "\(outcome.text) \(outcome.errors)")
    }
    #expect(try place.run("info", "e", "--segments").text.contains(kind == 1 ? "missing" : "damaged"))
    let append = try place.run("append", "e", input: "more\n")
    #expect(append.ending == .exit(65) && append.errors.lowercased().contains("put "), "\(append.errors)")
    let repair = try place.run("repair", "e")
    #expect(repair.ending == .exit(65), "\(repair.text) \(repair.errors)")
    #expect(repair.text.contains("30"), "\(repair.text)")
  }

  @Test("The tool does not look at each file of a log for what it need not know")
  func listing() async throws {
    try await fill()
    let injector = FaultInjector(directory: "\(place.path)/logs")
    try await injector.run {
      let storage = try Storage(directory: "\(place.path)/logs", namespaces: ["e"])
      defer { storage.close() }
      let log = try storage.log("e")
      #expect(log.openingNote == nil)
      #expect(try log.removable(before: 15).count == 1)
      #expect(try log.removable(by: Retention(maximumRecords: 35)).count == 1)
      #expect(try !log.has(fileAt: "\(place.path)/else"))
    }
    // Of those that stay, none is looked at.
    #expect(injector.statusCount(of: "e.segments/\(name(10)).log") == 0)
  }

  @Test("cat begins with the first record there is, and says so of one that was removed")
  func cat() async throws {
    try await fillAndTrim()
    #expect(try place.run("cat", "e").lines == (20..<40).map(String.init))
    #expect(try place.run("cat", "e", "--from", "20", "--limit", "1").lines == ["20"])
    for from in ["0", "19"] {
      let outcome = try place.run("cat", "e", "--from", from)
      #expect(outcome.ending == .exit(1) && outcome.output.isEmpty)
      #expect(
        outcome.errors
          == "immuta: record \(from) of “e” was removed: the log keeps its newest records only, from number 20 on; give "
          + "--from 20, or leave --from out\n")
    }
    let follower = try place.start("cat", "e", "--follow", "--from", "39")
    #expect(try follower.line() == "39")
    try place.run("append", "e", "--segment-bytes", "1", input: "40\n41\n")
    #expect(try follower.line() == "40" && follower.line() == "41")
  }

  // MARK: migrate

  @Test("migrate copies all segments, and each record keeps its number")
  func migrates() async throws {
    try await fillAndTrim()
    for target in ["log:copy/e", "log:logs/f"] {
      let outcome = try place.run("migrate", "log:logs/e", target, "--json")
      #expect(outcome.ending == .exit(0), "\(outcome.errors)")
      #expect(outcome.errors.contains("records 0 to 19 of e were removed before, and are not copied"))
      let object = try #require(try outcome.objects().first)
      #expect(object["records"] as? Int == 20 && object["appended"] as? Int == 20)
      #expect(object["removedBefore"] as? Int == 20)
    }
    let copied = try place.run("info", "f", "--json").objects()[0]
    #expect(copied["firstSequence"] as? Int == 20 && copied["count"] as? Int == 40 && copied["segments"] as? Int == 1)
    #expect(try place.run("cat", "f", "--from", "27", "--limit", "1").lines == ["27"])
    #expect(try place.run("cat", "f", "--from", "19").ending == .exit(1))
    for directory in ["logs", "copy"] { #expect(try place.run("verify", "--dir", directory).ending == .exit(0)) }
    #expect(try place.run("repair", "f").ending == .exit(0))
    // It goes on, whatever went meanwhile on either side.
    try place.run("append", "e", input: "40\n41\n")
    try place.run("trim", "e", "--before", "30", "--apply")
    let more = try #require(try place.run("migrate", "log:logs/e", "log:logs/f", "--json").objects().first)
    #expect(more["appended"] as? Int == 2)
    #expect(try place.run("cat", "f").lines == (20..<42).map(String.init))
  }

  @Test("migrate compares with a target that removed what it had, and says where it cannot go on")
  func migratesOn() async throws {
    try await fill()
    let first = try place.run("migrate", "log:logs/e", "log:logs/f", "--segment-bytes", "100")
    #expect(first.ending == .exit(0), "\(first.errors)")
    #expect(try place.run("info", "f", "--json").objects()[0]["segments"] as? Int ?? 0 > 3)
    try place.run("trim", "f", "--before", "25", "--apply")
    try place.run("append", "e", input: "40\n")
    let again = try place.run("migrate", "log:logs/e", "log:logs/f", "--json")
    #expect(try again.objects().first?["appended"] as? Int == 1, "\(again.errors)")
    #expect(try place.run("cat", "f").lines.last == "40")
    // A target that ends before the source begins.
    try place.run("append", "g", input: "0\n1\n")
    try place.run("trim", "e", "--before", "20", "--apply")
    let gap = try place.run("migrate", "log:logs/e", "log:logs/g")
    #expect(gap.ending == .exit(1) && gap.errors.contains("records 2 to 19 of e were removed"), "\(gap.errors)")
    #expect(try place.run("cat", "g").lines == ["0", "1"])
    // Not itself, however it is spelled.
    try FileManager.default.createSymbolicLink(
      atPath: "\(place.path)/also", withDestinationPath: "\(place.path)/logs")
    #expect(try place.run("migrate", "log:logs/e", "log:also/e").ending == .exit(64))
  }

  @Test("A store in segments becomes logs, and a log in segments a store")
  func migratesStores() async throws {
    let lines = (0..<40).map { "k\t\($0)\n" }.joined()
    try place.run("logstore", "append", "s", "--partitions", "1", "--segment-bytes", "64", input: lines)
    #expect(try place.run("migrate", "store:s", "log:logs/chat").ending == .exit(0))
    #expect(try place.run("cat", "chat-0").lines == (0..<40).map(String.init))
    try await fillAndTrim()
    let outcome = try place.run("migrate", "log:logs/e", "store:t", "--partitions", "1", "--key", "k")
    #expect(outcome.ending == .exit(0) && outcome.errors.contains("counted from 0"), "\(outcome.errors)")
    #expect(try place.run("logstore", "cat", "t").lines == (20..<40).map(String.init))
  }

  @Test("A log that begins with another number is encrypted like any, and named like any")
  func migratesEncrypted() async throws {
    try await fillAndTrim()
    try place.write((0..<32).map { UInt8($0) }, to: "key")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(place.path)/key")
    #expect(try place.run("migrate", "log:logs/e", "log:logs/f", "--key-file", "key").ending == .exit(0))
    #expect(try place.run("cat", "f", "--key-file", "key").lines == (20..<40).map(String.init))
    #expect(try place.run("append", "f", "--key-file", "key", input: "40\n").ending == .exit(0))
    #expect(try place.run("append", "f", input: "plain\n").ending == .exit(1))
    #expect(try place.run("verify", "f", "--key-file", "key").ending == .exit(0))
  }

  // MARK: Numbers with units

  @Test(
    "Sizes have units of 1,024",
    arguments: [
      ("0", 0), ("17", 17), ("64k", 65_536), ("64K", 65_536), ("256M", 268_435_456), ("10G", 10_737_418_240),
      ("1T", 1_099_511_627_776), ("3MiB", 3_145_728),
    ] as [(String, Int)])
  func sizes(text: String, bytes: Int) {
    #expect(ByteCount(argument: text)?.bytes == bytes)
    #expect(ByteCount(bytes).argument.count <= text.count + 1)
    #expect(ByteCount(argument: ByteCount(bytes).argument)?.bytes == bytes)
  }

  @Test(
    "What is no size or span is none", arguments: ["", "k", "-1", "1.5M", "1X", "1 k", "iB", "9223372036854775807k"])
  func noSizes(text: String) {
    #expect(ByteCount(argument: text) == nil)
    #expect(TimeSpan(argument: text) == nil)
  }

  @Test(
    "Spans have units", arguments: [("500ms", 0.5), ("5s", 5), ("2m", 120), ("1h", 3600), ("30d", 2_592_000)])
  func spans(text: String, seconds: Double) {
    #expect(TimeSpan(argument: text)?.duration == .seconds(seconds))
  }

  @Test(
    "Sizes for people have three digits",
    arguments: [(0, "0 B"), (999, "999 B"), (1000, "0.98 KiB"), (1_048_576, "1.00 MiB"), (268_435_456, "256 MiB")]
      as [(Int, String)])
  func words(bytes: Int, words: String) {
    #expect(ByteWords.rounded.of(bytes) == words)
  }
}
