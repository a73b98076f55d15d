import Foundation
import Immuta
import Testing

/// What cannot be written, or cannot be read to its end, is no success.
@Suite("Input and output that fail")
struct OutputTests {
  let place: Workplace

  init() throws {
    place = Workplace()
    try place.run("append", "e", input: (0..<10).map { "\($0)\n" }.joined())
    try place.run("logstore", "append", "s", "--partitions", "1", "--key", "k", input: "a\nb\n")
  }

  /// Runs the tool through a shell that redirects something.
  private func run(_ arguments: [String], _ redirection: String, input: String = "") throws -> Outcome {
    try Child(arguments, in: place, as: ["/bin/sh", "-c", "exec \"$@\" \(redirection)", "sh"])
      .finish(feeding: Array(input.utf8))
  }

  static let printing: [[String]] = [
    ["--help"], ["--version"], ["help", "append"], ["cat", "--help"], ["cat", "e"], ["cat", "e", "--format", "hex"],
    ["info"], ["info", "--json"], ["verify"], ["verify", "--json"], ["repair", "e"], ["repair", "e", "--json"],
    ["append", "e", "--receipts"], ["append", "e", "--json"], ["logstore", "info", "s"], ["logstore", "cat", "s"],
    ["logstore", "verify", "s"], ["logstore", "repair", "s", "0"],
    ["logstore", "append", "s", "--key", "k", "--receipts"], ["migrate", "log:logs/e", "log:logs/copy", "--json"],
    ["migrate", "log:logs/e", "log:logs/copy"], ["demo", "--records", "10", "--size", "10"],
  ]

  @Test("A full disk is told with status 1 by every command that prints", arguments: printing)
  func full(arguments: [String]) throws {
    let outcome = try run(arguments, "> /dev/full", input: "new\n")
    #expect(outcome.ending == .exit(1), "\(outcome.errors)")
    #expect(outcome.errors.contains("No space left"), "\(outcome.errors)")
  }

  @Test("A reader that has gone is told with status 1, but of cat, whose reader has seen enough", arguments: printing)
  func closed(arguments: [String]) throws {
    let child = try Child(arguments, in: place)
    child.closeOutput()
    let outcome = try child.finish(feeding: Array("new\n".utf8))
    let isCat = arguments.contains("cat") && !arguments.contains("--help")
    #expect(outcome.ending == .exit(isCat ? 0 : 1), "\(outcome.errors)")
    #expect(outcome.errors.isEmpty == isCat)
  }

  @Test(
    "Input that cannot be read makes nothing and is told with status 1", arguments: ["< /", "<&-", "/proc/self/mem"])
  func input(redirection: String) throws {
    if redirection.hasPrefix("/proc"), !FileManager.default.fileExists(atPath: "/proc/self/mem") { return }
    for command in [["append", "new"], ["logstore", "append", "t", "--partitions", "2", "--key", "k"]] {
      let outcome = try run(command, redirection)
      #expect(outcome.ending == .exit(1), "\(outcome.errors)")
      #expect(outcome.errors.hasPrefix("immuta: cannot read "), "\(outcome.errors)")
    }
    if !redirection.hasPrefix("/proc") { #expect(try place.names(in: "logs") == ["e.idx", "e.lock", "e.log"]) }
    #expect(!FileManager.default.fileExists(atPath: "\(place.path)/t"))
    let directory = try place.run("append", "new", "logs")
    #expect(directory.ending == .exit(1) && directory.errors.contains("is a directory"))
  }

  @Test(
    "Too few open files are told with a number, and nothing dies of a signal",
    arguments: [3, 4, 5, 8, 12, 16, 24, 31, 34, 35, 36, 40])
  func descriptors(limit: Int) throws {
    let commands = [
      ["append", "e", "--receipts"], ["cat", "e", "--limit", "1"], ["info"], ["verify"], ["repair", "e"], ["--version"],
      ["logstore", "append", "s", "--key", "k", "--receipts"], ["logstore", "verify", "s"],
      ["migrate", "log:logs/e", "log:logs/copy"], ["backup", "many", "copies"],
    ]
    try Storage(directory: "\(place.path)/many", namespaces: (0..<64).map { "n\($0)" }).close()
    for command in commands {
      let outcome = try Child(command, in: place, as: ["/bin/sh", "-c", "ulimit -n \(limit); exec \"$@\"", "sh"])
        .finish(feeding: Array("new\n".utf8))
      guard case .exit(let status) = outcome.ending else {
        Issue.record("\(command) with \(limit) open files: \(outcome.ending)")
        continue
      }
      #expect(status == 0 ? !outcome.output.isEmpty : !outcome.errors.isEmpty, "\(command) with \(limit)")
      // Below some limit not even the program's libraries can be opened, which the system says.
      if status != 0, status != 127 {
        #expect(outcome.errors.contains(/ulimit -n [0-9]/), "\(command) with \(limit): \(outcome.errors)")
      }
    }
  }

  #if os(Linux)
    @Test("Without /proc, which Swift's scheduler needs, every command refuses, and nothing is half done")
    func withoutProc() throws {
      guard geteuid() == 0 else {
        print("SKIPPED: what happens without /proc is not tested, since only root can do without it")
        return
      }
      let without = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", "umount -l /proc && exec \"$@\"", "sh"]
      for command in [["append", "p"], ["append", "e", "--json"], ["cat", "e"], ["verify"], []] {
        let outcome = try Child(command, in: place, as: without).finish(feeding: Array("one\n".utf8))
        #expect(outcome.ending == .exit(1) && outcome.output.isEmpty)
        #expect(outcome.errors.contains("mount -t proc proc /proc"))
      }
      #expect(try place.names(in: "logs") == ["e.idx", "e.lock", "e.log"])
      #expect(try place.run("cat", "e").lines.count == 10)
    }
  #endif

  @Test(
    "Too little memory is told with a number, and nothing hangs or dies of a signal",
    arguments: [20_000, 30_000, 50_000, 80_000, 120_000, 200_000, 400_000])
  func memory(limit: Int) throws {
    let limited = ["/bin/sh", "-c", "ulimit -v \(limit); exec \"$@\"", "sh"]
    // Where a program and its libraries hardly fit, the system or a library ends it before its first instruction, with a
    // signal. Then it cannot even say its version.
    if limit < 80_000, case .signal = try Child(["--version"], in: place, as: limited).finish().ending { return }
    for command in [["append", "e", "--receipts"], ["cat", "e", "--limit", "1"], ["verify", "e"]] {
      let outcome = try Child(command, in: place, as: limited).finish(feeding: Array("new\n".utf8))
      guard case .exit(let status) = outcome.ending else {
        Issue.record("\(command) with \(limit) KiB: \(outcome.ending)")
        continue
      }
      // Below some limit not even the program's libraries can be loaded, which the system says.
      if status != 0, status != 127 {
        #expect(outcome.errors.contains("ulimit -v") || outcome.errors.contains("no log"), "\(outcome.errors)")
      }
    }
  }
}
