import ImmutaLocking

/// Fills the next step of a file while its writer stores into the one before.
///
/// Its lock is held while it does. So a writer that collects waits for filling that has begun, for as long as a call or two of
/// `pwrite` take. Filling that has not begun is taken back instead: other files never hold up a writer.
final class FillAhead: Sendable {
  private let state = Lock(State())

  private struct State {
    var step = Step.none
    /// Whether the thread has it in its list.
    var isListed = false
  }

  private enum Step {
    case none
    /// It has the file: once that is taken back, the thread that comes too late keeps nothing open.
    case wanted(Range<Int>, in: Descriptor)
    case filled(end: Int)
    case failed(FileError)
  }

  /// Has bytes of a file filled with zeros some time soon. Until `collect`, nobody else may write them.
  func begin(_ range: Range<Int>, in file: Descriptor) {
    let isListed = state.withLock { state in
      state.step = .wanted(range, in: file)
      defer { state.isListed = true }
      return state.isListed
    }
    if !isListed { FillThread.add(self) }
  }

  fileprivate func run() {
    state.withLock { state in
      state.isListed = false
      // Otherwise it was taken back.
      guard case .wanted(let range, let file) = state.step else { return }
      do throws(FileError) {
        try file.fillWithZeros(range)
        state.step = .filled(end: range.upperBound)
      } catch {
        state.step = .failed(error)
      }
    }
  }

  /// The end of the filled bytes; nil when nothing was filled. From then on nothing is being filled.
  func collect() throws(FileError) -> Int? {
    let step = state.withLock { state in
      defer { state.step = .none }
      return state.step
    }
    switch step {
    case .none, .wanted: return nil
    case .filled(let end): return end
    case .failed(let error): throw error
    }
  }
}

/// The thread that fills, one for the process. A thread of our own: a slow device makes a call of `pwrite` wait.
private enum FillThread {
  private static let thread = GatedThread([FillAhead]()) { listed in
    if listed.isEmpty { return .wait() }
    defer { listed = [] }
    return .work { [listed] in for fill in listed { fill.run() } }
  }

  /// Without a thread to be had nothing is filled ahead, and the writers do it themselves.
  static func add(_ fill: FillAhead) {
    thread.update { listed in
      listed.append(fill)
      return true
    }
  }
}
