import ImmutaLocking

// Before the first append: the log is marked as open, and its files are made ready.

extension LogWriter {
  /// With the turn: marks the log as being written, on stable storage, before anything in it changes, so that a crash from here
  /// on is recognised. Runs on a thread that may block. If the record has no room in the newest segment, the log rolls first.
  ///
  /// - Parameter size: how many bytes are to be appended, at least.
  func prepare(for size: Int = 0) async throws {
    if state.withLock({ $0.isPrepared && !$0.isRollDue(adding: size) }) { return }
    try await withCheckedThrowingContinuation { continuation in
      do throws(NoThread) {
        try WorkThreads.shared.add { continuation.resume(with: Result { try self.prepareBlocking(for: size) }) }
      } catch {
        continuation.resume(throwing: ImmutaError(error))
      }
    }
  }

  /// The same, on the caller's thread.
  func prepareBlocking(for size: Int = 0) throws {
    let (isPrepared, isRollDue) = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return (state.isPrepared, state.isRollDue(adding: size))
    }
    if !isPrepared { try prepareNewest() }
    // Also for a segment that was never written to since it was opened: sealing it wakes readers that wait for its next record.
    if isRollDue { try roll() }
  }

  /// With the turn: whether preparing rolls because of this error, and the refused record may be staged again after that.
  func rolls(insteadOf error: ImmutaError) -> Bool { state.withLock { $0.rolls(insteadOf: error) } }

  private func prepareNewest() throws {
    // The files may have to be opened: if many are open, others must be closed first.
    OpenFiles.shared.makeRoom(mayBlock: true)
    // Not while closing: once the log is closed, another writer may have it open.
    try closing.whileOpen {
      let missingMark = try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return state.missingMark
      }
      if let missingMark { try set(missingMark) }
      try state.withLock { (state) throws(ImmutaError) in try state.prepare() }
    }
    list()
  }

  private func set(_ mark: OpenMark) throws(ImmutaError) {
    do throws(OpenMark.Failure) {
      try mark.set()
    } catch {
      // A failed flush is final, and so is a lost name; anything else may be tried again.
      if error.isFinal { state.withLock { $0.fail(error.error) } }
      throw error.error
    }
    state.withLock { $0.noteMarked() }
  }

  /// Marks many logs of a directory together that nobody uses yet, as `prepare` does one by one. So the first append to each
  /// waits for no flush. Throws the error of the first log that could not be marked.
  static func markTogether(_ writers: [LogWriter], in directory: Directory) throws(ImmutaError) {
    let writers = writers.compactMap { writer in writer.state.withLock { $0.missingMark }.map { (writer, $0) } }
    let marks = writers.map(\.1)
    for mark in marks {
      try io(mark.names.check())
      // Nothing was stored in the logs before, so the mark may reach the device together with what it vouches for.
      try mark.keeper.writeOpen()
    }
    let failures = ManyFiles.flush(marks.flatMap { [$0.log, $0.companion] })
    try io(directory.flushNames(through: marks.map(\.namesNoted).max() ?? 0))
    for (place, (writer, _)) in writers.enumerated() {
      let failure = failures[2 * place] ?? failures[2 * place + 1]
      writer.state.withLock { state in
        if let failure { state.fail(ImmutaError(failure)) } else { state.noteMarked() }
        if failure == nil { marks[place].keeper.noteFlushed() }
      }
      // Its files may have been closed before.
      writer.list()
    }
    if let failure = failures.compactMap(\.self).first { throw ImmutaError(failure) }
  }
}
