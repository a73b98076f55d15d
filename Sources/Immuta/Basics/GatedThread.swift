import ImmutaLocking

/// A thread that looks after a state which others change: made when there is something for it to do, woken when there is
/// more, and ended when nothing is left.
///
/// Whether it ends is decided under the lock by which the state is changed: a caller that changes the state finds the thread
/// running, or makes another.
package final class GatedThread<State: Sendable>: Sendable {
  /// What the thread does next.
  package enum Step {
    /// This, while nobody's lock is held; then it looks again.
    case work(@Sendable () -> Void)
    /// Nothing until it is woken, or for so many nanoseconds.
    case wait(nanoseconds: Int64? = nil)
    /// Nothing is left.
    case end
  }

  private struct Guarded {
    var state: State
    var isRunning = false
  }

  private let guarded: Lock<Guarded>
  private let gate = ThreadGate()
  private let next: @Sendable (inout State) -> Step

  /// - Parameter next: decides, under the lock, what the thread does next.
  package init(_ state: sending State, next: @escaping @Sendable (inout State) -> Step) {
    guarded = Lock(Guarded(state: state))
    self.next = next
  }

  /// Whether there is a thread.
  var isRunning: Bool { guarded.withLock { $0.isRunning } }

  /// Changes the state, which the thread looks at if `change` returns true.
  ///
  /// If there is no thread, and none can be had, the state is changed all the same: the next caller that changes it tries again.
  package func update(_ change: (inout State) -> Bool) {
    let wakes = guarded.withLock { guarded in
      try? start(&guarded)
      return change(&guarded.state)
    }
    if wakes { gate.open() }
  }

  /// The same, but where there is no thread, and none to be had, it throws and changes nothing.
  func updateIfRunning(_ change: (inout State) -> Bool) throws(NoThread) {
    let wakes = try guarded.withLock { (guarded) throws(NoThread) in
      try start(&guarded)
      return change(&guarded.state)
    }
    if wakes { gate.open() }
  }

  /// For the thread itself, after it has worked: changes the state without being woken.
  func note(_ change: (inout State) -> Void) {
    guarded.withLock { change(&$0.state) }
  }

  private func start(_ guarded: inout Guarded) throws(NoThread) {
    if guarded.isRunning { return }
    try Thread.start { self.run() }
    guarded.isRunning = true
  }

  private func run() {
    while true {
      let step = guarded.withLock { guarded in
        let step = next(&guarded.state)
        if case .end = step { guarded.isRunning = false }
        return step
      }
      switch step {
      case .work(let work): work()
      case .wait(let nanoseconds?): gate.wait(nanoseconds: nanoseconds)
      case .wait(nil): gate.wait()
      case .end: return
      }
    }
  }
}
