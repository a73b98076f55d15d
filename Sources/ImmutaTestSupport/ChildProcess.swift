import Foundation

/// A program that runs beside the test, reads lines and prints lines, and may be killed at any moment.
///
/// Killed with SIGKILL, and waited for, when the last reference goes.
///
/// Not swift-subprocess: its processes live as long as a closure, and their output is awaited. These are several at once, and
/// read within a time by tests that are not async. Users of Immuta would also download it, and swift-system.
public final class ChildProcess {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var unread: [UInt8] = []
  private var hasEnded = false

  /// Starts a program; its standard error is the test's.
  ///
  /// - Parameter environment: variables that it gets beside the test's own, or in place of them.
  public init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    process.executableURL = URL(filePath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    // The child's ends are the child's alone: reading ends when it does.
    try? output.fileHandleForWriting.close()
    try? input.fileHandleForReading.close()
  }

  deinit {
    kill()
    process.waitUntilExit()
  }

  /// The path of a program that was built beside the running one.
  ///
  /// - Throws: `Finding` when there is none.
  public static func sibling(named name: String) throws -> String {
    var directory = (Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])).deletingLastPathComponent()
    for _ in 0..<5 {
      let path = directory.appending(path: name).path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
      directory = directory.deletingLastPathComponent()
    }
    throw Finding("there is no program “\(name)” beside \(CommandLine.arguments[0])")
  }

  /// The process's number.
  public var identifier: Int32 { process.processIdentifier }

  /// Sends SIGKILL.
  public func kill() {
    if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
  }

  /// Waits for the end; returns the exit status, or nil when a signal ended it.
  ///
  /// Blocks.
  @discardableResult
  public func wait() -> Int32? {
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : nil
  }

  /// Sends a line to its standard input.
  public func write(line: String) throws {
    try input.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8))
  }

  /// Closes its standard input.
  public func closeInput() {
    try? input.fileHandleForWriting.close()
  }

  /// The next line it prints; nil when it ended, or printed none within the time.
  ///
  /// What it printed of a line when it was
  /// killed is no line. Blocks.
  public func readLine(within patience: Duration) -> String? {
    let deadline = ContinuousClock.now + patience
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        defer { unread.removeFirst(end + 1) }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      if hasEnded { return nil }
      let left = deadline - .now
      let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
      if left < .zero { return nil }
      var request = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
      if poll(&request, 1, Int32(clamping: milliseconds + 1)) <= 0 { continue }
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { hasEnded = true }
      unread += data
    }
  }

  /// Reads so many lines, waits for a moment, and kills it. Returns all lines that it printed: fewer than that where it had ended
  /// by itself.
  public func kill(afterLines count: Int, pause: Duration) async throws -> [String] {
    var lines: [String] = []
    while lines.count < count, let line = readLine(within: .seconds(20)) { lines.append(line) }
    try await Task.sleep(for: pause)
    kill()
    lines += readLines(within: .seconds(20))
    wait()
    return lines
  }

  /// All lines it prints until it ends, or the time is over.
  ///
  /// Blocks.
  public func readLines(within patience: Duration) -> [String] {
    let deadline = ContinuousClock.now + patience
    var lines: [String] = []
    while let line = readLine(within: deadline - .now) { lines.append(line) }
    return lines
  }
}
