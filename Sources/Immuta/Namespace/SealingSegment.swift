import ImmutaLocking

/// A segment that is appended to no more, until it is sealed: its files end with its last record, are on stable storage,
/// and are marked as closed. Whoever comes first seals it.
final class SealingSegment: Sendable {
  private let state: Lock<State>
  let first: Int

  private enum State: ~Copyable {
    case open(SegmentWriter)
    case sealed(ImmutaError?)
  }

  init(_ segment: consuming SegmentWriter) {
    first = segment.first
    state = Lock(.open(segment))
  }

  /// Returns once it is sealed, or why it could not be. May block.
  func seal() -> ImmutaError? {
    state.withLock { state in
      switch consume state {
      case .sealed(let failure):
        state = .sealed(failure)
        return failure
      case .open(var segment):
        var failure: ImmutaError?
        do throws(ImmutaError) { try segment.seal() } catch { failure = error }
        segment.noteFailedFlush()
        segment.letGo()
        state = .sealed(failure)
        return failure
      }
    }
  }

  var isSealed: Bool {
    state.withLock { state in
      switch state {
      case .open: false
      case .sealed: true
      }
    }
  }
}
