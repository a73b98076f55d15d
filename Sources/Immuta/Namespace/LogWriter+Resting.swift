import ImmutaLocking
import Synchronization

// A log that nobody uses closes its descriptors when others need them.

extension LogWriter: OpenFiles.Holder {
  func wasUsed() -> Bool { state.withLock { $0.wasUsed() } }

  func rest() -> OpenFiles.Rest {
    let answer = state.withLock { state -> OpenFiles.Rest in
      if state.isClosed { return .resting }
      if flusher.failure != nil { return .inUse }
      if !flusher.hasFlushed(state.count) { return .unflushed }
      return state.rest() ? .resting : .inUse
    }
    if case .resting = answer { isListed.store(false, ordering: .releasing) }
    return answer
  }

  var flusherOfOwn: (any OpenFiles.HeldFilesFlusher)? { flusher }
  var isOver: Bool { false }

  /// Registers the log's descriptors, so that they are counted, and closed when other logs need descriptors.
  func list() {
    let isNew = isListed.exchange(true, ordering: .acquiringAndReleasing)
    if !isNew { OpenFiles.shared.add(self) }
  }
}
