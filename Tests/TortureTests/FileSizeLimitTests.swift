import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A limit on the size of files (`ulimit -f`, systemd's `LimitFSIZE=`) is an error, not the signal that the system kills
/// a process with.
@Suite(.timeLimit(.minutes(5))) struct FileSizeLimitTests {
  /// How the tool is asked to append.
  private static let commands = [
    ["append", "e", "--dir", "logs"], ["append", "e", "--dir", "logs", "--durability", "synced"],
    ["logstore", "append", "logs", "--partitions", "1", "--key", "k"],
  ]

  @Test(arguments: commands)
  func whatFitsIsAppended(command: [String]) throws {
    let directory = TemporaryDirectory(inMemory: true)
    // Less than the smallest reservation.
    let outcome = try Self.run(command, limit: 60 << 10, ["a", "b"], directory)
    #expect(outcome.status == 0 && outcome.receipts == 2, "\(outcome.errors)")
  }

  @Test(arguments: commands, [0, 512, 1 << 10, 3 << 10, 8 << 10, 60 << 10, 300 << 10, 2 << 20])
  func whatDoesNotFitIsAnError(command: [String], limit: Int) throws {
    for size in [0, 90, 5_000, 20_000] {
      let directory = TemporaryDirectory(inMemory: true)
      let line = String(repeating: "y", count: size)
      // An empty record takes at least 24 bytes of the companion.
      let lines = [String](repeating: line, count: 2 * limit / max(24, size) + 10)
      let outcome = try Self.run(command, limit: limit, lines, directory)
      #expect(outcome.status == 1, "\(outcome.errors)")
      #expect(outcome.errors.contains("File too large") && outcome.errors.contains("raise the limit"))
      // Without the limit it goes on, behind all that had receipts.
      defer {
        let again = try? Self.run(command, limit: nil, [line], directory)
        #expect(again?.status == 0, "\(again?.errors ?? "")")
        #expect(again?.first == outcome.receipts, "\(again?.first ?? -1) after \(outcome.receipts)")
      }
      // A companion's header takes 4 KiB.
      guard limit > 4 << 10 else { continue }
      // The log or its companion has grown up to the limit.
      let files = try FileManager.default.contentsOfDirectory(atPath: directory.file("logs"))
      let largest = try files.map { try FileBytes.read(directory.file("logs/\($0)"))?.count ?? 0 }.max() ?? 0
      #expect(largest <= limit && largest > limit - size - 48, "\(largest) of \(limit) bytes")
    }
  }

  /// A log that rolls begins another segment where a file of its newest one may not grow, whichever file that is.
  @Test(arguments: [
    ["append", "e", "--dir", "logs", "--segment-bytes", "1G"],
    ["append", "e", "--dir", "logs", "--segment-age", "10d", "--durability", "synced"],
    ["append", "e", "--dir", "logs", "--segment-age", "10d", "--codec", "deflate"],
    ["logstore", "append", "logs", "--partitions", "1", "--key", "k", "--segment-bytes", "1G"],
  ])
  func aLogThatRollsGoesOnInAnotherFile(command: [String]) throws {
    for limit in [20 << 10, 60 << 10] {
      for size in [0, 90, 5_000] {
        let directory = TemporaryDirectory(inMemory: true)
        let line = String(repeating: "y", count: size)
        let isSynced = command.contains("synced")
        let lines = [String](repeating: line, count: (isSynced ? 1 : 3) * limit / max(24, size) + 10)
        let outcome = try Self.run(command, limit: limit, lines, directory)
        #expect(outcome.status == 0, "\(limit), \(size): \(outcome.errors)")
        #expect(outcome.receipts == lines.count, "\(limit), \(size)")
        let again = try Self.run(command, limit: nil, [line], directory)
        #expect(again.first == lines.count, "\(limit), \(size): \(again.errors)")
      }
    }
  }

  /// What writes to files that exist, or makes others beside them, before it reserves space in any.
  @Test(arguments: [0, 512, 1 << 10, 3 << 10, 4 << 10, 5 << 10, 20 << 10])
  func aLogThatIsLargerAlreadyIsRefused(limit: Int) throws {
    let directory = TemporaryDirectory(inMemory: true)
    let lines = (0..<2_000).map { "record \($0)" }
    #expect(try Self.run(Self.commands[0], limit: nil, lines, directory).status == 0)
    let log = try FileBytes.read(directory.file("logs/e.log"))
    for command in [
      Self.commands[0], ["repair", "e", "--dir", "logs", "--apply"],
      ["repair", "e", "--dir", "logs", "--salvage", "rescued"], ["migrate", "log:logs/e", "log:copies/e"],
    ] {
      try? FileManager.default.removeItem(atPath: directory.file("logs/e.idx"))
      try? FileManager.default.removeItem(atPath: directory.file("copies"))
      let outcome = try Self.run(command, limit: limit, ["more"], directory)
      // Repair has nothing to write: it leaves the companion to the next writer.
      let mayPass = command.contains("--apply") && outcome.status == 0
      #expect(mayPass || outcome.status == 1, "\(command) with \(limit): \(outcome.status ?? -1), \(outcome.errors)")
      #expect(mayPass || outcome.errors.contains("File too large"), "\(command) with \(limit): \(outcome.errors)")
      #expect(try FileBytes.read(directory.file("logs/e.log")) == log, "\(command) with \(limit)")
    }
  }

  /// Files that are made beside a log.
  @Test func aCopyThatIsTooLargeIsAnError() throws {
    let directory = TemporaryDirectory(inMemory: true)
    let lines = [String](repeating: String(repeating: "y", count: 1_000), count: 200)
    #expect(try Self.run(Self.commands[0], limit: nil, lines, directory).status == 0)
    let path = directory.file("logs/e.log")
    var bytes = try #require(try FileBytes.read(path))
    bytes[0] = 199
    bytes += [UInt8](repeating: 1, count: 300_000)
    try FileBytes.write(bytes, to: path)
    let repair = ["repair", "e", "--dir", "logs", "--apply"]
    let refused = try Self.run(repair, limit: 100 << 10, [], directory)
    #expect(refused.status == 1 && refused.errors.contains("File too large"), "\(refused.errors)")
    #expect(try FileBytes.read(path) == bytes, "nothing was changed")
  }

  private struct RunOutcome {
    /// Nil when a signal ended it.
    var status: Int32?
    var receipts: Int
    /// The number of the first record that had a receipt.
    var first: Int?
    var errors: String
  }

  private struct Receipt: Decodable {
    var sequence: Int
  }

  /// Feeds the tool lines from a file, in the directory. What it prints goes into a pipe, which has no limit.
  ///
  /// - Parameter limit: of the size of files, a multiple of 512.
  private static func run(
    _ command: [String], limit: Int?, _ lines: [String], _ directory: TemporaryDirectory
  ) throws -> RunOutcome {
    try FileBytes.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: directory.file("input"))
    let limiting = limit.map { "ulimit -f \($0 / 512); " } ?? ""
    let receipts = ["repair", "migrate"].contains(command[0]) ? [] : ["--receipts"]
    // No backtrace: where a signal ends it, that is all there is to say.
    // Whoever started the tests may have had it ignored, as some build servers do; the child inherits that.
    _ = Foundation.signal(SIGXFSZ, SIG_DFL)
    // Threads that run tasks block signals. Where it is blocked, the call fails and nobody dies; a child inherits that, too.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGXFSZ)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    let child = try ChildProcess(
      "/bin/sh",
      [
        "-c", "cd \"$0\"; exec <input; ulimit -c 0; \(limiting)SWIFT_BACKTRACE=enable=no exec \"$@\" 2>&1",
        directory.path, try BuiltTool.path(),
      ] + command + receipts)
    child.closeInput()
    let printed = child.readLines(within: .seconds(60))
    let found = printed.compactMap { try? JSONDecoder().decode(Receipt.self, from: Data($0.utf8)).sequence }
    return RunOutcome(
      status: child.wait(), receipts: found.count, first: found.first,
      errors: printed.filter { !$0.hasPrefix("{") }.joined(separator: "\n"))
  }
}
