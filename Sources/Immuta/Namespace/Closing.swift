import ImmutaLocking

/// How far the closing of a log has come; and whether the log is being prepared for appending, which closing waits for.
final class Closing: Sendable {
  private let state = Lock(State.open)

  private enum State {
    case open
    /// Somebody prepares the log, or closes it. Other callers that want to close it wait.
    case busy(isClosing: Bool, [ThreadGate])
    case closed(ImmutaError?)
  }

  /// The answer to a caller that wants to close.
  enum Turn {
    /// The caller must close; then ``end(_:)`` must follow.
    case mine
    /// Somebody else has, with this outcome.
    case closed(ImmutaError?)
  }

  /// Waits until nobody else prepares or closes the log.
  func begin() -> Turn {
    let gate = ThreadGate()
    while true {
      let turn = state.withLock { state -> Turn? in
        switch state {
        case .open:
          state = .busy(isClosing: true, [])
          return .mine
        case .busy(let isClosing, let gates):
          state = .busy(isClosing: isClosing, gates + [gate])
          return nil
        case .closed(let failure): return .closed(failure)
        }
      }
      if let turn { return turn }
      gate.wait()
    }
  }

  /// The log is closed: callers that waited for that go on.
  func end(_ failure: ImmutaError?) {
    change(to: .closed(failure))
  }

  /// Calls `body` while nobody closes the log; one at a time.
  ///
  /// - Throws: `.storageClosed` once somebody closes it.
  func whileOpen(_ body: () throws -> Void) throws {
    try state.withLock { (state) throws(ImmutaError) in
      guard case .open = state else { throw .storageClosed }
      state = .busy(isClosing: false, [])
    }
    defer { change(to: .open) }
    try body()
  }

  private func change(to next: State) {
    let waiting = state.withLock { state in
      guard case .busy(_, let gates) = state else { preconditionFailure("nobody was at it") }
      state = next
      return gates
    }
    for gate in waiting { gate.open() }
  }
}
