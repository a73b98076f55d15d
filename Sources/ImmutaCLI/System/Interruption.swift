import ImmutaLibC
import Synchronization

/// The user asked the tool to stop, and it did, in good order.
struct Interrupted: Error {
  /// SIGINT, SIGTERM or SIGHUP.
  let signal: Int32
}

/// Ctrl-C and its like, for commands that have something to finish.
///
/// The first signal is noted, and wakes a thread that waits for input; the command then stops at the next place where stopping
/// leaves everything whole. The second one kills at once.
enum Interruption {
  /// Becomes readable when a signal came, for `poll`; -1, which `poll` passes over, before ``install()``.
  static var descriptor: Int32 { ends.read }

  /// The signal that came, or 0.
  ///
  /// Relaxed: it carries nothing but itself.
  private static let received = Atomic<Int32>(0)
  /// Written once, by `install()`, before any handler can run; only read afterwards.
  nonisolated(unsafe) private static var ends: (read: Int32, write: Int32) = (-1, -1)

  /// Lets the signals through to the main thread.
  ///
  /// A process begins with the signal mask of the thread that started it, and the threads of a Swift server's pool block
  /// everything: without this, a tool that such a server starts could only be killed.
  static func unblock() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// From here on the signals are noted.
  static func install() throws(ToolError) {
    // Makes the lazily initialised globals, which a signal handler must not.
    guard received.load(ordering: .relaxed) == 0, ends.read < 0 else { return }
    var pair: [Int32] = [-1, -1]
    guard pipe(&pair) == 0 else { throw ToolError("cannot make a pipe: \(System.message(for: errno))") }
    for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    ends = (pair[0], pair[1])
    for number in [SIGINT, SIGTERM, SIGHUP] { set(number, handler) }
  }

  /// From here on the signals end the tool at once again.
  static func uninstall() {
    for number in [SIGINT, SIGTERM, SIGHUP] { set(number, SIG_DFL) }
  }

  /// Says what a signal does, unless whoever started the tool asked for it to be ignored: as `nohup` does of SIGHUP, and a shell of
  /// Ctrl-C, for what a script runs in the background.
  private static func set(_ number: Int32, _ handler: (@convention(c) (Int32) -> Void)?) {
    var action = sigaction()
    if sigaction(number, nil, &action) == 0, action.isIgnore { return }
    signal(number, handler)
  }

  /// Does something that waits, and cancels it within a tenth of a second after a signal came.
  ///
  /// - Throws: what `body` throws; `Interrupted` where that is because it was cancelled.
  @MainActor static func cancelling(_ body: @escaping @MainActor () async throws -> Void) async throws {
    try install()
    let work = Task { try await body() }
    let watch = Task.detached {
      while !isRequested { try await Task.sleep(for: .milliseconds(100)) }
      work.cancel()
    }
    defer { watch.cancel() }
    do {
      try await work.value
    } catch let error as CancellationError {
      try check()
      throw error
    }
  }

  /// Throws `Interrupted` once a signal came.
  static func check() throws {
    let number = received.load(ordering: .relaxed)
    if number != 0 { throw Interrupted(signal: number) }
  }

  /// Whether a signal came.
  static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

  /// Only calls that are safe in a signal handler: atomic operations, `write`, `sigaction`, `signal`.
  private static let handler: @convention(c) (Int32) -> Void = { number in
    let saved = errno
    _ = received.compareExchange(expected: 0, desired: number, ordering: .relaxed)
    var byte: UInt8 = 0
    _ = write(ends.write, &byte, 1)
    set(SIGINT, SIG_DFL)
    set(SIGTERM, SIG_DFL)
    set(SIGHUP, SIG_DFL)
    errno = saved
  }
}

extension sigaction {
  /// Whether the signal is ignored.
  fileprivate var isIgnore: Bool {
    #if canImport(Darwin)
      let handler = __sigaction_u.__sa_handler
    #elseif canImport(Musl)
      let handler = __sa_handler.sa_handler
    #else
      let handler = __sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
