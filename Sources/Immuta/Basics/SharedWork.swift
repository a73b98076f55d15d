import ImmutaLocking

/// Work that several threads share, a piece at a time.
final class SharedWork: Sendable {
  private let count: Int
  private let state: Lock<State>
  private let gate = ThreadGate()

  private struct State {
    /// Nil once all is done: a thread that comes too late keeps nothing alive.
    var body: Body?
    /// The threads that hold the body.
    var users = 0
    var taken = 0
  }

  private struct Body {
    let call: @Sendable (Int) -> Void
  }

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    state = Lock(State(body: Body(call: body)))
  }

  func run() {
    let begins = state.withLock { state in
      if state.body == nil { return false }
      state.users += 1
      return true
    }
    if !begins { return }
    takePieces()
    // By now this thread holds the body no more.
    let isLast = state.withLock { state in
      state.users -= 1
      return state.users == 0
    }
    if isLast { gate.open() }
  }

  private func takePieces() {
    guard let body = state.withLock({ $0.body }) else { return }
    while let number = takePiece() { body.call(number) }
  }

  private func takePiece() -> Int? {
    state.withLock { state in
      guard state.taken < count else { return nil }
      defer { state.taken += 1 }
      return state.taken
    }
  }

  /// Returns when all is done, and no thread holds the body.
  func finish() {
    takePieces()
    while !isFinished() { gate.wait() }
  }

  /// All pieces are taken: without a user, all are done.
  private func isFinished() -> Bool {
    state.withLock { state in
      if state.users > 0 { return false }
      state.body = nil
      return true
    }
  }
}
