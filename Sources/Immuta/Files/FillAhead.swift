import Locking

/// Fills the next step of a file while its writer stores into the one before.
///
/// It works in a task, so that no log needs a thread of its own, and holds its lock while it does. So whoever collects
/// waits for what is being filled, for as long as a call of `pwrite` takes; and what no task has begun is not waited
/// for but taken back: a writer on the last free thread is not held up by a task that finds none.
final class FillAhead: Sendable {
  private let descriptor: Descriptor
  private let state = Lock(State.idle)

  private enum State {
    case idle
    case wanted(Range<Int>)
    case filled(end: Int)
    case failed(ImmutaError)
  }

  init(_ descriptor: Descriptor) {
    self.descriptor = descriptor
  }

  /// Has bytes filled with zeros some time soon. Until `collect`, nobody else may write them.
  func begin(_ range: Range<Int>) {
    state.withLock { $0 = .wanted(range) }
    Task.detached { self.run() }
  }

  private func run() {
    state.withLock { state in
      // Taken back, or done by a task that was begun for an earlier range.
      guard case .wanted(let range) = state else { return }
      do throws(ImmutaError) {
        try descriptor.fillWithZeros(range)
        state = .filled(end: range.upperBound)
      } catch {
        state = .failed(error)
      }
    }
  }

  /// Where what was filled ends; nil when nothing was. Then and afterwards nothing is being filled.
  func collect() throws(ImmutaError) -> Int? {
    let found = state.withLock { state in
      defer { state = .idle }
      return state
    }
    switch found {
    case .idle, .wanted: return nil
    case .filled(let end): return end
    case .failed(let error): throw error
    }
  }
}
