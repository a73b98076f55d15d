import ImmutaLocking

/// A segment that is not appended to any more, until it is sealed. Once sealed, its files end with its last record, are on stable
/// storage, and are marked as closed, and the name of the segment after it is on stable storage, too. The first caller that comes
/// seals it.
final class SealingSegment: Sendable {
  private let state: Lock<State>
  let first: Int
  /// The first record of the next segment, whose name is on stable storage once this segment is sealed.
  let next: Int

  private enum State: ~Copyable {
    /// With the folder that has the name of the next segment. Once sealed nothing is open any more, whoever still holds the object.
    case open(SegmentWriter, newNames: Directory)
    case sealed(ImmutaError?)
  }

  /// - Parameters:
  ///   - next: the first record of the next segment, whose files have their names.
  ///   - newNames: the folder with those names.
  init(_ segment: consuming SegmentWriter, next: Int, newNames: Directory) {
    (first, self.next) = (segment.first, next)
    state = Lock(.open(segment, newNames: newNames))
  }

  /// Returns once it is sealed, or why it could not be. May block.
  ///
  /// - Parameters:
  ///   - flushFailure: why a flush of the log failed, if one did: then a later flush that succeeds proves nothing.
  ///   - noteNext: notes the next segment, whose name is on stable storage. Called before this segment is marked as sealed: for a
  ///     segment that is not marked, no other file need say whether another one follows.
  func seal(after flushFailure: ImmutaError?, noteNext: (_ next: Int) -> Void) -> ImmutaError? {
    state.withLock { state in
      switch consume state {
      case .sealed(let failure):
        state = .sealed(failure)
        return failure
      case .open(var segment, let newNames):
        var failure: ImmutaError?
        if let flushFailure { segment.fail(flushFailure) }
        do throws(ImmutaError) {
          try segment.seal { () throws(ImmutaError) in
            // Closing the log flushes the next segment's files, but not their names.
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
