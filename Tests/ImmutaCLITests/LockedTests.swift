import Foundation
import Immuta
import Testing

@Suite("A log that somebody else has, or that is gone")
struct LockedTests {
  let place = Workplace()

  /// A writer that has printed a receipt, and waits for input.
  private func writer(_ arguments: String...) throws -> Child {
    let child = try Child(arguments + ["--receipts"], in: place)
    try child.send("k\tone\n")
    #expect(try child.line() != nil)
    return child
  }

  /// A command says whom it waits for, and waits.
  private func expectItWaits(_ child: Child, for writer: Child) throws {
    let line = try child.errorLine() ?? ""
    #expect(line.contains("waiting: ") && line.contains("in process \(writer.process) since 20"), "\(line)")
    #expect(try !child.isOver)
  }

  @Test("The exit status is 75, and the message says who has it")
  func locked() throws {
    let writer = try writer("append", "e", "--dir", ".")
    let outcome = try place.run("append", "e", "--dir", ".", input: "two\n")
    #expect(outcome.ending == .exit(75))
    #expect(outcome.errors.contains("“e” is open for writing in process \(writer.process) since 20"))
    #expect(try place.run("repair", "e", "--dir", ".").ending == .exit(75))
    _ = try writer.finish()
    #expect(try place.run("append", "e", "--dir", ".", input: "two\n").ending == .exit(0))
  }

  @Test("So it is for a store")
  func lockedStore() throws {
    let writer = try writer("logstore", "append", "s", "--partitions", "2")
    let outcome = try place.run("logstore", "append", "s", input: "k\ttwo\n")
    #expect(outcome.ending == .exit(75))
    #expect(outcome.errors.contains("in process \(writer.process) since 20"))
    _ = try writer.finish()
  }

  @Test(
    "With --wait it is appended once the other is done, and the wait ends",
    arguments: [["append", "e"], ["logstore", "append", "s"]])
  func waits(command: [String]) throws {
    let options = command.count == 3 ? ["--partitions", "1"] : []
    let writer = try Child(command + options + ["--receipts"], in: place)
    try writer.send("k\tone\n")
    #expect(try writer.line() != nil)
    let start = ContinuousClock.now
    let late = try Child(command + ["--wait", "300ms"], in: place).finish(feeding: Array("k\ttwo\n".utf8))
    #expect(late.ending == .exit(75))
    #expect(ContinuousClock.now - start >= .milliseconds(300))
    let patient = try Child(command + ["--wait", "2m"], in: place)
    try expectItWaits(patient, for: writer)
    _ = try writer.finish()
    #expect(try patient.finish(feeding: Array("k\ttwo\n".utf8)).ending == .exit(0))
  }

  @Test(
    "So it is for every command that needs a log for itself",
    arguments: [
      ["repair", "e"], ["repair", "e", "--apply"], ["repair", "e", "--salvage", "rescued"],
      ["migrate", "lines:lines", "log:logs/e"],
    ])
  func siblings(command: [String]) throws {
    try place.write(Array("k\tone\n".utf8), to: "lines")
    let late = try waits(command, for: writer("append", "e"))
    #expect(late.errors.contains("--wait"), "\(late.errors)")
  }

  /// Sees that a command gives up after the time it is told to wait, which is reported, and else waits until a writer has
  /// ended.
  private func waits(_ command: [String], for writer: Child) throws -> Outcome {
    let late = try Child(command + ["--wait", "100ms"], in: place).finish()
    #expect(late.ending == .exit(75), "\(late.errors)")
    let patient = try Child(command + ["--wait", "2m"], in: place)
    try expectItWaits(patient, for: writer)
    _ = try writer.finish()
    let outcome = try patient.finish()
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    return late
  }

  @Test(
    "So it is for a store's",
    arguments: [
      ["logstore", "repair", "s", "0", "--apply"], ["migrate", "lines:lines", "store:s", "--key-before-tab"],
    ])
  func siblingsOfStores(command: [String]) throws {
    try place.write(Array("k\tone\n".utf8), to: "lines")
    _ = try waits(command, for: writer("logstore", "append", "s", "--partitions", "1"))
  }

  @Test("Looking who has a log keeps no writer out")
  func looking() throws {
    try place.run("append", "e", input: "one\n")
    let directory = "\(place.path)/logs"
    let watcher = Thread {
      for _ in 0..<200 where !Thread.current.isCancelled { _ = try? LogSurvey("e", in: directory) }
    }
    watcher.start()
    defer { watcher.cancel() }
    for _ in 0..<200 {
      let storage = try Storage(directory: directory, namespaces: ["e"])
      storage.close()
    }
  }

  @Test("Nor does it after a writer that died, however long a look takes")
  func lookingForLong() throws {
    try place.run("append", "e", input: "one\n")
    let path = "\(place.path)/logs/e.lock"
    // As a writer leaves it that died; its number is another process's by now.
    try place.write(Array("pid \(getpid())\nsince 1\nnamespace e\n".utf8), to: "logs/e.lock")
    let file = try #require(FileHandle(forReadingAtPath: path))
    #expect(flock(file.fileDescriptor, LOCK_SH) == 0)
    let tries = Tries(path, 60) { _ = flock(file.fileDescriptor, LOCK_UN) }
    try SystemCalls.withHook(tries) {
      try Storage(directory: "\(place.path)/logs", namespaces: ["e"]).close()
    }
    #expect(tries.count == 60)
  }

  /// Does something once a file was tried to lock so often.
  private final class Tries: SystemCallHook, @unchecked Sendable {
    private let path: String
    private let most: Int
    private let then: () -> Void
    private let lock = NSLock()
    private(set) var count = 0

    init(_ path: String, _ most: Int, then: @escaping () -> Void) {
      (self.path, self.most, self.then) = (path, most, then)
    }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      guard call == .lock, path == self.path else { return .proceed }
      let isDue = lock.withLock {
        count += 1
        return count == most
      }
      if isDue { then() }
      return .proceed
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test("Ctrl-C ends the wait")
  func interrupted() throws {
    let writer = try writer("append", "e")
    let waiting = try place.start("append", "e", "--wait", "2m")
    try expectItWaits(waiting, for: writer)
    waiting.signal(SIGINT)
    #expect(try waiting.finish(closingInput: false).ending == .exit(130))
    _ = try writer.finish()
  }

  @Test(
    "A file that was removed under it is told with status 1", arguments: ["buffered", "synced"],
    ["logs/e.log", "logs/e.idx", "logs/e.lock", "logs"])
  func removed(durability: String, name: String) throws {
    let writer = try writer("append", "e", "--durability", durability)
    try FileManager.default.removeItem(atPath: "\(place.path)/\(name)")
    try writer.send("two\n")
    let outcome = try writer.finish()
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("removed, renamed or replaced"))
    if durability == "synced" { #expect(outcome.lines.isEmpty, "no receipt for what is lost") }
  }

  @Test("So it is of a partition")
  func removedPartition() throws {
    let writer = try writer("logstore", "append", "s", "--partitions", "1")
    try FileManager.default.removeItem(atPath: "\(place.path)/s/0.bilog")
    #expect(try writer.finish().ending == .exit(1))
  }

  @Test("A symbolic link is told as one")
  func link() throws {
    try place.run("append", "e", "--dir", ".", input: "one\n")
    try FileManager.default.createSymbolicLink(atPath: "\(place.path)/l.log", withDestinationPath: "e.log")
    for command in [["append", "l"], ["cat", "l"], ["repair", "l"], ["repair", "l", "--apply"], ["info"]] {
      let outcome = try Child(command + ["--dir", "."], in: place).finish()
      #expect(outcome.ending == .exit(1), "\(command)")
      #expect(outcome.errors.contains("l.log is a symbolic link"), "\(command)")
    }
    #expect(try place.run("cat", "e", "--dir", ".").text == "one\n")
  }

  @Test("No byte of a file reaches the terminal as a command")
  func control() throws {
    let evil = WholePayloadTransformer(name: "\u{1B}]0;x\u{7}\n\u{9B}2J") { bytes, _ in bytes }
    var configuration = Storage.Configuration()
    configuration.codec = Codec(writing: evil, reading: evil)
    let storage = try Storage(directory: place.path, namespaces: ["e"], configuration: configuration)
    try storage.append("one", to: "e")
    storage.close()
    let commands = [
      ["cat", "e"], ["info", "e"], ["verify", "e"], ["repair", "e"], ["append", "e"], ["cat", "\u{1B}[2J"],
      ["append", "e", "no\u{1B}]0;file\u{7}"], ["info", "--dir", "x\u{9B}2J"],
    ]
    for command in commands {
      let directory = command.contains("--dir") ? [] : ["--dir", "."]
      let outcome = try Child(command + directory, in: place).finish()
      let said = outcome.errors + outcome.text
      #expect(
        !said.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || (0x7F..<0xA0).contains($0.value) },
        "\(said.debugDescription)")
    }
  }
}
