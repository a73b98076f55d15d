import ImmutaLocking

/// A caller that waits for one answer: a suspended task, or a blocked thread.
enum Waiter: Sendable {
  case task(CheckedContinuation<Void, any Error>)
  case thread(BlockedThread)

  /// Answers. Never under a lock: a resumed task may run at once.
  func resume(with result: Result<Void, any Error> = .success(())) {
    switch self {
    case .task(let continuation): continuation.resume(with: result)
    case .thread(let thread): thread.resume(with: result)
    }
  }
}

/// A thread that waits for one answer.
final class BlockedThread: Sendable {
  private let gate = ThreadGate()
  private let result = Lock<Result<Void, any Error>?>(nil)

  func resume(with result: Result<Void, any Error>) {
    self.result.withLock { $0 = result }
    gate.open()
  }

  func wait() throws {
    gate.wait()
    try result.withLock { $0 }?.get()
  }
}
