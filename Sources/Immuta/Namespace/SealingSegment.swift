import ImmutaLocking

/// A segment that is appended to no more, until it is sealed: its files end with its last record, are on stable storage,
/// and are marked as closed. Whoever comes first seals it. So is the name of the segment after it on stable storage then.
final class SealingSegment: Sendable {
  private let state: Lock<State>
  let first: Int
  /// The first record of the segment after it: once this one is sealed, that one's name is on stable storage.
  let next: Int
  /// The folder that has the name of the segment after it.
  private let newNames: Directory

  private enum State: ~Copyable {
    case open(SegmentWriter)
    case sealed(ImmutaError?)
  }

  /// - Parameters:
  ///   - next: the first record of the segment after it, whose files have their names.
  ///   - newNames: the folder that they have them in.
  init(_ segment: consuming SegmentWriter, next: Int, newNames: Directory) {
    (first, self.next) = (segment.first, next)
    self.newNames = newNames
    state = Lock(.open(segment))
  }

  /// Returns once it is sealed, or why it could not be. May block.
  ///
  /// - Parameters:
  ///   - flushFailure: why a flush of the log failed, if one did: then one that succeeds proves nothing.
  ///   - noteNext: notes which segment comes after it, whose name is on stable storage. Before this one is marked: of a
  ///     segment that is not, nobody knows from elsewhere whether another comes after it.
  func seal(after flushFailure: ImmutaError?, noteNext: (_ next: Int) -> Void) -> ImmutaError? {
    state.withLock { state in
      switch consume state {
      case .sealed(let failure):
        state = .sealed(failure)
        return failure
      case .open(var segment):
        var failure: ImmutaError?
        if let flushFailure { segment.fail(flushFailure) }
        do throws(ImmutaError) {
          try segment.seal { () throws(ImmutaError) in
            // Closing the log flushes the next segment's files, and not their names.
            try io(newNames.flush())
            noteNext(next)
          }
        } catch {
          failure = error
        }
        segment.noteFailedFlush()
        segment.letGo()
        state = .sealed(failure)
        return failure
      }
    }
  }
}
