/// What must be on stable storage before the first append to a segment: the files, their names, and the companion's mark which
/// says that the log is open, so that a crash from then on is recognised.
struct OpenMark {
  let log: Descriptor
  let companion: Descriptor
  let directory: Directory
  let names: NameCheck
  /// See ``Directory/noteNames()``.
  let namesNoted: Int
  let keeper: CompanionKeeper

  /// Why the log could not be marked.
  struct Failure: Error {
    let error: ImmutaError
    /// A flush failed, which is final; anything else may be tried again.
    let isFinal: Bool
  }

  /// Flushes the files with their directory and its own entry, where they may be new or may have been left unflushed
  /// by an opening that appended nothing, and marks the log as open.
  func set() throws(Failure) {
    do throws(ImmutaError) { try io(names.check()) } catch { throw Failure(error: error, isFinal: error.isLogMoved) }
    do throws(ImmutaError) { try io(log.flush()) } catch { throw Failure(error: error, isFinal: log.hasFailedFlush) }
    do throws(ImmutaError) {
      try io(directory.flushNames(through: namesNoted))
    } catch {
      throw Failure(error: error, isFinal: directory.hasFailedFlush)
    }
    do throws(ImmutaError) {
      try keeper.markOpen()
    } catch {
      throw Failure(error: error, isFinal: keeper.hasFailedFlush)
    }
  }
}
