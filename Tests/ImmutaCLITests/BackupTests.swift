import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

@testable import ImmutaCLI

/// `backup` copies all records of one moment, while others append, and the next time only new ones.
@Suite("Backing up", .timeLimit(.minutes(3)))
struct BackupTests {
  let place = Workplace()

  private func append(_ lines: Range<Int>, to namespace: String = "e", _ options: String...) throws {
    let arguments = ["append", namespace] + options
    let input = Array(lines.map { "\($0)\n" }.joined().utf8)
    #expect(try Child(arguments, in: place).finish(feeding: input).ending == .exit(0))
  }

  private func backup(_ options: String..., from directory: String = "logs", to target: String = "b") throws -> Outcome
  {
    try Child(["backup", directory, target] + options, in: place).finish()
  }

  /// Every record, with its number, place and time.
  private func records(_ namespace: String = "e", in directory: String) throws -> [String] {
    let outcome = try place.run("cat", namespace, "--json", "--dir", directory)
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    return outcome.lines
  }

  private func manifest(_ target: String = "b") throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(place.read("\(target)/immuta-backup.json"))) as? [String: Any])
  }

  private func namespaces(_ target: String = "b") throws -> [String: [String: Any]] {
    try #require(try manifest(target)["namespaces"] as? [String: [String: Any]])
  }

  // MARK: What is copied

  @Test("A backup has each record as it is, says so, and gets only what is new")
  func incremental() throws {
    try append(0..<100)
    try append(0..<5, to: "other", "--segment-bytes", "60")
    var outcome = try backup()
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(outcome.lines[0].hasPrefix("NAMESPACE") && outcome.lines.count == 3 && outcome.text.contains("verified"))
    for name in ["e", "other"] { #expect(try records(name, in: "b") == records(name, in: "logs")) }
    #expect(try namespaces()["e"]?["count"] as? Int == 100)
    #expect(try manifest()["complete"] as? Bool == true && manifest()["oneMoment"] as? Bool == true)
    try append(100..<130)
    outcome = try backup("--json")
    let said = try outcome.objects()
    #expect(said.map { $0["namespace"] as? String } == ["e", "other"])
    #expect(said.map { $0["added"] as? Int } == [30, 0] && said.map { $0["count"] as? Int } == [130, 5])
    #expect(said.allSatisfy { $0["ok"] as? Bool == true && $0["identity"] is String })
    #expect(try records(in: "b") == records(in: "logs"))
    #expect(try place.run("verify", "--dir", "b").ending == .exit(0))
    // It can be put back by copying.
    try FileBytes.copy(directory: "\(place.path)/b", to: "\(place.path)/copied")
    #expect(
      try place.run("append", "e", "--dir", "copied", "--receipts", input: "next\n").text.contains(#""sequence":130,"#))
  }

  @Test("While others append as fast as they can, it is what was there at a moment")
  func live() async throws {
    let storage = try Storage(directory: "\(place.path)/logs", namespaces: ["e", "f"])
    defer { storage.close() }
    let writer = Task {
      var number = 0
      while !Task.isCancelled {
        for _ in 0..<200 {
          try await storage.append("record \(number)", to: "e")
          number += 1
        }
        try await storage.transaction(in: ["e", "f"]) { step in
          try await step.append("step", to: "e")
          try await step.append("step", to: "f")
        }
        if number % 20_000 == 0 { try await storage.roll("e") }
        // Some 50,000 a second: what follows reads them all, again and again.
        try await Task.sleep(for: .milliseconds(4))
      }
    }
    defer { writer.cancel() }
    var last = 0
    for _ in 0..<3 {
      let outcome = try backup("--json")
      #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty, "\(outcome.errors)")
      let count = try #require(try namespaces()["e"]?["count"] as? Int)
      #expect(count > last)
      last = count
      let lines = try place.run("cat", "e", "--dir", "b").lines
      #expect(lines.count == count)
      #expect(lines.count { $0 == "step" } == (try place.run("cat", "f", "--dir", "b").lines.count))
      #expect(try place.run("verify", "--dir", "b").ending == .exit(0))
    }
    writer.cancel()
    _ = await writer.result
    #expect(try records(in: "b") == Array(records(in: "logs").prefix(last)))
  }

  @Test("A store whose partitions roll meanwhile is a beginning of each partition, and goes on the next time")
  func rollingStore() async throws {
    var configuration = Storage.Configuration()
    configuration.segments = SegmentLimits(maximumBytes: 20_000)
    let store = try LogStore(directory: "\(place.path)/logs", partitions: 3, configuration: configuration)
    defer { store.close() }
    let writer = Task {
      var number = 0
      while !Task.isCancelled {
        for _ in 0..<200 {
          try await store.append("message \(number)", key: "\(number % 50)")
          number += 1
        }
        try await Task.sleep(for: .milliseconds(4))
      }
    }
    defer { writer.cancel() }
    var had = [0, 0, 0]
    for _ in 0..<4 {
      let outcome = try backup()
      #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty, "\(outcome.errors)")
      let partitions = try #require(try manifest()["partitions"] as? [String: [String: Any]])
      let counts = (0..<3).map { partitions["\($0)"]?["count"] as? Int ?? 0 }
      #expect(zip(had, counts).allSatisfy { $0 < $1 }, "\(counts) after \(had)")
      had = counts
      #expect(try place.run("logstore", "verify", "b").ending == .exit(0))
    }
    writer.cancel()
    _ = await writer.result
    for partition in 0..<3 {
      let cat = ["logstore", "cat", "--partition", "\(partition)", "--json"]
      let (all, copied) = (
        try Child(cat + ["logs"], in: place).finish().lines, try Child(cat + ["b"], in: place).finish().lines
      )
      #expect(copied.count == had[partition] && copied == Array(all.prefix(copied.count)))
    }
    #expect(try place.names(in: "b/0.segments").count > 2)
  }

  @Test("Logs of the old format, encrypted ones, and stores are backed up, without a key")
  func kinds() throws {
    try append(0..<20, to: "old", "--log-format", "v1")
    try place.write(Array(repeating: 7, count: 32), to: "key")
    #expect(chmod("\(place.path)/key", 0o600) == 0)
    let keyed = ["--codec", "deflate", "--key-file", "key"]
    try append(0..<20, to: "secret", "--codec", "deflate", "--key-file", "key", "--segment-bytes", "300")
    let messages = (0..<40).map { "k\($0)\tv\($0)\n" }.joined()
    #expect(try place.run("logstore", "append", "store", "--partitions", "3", input: messages).ending == .exit(0))
    for round in 0..<2 {
      #expect(try backup().ending == .exit(0))
      #expect(try records("old", in: "b") == records("old", in: "logs"))
      #expect(try place.read("b/old.log") == place.read("logs/old.log"))
      let secret = try Child(["cat", "secret", "--dir", "b"] + keyed, in: place).finish()
      #expect(secret.lines == (0..<20).map(String.init))
      #expect(try place.run("append", "secret", "--dir", "b", input: "x").ending == .exit(1), "it needs its key")
      #expect(try backup(from: "store", to: "s").ending == .exit(0))
      let (was, isNow) = (
        try place.run("logstore", "cat", "store", "--json"), try place.run("logstore", "cat", "s", "--json")
      )
      #expect(was.lines == isNow.lines && was.lines.count == 40 + round)
      #expect(try place.run("logstore", "append", "store", input: "more\tx\n").ending == .exit(0))
    }
    let partitions = try #require(try manifest("s")["partitions"] as? [String: Any])
    #expect(partitions.keys.sorted() == ["0", "1", "2"])
    #expect(try place.read("s/logstore.layout") == place.read("store/logstore.layout"))
  }

  @Test("What was removed from the log stays, or goes with --prune")
  func pruning() throws {
    try append(0..<40, "--segment-bytes", "120")
    #expect(try backup().ending == .exit(0))
    let all = try records(in: "b")
    #expect(try place.run("trim", "e", "--before", "20", "--apply").ending == .exit(0))
    try append(40..<50)
    #expect(try backup().ending == .exit(0))
    #expect(try records(in: "b").prefix(40) == all[...] && records(in: "b").count == 50)
    #expect(try backup("--prune").ending == .exit(0))
    #expect(try records(in: "b") == records(in: "logs"))
    #expect(try #require(try namespaces()["e"]?["first"] as? Int) > 0)
  }

  @Test("Positions of consumers are never beyond the records, and stay what they are")
  func consumers() throws {
    try append(0..<20)
    #expect(try place.run("cat", "e", "--consumer", "mail", "--limit", "7").lines.count == 7)
    #expect(try backup().ending == .exit(0))
    #expect(try place.run("consumers", "--dir", "b", "--json").objects().first?["position"] as? Int == 7)
    #expect(try place.run("cat", "e", "--consumer", "mail", "--dir", "b", "--limit", "1").lines == ["7"])
    #expect(try place.run("consumers", "remove", "e", "mail").ending == .exit(0))
    #expect(try backup().ending == .exit(0))
    #expect(try place.run("consumers", "--dir", "b", "--json").objects().isEmpty)
  }

  // MARK: What goes wrong

  @Test(
    "Damaged records are named and copied as they are; a log that cannot be read is left out; the others are backed up")
  func damage() throws {
    for name in ["a", "b", "c"] { try append(0..<50, to: name) }
    try place.damage("logs/a.log", at: 16 + 9 * 3 + 8)
    try place.write(Array(place.read("logs/b.log").prefix(300)), to: "logs/b.log")
    for _ in 0..<2 {
      let outcome = try backup("--json")
      #expect(outcome.ending == .exit(65))
      #expect(outcome.errors.contains("b.log"))
      let said = try outcome.objects()
      #expect(said.map { $0["ok"] as? Bool } == [false, false, true])
      #expect(said[0]["damaged"] as? Int == 1 && said[0]["count"] as? Int == 50 && said[1]["error"] is String)
      #expect(try records("c", in: "b") == records("c", in: "logs"))
      #expect(try place.run("cat", "a", "--from", "4", "--dir", "b").lines == (4..<50).map(String.init))
      #expect(try place.run("verify", "a", "--dir", "b").ending == .exit(65))
      try append(50..<60, to: "c")
    }
    #expect(try namespaces().keys.sorted() == ["a", "c"])
  }

  @Test("Another log under the name is refused, and the backup keeps what it has")
  func otherLog() throws {
    try append(0..<10)
    try append(0..<10, to: "f")
    #expect(try backup().ending == .exit(0))
    let before = try records(in: "b")
    for file in ["e.log", "e.idx"] { try FileManager.default.removeItem(atPath: "\(place.path)/logs/\(file)") }
    try append(0..<90)
    try append(10..<20, to: "f")
    let outcome = try backup()
    #expect(outcome.ending == .exit(1) && outcome.errors.contains("another log under the name “e”"))
    #expect(try records(in: "b") == before)
    #expect(try namespaces()["f"]?["count"] as? Int == 20, "the others are backed up")
  }

  @Test("Directories that make no sense are refused with one line that says what to do, and nothing is made")
  func directories() throws {
    try append(0..<3)
    try place.write([1], to: "file")
    try FileManager.default.createDirectory(atPath: "\(place.path)/full", withIntermediateDirectories: false)
    try place.write([1], to: "full/somebody's")
    try FileManager.default.createDirectory(atPath: "\(place.path)/empty", withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(atPath: "\(place.path)/link", withDestinationPath: "logs")
    for (source, target, words) in [
      ("logs", "logs", "same directory"), ("logs", "link", "same directory"), ("logs", "logs/b", "lies in logs"),
      ("logs", ".", "lies in ."), ("logs", "full", "is no backup and not empty"), ("logs", "no/such", "no/such"),
      ("logs", "file", "file"), ("missing", "b", "missing"), ("empty", "b", "no logs in empty"),
    ] {
      let outcome = try backup(from: source, to: target)
      #expect(outcome.ending == .exit(1) && outcome.output.isEmpty, "\(source) \(target)")
      #expect(outcome.errors.contains(words) && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }
    #expect(try place.names() == ["empty", "file", "full", "link", "logs"])
    #expect(try place.names(in: "logs").filter { $0.hasPrefix("b") }.isEmpty)
    #expect(try backup("e/x").ending == .exit(64))
    #expect(try backup("nobody").ending == .exit(1))
  }

  @Test("A manifest that says what no backup writes is an error, and nothing changes")
  func hostileManifests() throws {
    try append(0..<3)
    #expect(try backup().ending == .exit(0))
    let good = String(decoding: try place.read("b/immuta-backup.json"), as: UTF8.self)
    let files = try place.names(in: "b")
    for (old, new) in [
      (good, ""), (good, "[]"), (good, "{}"), (#""e":"#, #""../e":"#), (#""count":3"#, #""count":-3"#),
      (#""count":3"#, #""count":3,"count":4"#), (#""count":3"#, #""count":99999999999999999999"#),
      (#""immutaBackup":1"#, #""immutaBackup":2"#), (#""complete":true"#, #""complete":"yes""#),
      (#""first":0"#, #""first":7"#),
    ] {
      try place.write(Array(good.replacing(old, with: new).utf8), to: "b/immuta-backup.json")
      for outcome in [try backup(), try place.run("restore", "b", "back")] {
        #expect(
          outcome.ending == .exit(65) && outcome.errors.contains("immuta-backup.json"), "\(new): \(outcome.errors)")
      }
    }
    // More records than there are.
    try place.write(Array(good.replacing(#""count":3"#, with: #""count":4"#).utf8), to: "b/immuta-backup.json")
    let outcome = try place.run("restore", "b", "back")
    #expect(outcome.ending == .exit(65) && outcome.errors.contains("its manifest says 4"))
    try FileManager.default.removeItem(atPath: "\(place.path)/b/immuta-backup.json")
    try FileManager.default.createSymbolicLink(
      atPath: "\(place.path)/b/immuta-backup.json", withDestinationPath: "/etc/passwd")
    #expect(try backup().ending == .exit(1))
    #expect(try place.names(in: "b") == files)
    #expect(try place.names() == ["b", "logs"], "nothing was restored")
  }

  @Test("A backup that is killed anywhere can be run again, and what the last one had can be put back meanwhile")
  func killed() throws {
    let line = String(repeating: "x", count: 2_000)
    func append(_ count: Int) throws {
      let input = Array(repeatElement(line + "\n", count: count).joined().utf8)
      let child = try Child(["append", "e", "--segment-bytes", "3000000"], in: place)
      #expect(try child.finish(feeding: input).ending == .exit(0))
    }
    try append(2_000)
    #expect(try backup().ending == .exit(0))
    let seed = UInt64.random(in: 0...UInt64.max)
    print("BackupTests/killed: seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    var (count, killed) = (2_000, 0)
    for _ in 0..<15 {
      try append(1_000)
      let child = try place.start("backup", "logs", "b")
      usleep(UInt32.random(in: 0...60_000, using: &generator))
      child.signal(SIGKILL)
      if try child.waitForEnd() == .signal(SIGKILL) { killed += 1 }
      let known = try #require(try namespaces()["e"]?["count"] as? Int)
      #expect(known >= count && known % 1_000 == 0)
      count = known
      #expect(try place.run("restore", "b", "back").ending == .exit(0))
      #expect(try records(in: "back") == Array(records(in: "logs").prefix(count)))
      try FileManager.default.removeItem(atPath: "\(place.path)/back")
      try FileBytes.copy(directory: "\(place.path)/b", to: "\(place.path)/copied")
      #expect(try place.run("append", "e", "--dir", "copied", input: "next\n").ending == .exit(0))
      #expect(try place.run("cat", "e", "--dir", "copied").lines.count > count)
    }
    #expect(killed > 3)
    #expect(try backup().ending == .exit(0))
    #expect(try records(in: "b") == records(in: "logs"))
    #expect(try place.run("verify", "--dir", "b").ending == .exit(0))
  }

  @Test("Two backups into one directory do not meet, nor does one with somebody who writes there")
  func twice() throws {
    try append(0..<3)
    #expect(try backup().ending == .exit(0))
    let writer = try place.start("append", "e", "--dir", "b", "--receipts")
    try writer.send("mine\n")
    #expect(try writer.line()?.contains(#""sequence":3"#) == true)
    let outcome = try backup()
    #expect(outcome.ending == .exit(75))
    _ = try writer.finish()
    let longer = try backup()
    #expect(longer.ending == .exit(1) && longer.errors.contains("has 4 records, and the log has 3"))
  }

  #if canImport(Glibc)
    @Test("On a full disk it says so, and what the last one had can be put back")
    func fullDisk() throws {
      let directory = TemporaryDirectory()
      guard let disk = try MountedDisk(.tmpfs, in: directory) else { return }
      let target = "\(disk.path)/b"
      try append(0..<100)
      #expect(try backup(to: target).ending == .exit(0))
      let before = try records(in: "logs")
      let line = String(repeating: "x", count: 99_999) + "\n"
      #expect(try place.run("append", "e", input: String(repeating: line, count: 200)).ending == .exit(0))
      let outcome = try backup(to: target)
      #expect(outcome.ending == .exit(1) && outcome.errors.contains("make room and try again"), "\(outcome.errors)")
      #expect(try place.run("restore", target, "back").ending == .exit(0))
      #expect(try records(in: "back") == before)
      disk.close()
    }
  #endif
}
