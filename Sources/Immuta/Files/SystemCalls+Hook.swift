import ImmutaLocking
import Synchronization

// How tests see the calls, and change them.
extension SystemCalls {
  static let hooks = Lock<[any SystemCallHook]>([])
  /// Relaxed: a test installs its hook on the same thread, before it starts the work that the hook should see.
  static let isHooked = Atomic<Bool>(false)

  /// Runs `body` with a hook that sees the calls on every path; hooks of tests that run side by side see each other's calls, and
  /// distinguish them by path.
  @discardableResult
  package static func withHook<R>(_ hook: some SystemCallHook & AnyObject, _ body: () throws -> R) rethrows -> R {
    install(hook)
    defer { remove(hook) }
    return try body()
  }

  @discardableResult
  package static func withHook<R>(
    _ hook: some SystemCallHook & AnyObject, _ body: () async throws -> R
  ) async rethrows -> R {
    install(hook)
    defer { remove(hook) }
    return try await body()
  }

  private static func install(_ hook: some SystemCallHook) {
    hooks.withLock {
      $0.append(hook)
      isHooked.store(true, ordering: .relaxed)
    }
  }

  private static func remove(_ hook: some SystemCallHook & AnyObject) {
    hooks.withLock { hooks in
      hooks.removeAll { $0 as AnyObject === hook }
      isHooked.store(!hooks.isEmpty, ordering: .relaxed)
    }
  }

  static func outcome(_ call: SystemCall, _ path: @autoclosure () -> String) -> SystemCallOutcome {
    guard isHooked.load(ordering: .relaxed) else { return .proceed }
    let path = path()
    for hook in hooks.withLock({ $0 }) {
      let outcome = hook.willCall(call, path: path)
      if case .proceed = outcome { continue }
      return outcome
    }
    return .proceed
  }

  static func succeeded(_ call: SystemCall, _ path: @autoclosure () -> String) {
    guard isHooked.load(ordering: .relaxed) else { return }
    let path = path()
    for hook in hooks.withLock({ $0 }) { hook.didCall(call, path: path) }
  }

  static func willAskStatus(_ path: String) {
    guard isHooked.load(ordering: .relaxed) else { return }
    for hook in hooks.withLock({ $0 }) { hook.willAskStatus(path: path) }
  }

  static func wrote(_ count: Int, at offset: Int, path: String) -> Int {
    if isHooked.load(ordering: .relaxed) {
      for hook in hooks.withLock({ $0 }) { hook.didWrite(offset..<offset + count, path: path) }
    }
    return count
  }
}
