import ImmutaLocking

/// Work that threads do for something that can be closed: the caller that closes it waits for work that has begun, and nothing
/// begins afterwards.
final class WorkUnderWay: Sendable {
  private let state = Lock(State())

  private struct State {
    var count = 0
    var isClosed = false
    var closing: [ThreadGate] = []
  }

  /// Begins a piece of work; false once it is too late. After true, `end` must follow.
  func begin() -> Bool {
    state.withLock { state in
      if state.isClosed { return false }
      state.count += 1
      return true
    }
  }

  func end() {
    let gates = state.withLock { state -> [ThreadGate] in
      precondition(state.count > 0, "work ends that did not begin")
      state.count -= 1
      if state.count > 0 { return [] }
      defer { state.closing = [] }
      return state.closing
    }
    for gate in gates { gate.open() }
  }

  /// Returns when nothing is under way. Not for a thread that does such work.
  func close() {
    let gate = ThreadGate()
    let waits = state.withLock { state in
      state.isClosed = true
      if state.count > 0 { state.closing.append(gate) }
      return state.count > 0
    }
    if waits { gate.wait() }
  }
}
