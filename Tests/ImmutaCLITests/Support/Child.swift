import Foundation
import ImmutaLibC
import Testing

/// The built tool, running, with pipes to its input and from its outputs.
///
/// Every wait has a deadline; a child that is not over when its owner lets go of it is killed.
final class Child {
  /// How a process ended.
  enum Ending: Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  struct Late: Error, CustomStringConvertible {
    let description: String
  }

  static let patience: Duration = .seconds(120)

  let process: pid_t
  private var input: Int32
  private var output: Int32
  private var errors: Int32
  private var pending: [UInt8] = []
  private var pendingErrors: [UInt8] = []
  private var ending: Ending?
  private let deadline = ContinuousClock.now + Child.patience

  /// Starts the tool.
  ///
  /// `closing` are descriptors it begins without; `program` is a program, with arguments, that becomes the tool.
  init(
    _ arguments: [String], in directory: Workplace, closing: [Int32] = [], as program: [String] = []
  ) throws {
    // One at a time from making the pipes to closing this side's ends: no other child may inherit one of these.
    Child.spawning.lock()
    defer { Child.spawning.unlock() }
    let (inputRead, inputWrite) = try Child.pipe()
    let (outputRead, outputWrite) = try Child.pipe()
    let (errorRead, errorWrite) = try Child.pipe()
    (input, output, errors) = (inputWrite, outputRead, errorRead)

    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputRead, 0)
    posix_spawn_file_actions_adddup2(&actions, outputWrite, 1)
    posix_spawn_file_actions_adddup2(&actions, errorWrite, 2)
    for descriptor in closing { posix_spawn_file_actions_addclose(&actions, descriptor) }

    // Who runs the tests in the background of a script passes on that some signals are ignored.
    #if canImport(Darwin)
      var attributes: posix_spawnattr_t?
    #else
      var attributes = posix_spawnattr_t()
    #endif
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))

    // The shell only changes the directory, and then becomes the tool: the same process.
    let command = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, directory.path] + program + [Child.tool] + arguments
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var variables: [UnsafeMutablePointer<CChar>?] = [
      strdup("PATH=/usr/bin:/bin"), strdup("TMPDIR=\(directory.path)"), nil,
    ]
    defer { for variable in variables { free(variable) } }
    var process: pid_t = 0
    let number = posix_spawn(&process, "/bin/sh", &actions, &attributes, &words, &variables)
    for descriptor in [inputRead, outputWrite, errorWrite] { close(descriptor) }
    self.process = process
    if number != 0 {
      ending = .exit(127)
      throw Late(description: "cannot start \(Child.tool): \(String(cString: strerror(number)))")
    }
  }

  deinit {
    for descriptor in [input, output, errors] where descriptor >= 0 { close(descriptor) }
    if ending == nil {
      kill(process, SIGKILL)
      var status: Int32 = 0
      waitpid(process, &status, 0)
    }
  }

  // MARK: Talking to it

  /// Writes bytes to its input; returns when they are in the pipe.
  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      try wait(for: [input], Int16(POLLOUT))
      // At most what a pipe that is writable takes without blocking.
      let count = rest.prefix(Int(PIPE_BUF)).withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      guard count > 0 else { throw Late(description: "the child reads no more") }
      rest = rest.dropFirst(count)
    }
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  func closeOutput() {
    if output >= 0 { close(output) }
    output = -1
  }

  func signal(_ number: Int32) { kill(process, number) }

  /// The next line of its output, without the newline; nil at the end.
  func line() throws -> String? { try line(of: output, after: &pending) }

  /// The next line of its output, a JSON object; nil at the end.
  func object() throws -> [String: Any]? { try line().map { try JSONLineObject.parse($0) } }

  /// The next line of what it complains of, without the newline; nil at the end.
  func errorLine() throws -> String? { try line(of: errors, after: &pendingErrors) }

  private func line(of descriptor: Int32, after pending: inout [UInt8]) throws -> String? {
    while true {
      if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeSubrange(...end)
        return line
      }
      guard let piece = try piece(of: descriptor) else { return nil }
      pending += piece
    }
  }

  /// So many more bytes of its output, thrown away.
  func skip(_ count: Int) throws {
    var left = count - pending.count
    pending = []
    while left > 0 {
      guard let piece = try piece(of: output, atMost: min(left, 64 << 10)) else {
        throw Late(description: "the output ended \(left) bytes early")
      }
      left -= piece.count
    }
  }

  /// Feeds it, collects what it says, and waits for its end, which may come from the end of its input or by itself.
  func finish(feeding bytes: [UInt8] = [], closingInput: Bool = true) throws -> Outcome {
    var rest = bytes[...]
    var said = pending
    var complained = pendingErrors
    if rest.isEmpty, closingInput { closeInput() }
    while output >= 0 || errors >= 0 {
      var waits = [
        pollfd(fd: rest.isEmpty ? -1 : input, events: Int16(POLLOUT), revents: 0),
        pollfd(fd: output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
      ]
      try wait(&waits)
      if waits[0].revents != 0 {
        let count = rest.prefix(Int(PIPE_BUF)).withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
        rest = rest.dropFirst(max(count, 0))
        if count <= 0 || rest.isEmpty { closeInput() }
      }
      if waits[1].revents != 0 {
        if let piece = try piece(of: output) { said += piece } else { closeOutput() }
      }
      if waits[2].revents != 0 {
        if let piece = try piece(of: errors) {
          complained += piece
        } else {
          close(errors)
          errors = -1
        }
      }
    }
    return Outcome(ending: try waitForEnd(), output: said, errors: String(decoding: complained, as: UTF8.self))
  }

  /// Whether it is over, looked at in passing.
  var isOver: Bool {
    get throws {
      if ending != nil { return true }
      var status: Int32 = 0
      if waitpid(process, &status, WNOHANG) == process {
        ending = status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
        return true
      }
      if ContinuousClock.now > deadline { throw Late(description: "the child is not over after \(Child.patience)") }
      return false
    }
  }

  /// Waits for its end, whatever it still says.
  func waitForEnd() throws -> Ending {
    while try !isOver { usleep(500) }
    return ending ?? .exit(127)
  }

  #if os(Linux)
    /// The most memory it has had, in bytes; nil once it is over.
    var peakMemory: Int? {
      guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else { return nil }
      for line in text.split(separator: "\n") where line.hasPrefix("VmHWM:") {
        return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
      }
      return nil
    }
  #endif

  // MARK: Underneath

  private func piece(of descriptor: Int32, atMost size: Int = 64 << 10) throws -> [UInt8]? {
    try wait(for: [descriptor], Int16(POLLIN))
    var buffer = [UInt8](repeating: 0, count: size)
    let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    return count > 0 ? Array(buffer[..<count]) : nil
  }

  private func wait(for descriptors: [Int32], _ events: Int16) throws {
    var waits = descriptors.map { pollfd(fd: $0, events: events, revents: 0) }
    try wait(&waits)
  }

  private func wait(_ waits: inout [pollfd]) throws {
    while true {
      let left = deadline - .now
      guard left > .zero else { throw Late(description: "the child says nothing for \(Child.patience)") }
      if poll(&waits, nfds_t(waits.count), Int32(left / .milliseconds(1)) + 1) > 0 { return }
    }
  }

  private static let spawning = NSLock()

  private static func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard Foundation.pipe(&ends) == 0 else { throw Late(description: "cannot make a pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// The tool lies where the tests were built.
  static let tool: String = {
    // A write to a child that is over is an error to be told, not the end of the tests.
    _ = Foundation.signal(SIGPIPE, SIG_IGN)
    #if os(Linux)
      var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    #else
      var folder = Bundle.module.bundleURL
    #endif
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let candidate = folder.appendingPathComponent("immuta").path
      var isDirectory: ObjCBool = false
      if FileManager.default.fileExists(atPath: candidate, isDirectory: &isDirectory), !isDirectory.boolValue {
        return candidate
      }
    }
    return "/nonexistent/immuta"
  }()
}

/// What came of a run.
struct Outcome {
  let ending: Child.Ending
  let output: [UInt8]
  let errors: String

  var text: String { String(decoding: output, as: UTF8.self) }
  var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) }

  /// The output, an object a line.
  func objects() throws -> [[String: Any]] {
    try lines.map { try JSONLineObject.parse($0) }
  }
}

/// A line of output that is a JSON object.
private enum JSONLineObject {
  static func parse(_ line: some StringProtocol) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }
}
