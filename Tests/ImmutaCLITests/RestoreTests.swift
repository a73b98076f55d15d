import Foundation
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaCLI

/// `restore` puts back what a backup has, or the first records of it: all, or nothing.
@Suite("Restoring", .timeLimit(.minutes(3)))
struct RestoreTests {
  let place = Workplace()

  private func append(_ lines: Range<Int>, to namespace: String = "e", _ options: String...) throws {
    let input = Array(lines.map { "\($0)\n" }.joined().utf8)
    #expect(try Child(["append", namespace] + options, in: place).finish(feeding: input).ending == .exit(0))
  }

  private func records(_ namespace: String = "e", in directory: String) throws -> [String] {
    let outcome = try place.run("cat", namespace, "--json", "--dir", directory)
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    return outcome.lines
  }

  private func backUp(from directory: String = "logs", to target: String = "b") throws {
    #expect(try place.run("backup", directory, target).ending == .exit(0))
  }

  @Test("All logs come back as they were, and are appended to")
  func all() throws {
    try append(0..<30, "--segment-bytes", "100")
    try append(0..<10, to: "f")
    try backUp()
    let outcome = try place.run("restore", "b", "back")
    #expect(outcome.ending == .exit(0) && outcome.errors.isEmpty)
    #expect(outcome.lines.count == 3 && outcome.lines[0].contains("RESTORED"))
    for name in ["e", "f"] {
      #expect(try records(name, in: "back") == records(name, in: "logs"))
      #expect(try place.run("append", name, "--dir", "back", input: "next\n").errors.isEmpty)
    }
    #expect(try place.names(in: "back").filter { $0.hasPrefix(".") || $0.hasPrefix("immuta") }.isEmpty)
    #expect(try place.run("verify", "--dir", "back").ending == .exit(0))
  }

  @Test("One of several is put beside others, and never over one that is there")
  func some() throws {
    for name in ["a", "b", "c"] { try append(0..<10, to: name) }
    try backUp(to: "t")
    #expect(try place.run("restore", "t", "back", "a").ending == .exit(0))
    #expect(try place.run("restore", "t", "back", "c", "--json").objects().map { $0["namespace"] as? String } == ["c"])
    let before = try place.names(in: "back")
    for arguments in [["c", "b"], [], ["a"]] {
      let outcome = try Child(["restore", "t", "back"] + arguments, in: place).finish()
      #expect(outcome.ending == .exit(1) && outcome.errors.contains("already"), "\(outcome.errors)")
      #expect(try place.names(in: "back") == before, "all or nothing")
    }
    let unknown = try place.run("restore", "t", "new", "x")
    #expect(unknown.ending == .exit(1) && unknown.errors.contains("it has a, b, c"))
    #expect(try !place.names().contains("new"))
    #expect(try place.run("restore", "back", "new").errors.contains("no immuta-backup.json"))
  }

  @Test("Up to a record, consumers are never beyond the end, and one that was is named")
  func untilNumber() throws {
    try append(0..<30, "--segment-bytes", "100")
    #expect(try place.run("cat", "e", "--consumer", "slow", "--limit", "5").lines.count == 5)
    #expect(try place.run("cat", "e", "--consumer", "fast").lines.count == 30)
    try backUp()
    for count in [0, 3, 17, 30, 99] {
      let outcome = try place.run("restore", "b", "back\(count)", "--until", "\(count)")
      #expect(outcome.ending == .exit(0))
      #expect(try records(in: "back\(count)") == Array(records(in: "logs").prefix(count)))
      #expect(outcome.errors.contains("it is put back without records") == (count == 0))
      #expect(outcome.errors.contains("“fast”") == (count < 30) && outcome.errors.contains("“slow”") == (count < 5))
      let positions = try place.run("consumers", "--dir", "back\(count)", "--json").objects()
      #expect(positions.map { $0["position"] as? Int } == [min(count, 30), min(count, 5)])
      #expect(try place.run("append", "e", "--dir", "back\(count)", input: "next\n").errors.isEmpty)
      #expect(try place.run("cat", "e", "--consumer", "fast", "--dir", "back\(count)").lines == ["next"])
    }
    #expect(try place.run("restore", "b", "x", "--until", "soon").ending == .exit(64))
    #expect(try place.run("restore", "b", "x", "--until", "-3").ending == .exit(64))
  }

  @Test("Up to a moment")
  func untilMoment() async throws {
    let storage = try Storage(directory: "\(place.path)/logs", namespaces: ["e", "f"])
    for number in 0..<10 { try await storage.append("\(number)", to: "e") }
    try await storage.append("0", to: "f")
    // Times are of a coarse clock.
    let last = try #require(try storage.details(of: "f").lastTimestamp)
    while Timestamp.now <= last { try await Task.sleep(for: .milliseconds(1)) }
    let moment = Timestamp.now
    try await Task.sleep(for: .milliseconds(20))
    for number in 10..<20 { try await storage.append("\(number)", to: "e") }
    storage.close()
    try backUp()
    #expect(try place.run("restore", "b", "back", "--until", "\(moment)").ending == .exit(0))
    #expect(try place.run("cat", "e", "--dir", "back").lines == (0..<10).map(String.init))
    #expect(try place.run("cat", "f", "--dir", "back").lines == ["0"])
    let early = try place.run("restore", "b", "none", "--until", "1 h ago")
    #expect(early.ending == .exit(0))
    #expect(early.errors.contains("note: e has no record before that of --until"), "\(early.errors)")
    #expect(try records(in: "none").isEmpty)
  }

  @Test("A store comes back whole, into a directory that is none")
  func store() throws {
    let keyed = (0..<40).map { "k\($0)\tv\($0)\n" }.joined()
    #expect(try place.run("logstore", "append", "store", "--partitions", "3", input: keyed).ending == .exit(0))
    try backUp(from: "store", to: "b")
    #expect(try place.run("restore", "b", "back").ending == .exit(0))
    #expect(
      try place.run("logstore", "cat", "back", "--json").lines == place.run("logstore", "cat", "store", "--json").lines)
    #expect(try place.run("logstore", "append", "back", input: "k\tv\n").errors.isEmpty)
    let again = try place.run("restore", "b", "back")
    #expect(again.ending == .exit(1) && again.errors.contains("is a store already"))
  }

  @Test("What a work queue has done comes back, and what projections have saved")
  func queues() async throws {
    let storage = try Storage(
      directory: "\(place.path)/logs", namespaces: ["e"], configuration: .init(durability: .synced))
    let log = try storage.log("e")
    for number in 0..<20 { try await log.append("\(number)") }
    try await log.sync()
    let queue = try log.workQueue("work")
    var taken: [WorkQueue.Job] = []
    for _ in 0..<10 { taken.append(try #require(try await queue.next(timeout: .seconds(30)))) }
    for job in taken where job.record.sequence % 2 == 0 { try await job.acknowledge() }
    try await taken[9].retry(after: .seconds(3600))
    try await taken[1].retry()
    storage.close()
    try backUp()
    let restoring = try place.run("restore", "b", "back")
    #expect(restoring.ending == .exit(0) && restoring.errors.isEmpty)
    // What is done stays done, what is put off stays put off, and each job is given as often as it would have been.
    let jobs = try await jobs(in: "back")
    #expect(jobs == [1: 2, 3: 2, 5: 2, 7: 2].merging((10..<20).map { ($0, 1) }) { old, _ in old })
    #expect(try await jobs == self.jobs(in: "logs"))
  }

  /// How often each job that a queue gives now was given.
  private func jobs(in directory: String) async throws -> [Int: Int] {
    let storage = try Storage(directory: "\(place.path)/\(directory)", namespaces: ["e"])
    defer { storage.close() }
    let queue = try storage.log("e").workQueue("work")
    var jobs: [Int: Int] = [:]
    while let job = try await queue.next(timeout: .milliseconds(200)) { jobs[job.record.sequence] = job.deliveries }
    return jobs
  }

  @Test("A work queue whose state cannot be copied is an error")
  func queueThatIsDamaged() async throws {
    let storage = try Storage(directory: "\(place.path)/logs", namespaces: ["e"])
    try await storage.append("0", to: "e")
    let job = try await storage.log("e").workQueue("work").next(timeout: .seconds(30))
    try await job?.acknowledge()
    storage.close()
    try place.write(Array("this is no log, and was never one".utf8), to: "logs/e.consumers/work.log")
    let outcome = try place.run("backup", "logs", "b")
    #expect(outcome.ending == .exit(65) && outcome.errors.contains("e.consumers/work.log"))
    #expect(outcome.lines.contains { $0.hasPrefix("e ") && $0.hasSuffix("failed") })
  }

  @Test("A backup that was damaged is found out, and nothing is put back of a log that cannot be read")
  func damaged() throws {
    for name in ["a", "b"] { try append(0..<50, to: name) }
    try backUp(to: "t")
    try place.damage("t/a.log", at: 16 + 9 * 3 + 8)
    let outcome = try place.run("restore", "t", "back", "--json")
    #expect(outcome.ending == .exit(65) && outcome.errors.contains("record 3"))
    #expect(try outcome.objects().map { $0["damaged"] as? Int } == [1, 0])
    try place.write(Array(place.read("t/b.log").prefix(300)), to: "t/b.log")
    let refused = try place.run("restore", "t", "other")
    #expect(
      refused.ending == .exit(65) && refused.errors.contains("nothing was put back; to put the others back, name them"))
    #expect(try !place.names().contains("other"))
    #expect(try place.run("restore", "t", "other", "a", "--until", "3").ending == .exit(0))
  }

  @Test("Files get the rights of those that they come from")
  func rights() throws {
    try append(0..<3)
    for (name, mode) in [("logs", 0o750), ("logs/e.log", 0o640)] {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(place.path)/\(name)")
    }
    try backUp()
    #expect(try place.run("restore", "b", "back").ending == .exit(0))
    func mode(_ name: String) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: "\(place.path)/\(name)")[.posixPermissions] as? Int
    }
    for directory in ["b", "back"] {
      #expect(try mode(directory) == 0o750)
      #expect(try mode("\(directory)/e.log") == 0o640)
    }
  }
}
