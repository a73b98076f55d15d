import ImmutaLocking
import Solid

// The end of a log: alone, or together with many others.

extension LogWriter {
  /// Closes: staged records are gone, callers that wait for a turn get an error, and the files end at the last committed record,
  /// are on stable storage, and are closed.
  ///
  /// - Returns: why they are not on stable storage, the same for each caller that closes. The log is closed all the same, and the
  ///   next opening recovers.
  func close() -> (isFirst: Bool, failure: ImmutaError?) {
    switch closing.begin() {
    case .closed(let failure): (false, failure)
    case .mine: (true, sealAlone(endAppending()))
    }
  }

  // In steps, which logs that are closed together make side by side.

  /// Nobody appends any more, and nobody flushes. Returns the callers that waited for a turn.
  func endAppending() -> [Waiter] {
    endSteps()
    // Nothing is committed after a flush that failed.
    if let failure = flusher.failure { state.withLock { $0.fail(failure) } }
    let waiting = state.withLock { $0.close() }
    flusher.stop()
    flusher.beginsFlush(with: nil)
    roller.close()
    _ = sealNow()
    if let failure = flusher.failure { state.withLock { $0.fail(failure) } }
    return waiting
  }

  private func sealAlone(_ waiting: [Waiter]) -> ImmutaError? {
    let failure = state.withLock { $0.seal() }
    end(waiting, failure)
    return failure
  }

  /// The log and its companion, if they have to be flushed; neither if all committed records are on stable storage.
  private var unflushedFiles: [Descriptor] {
    state.withLock { state in
      let (log, companion) = state.segment.descriptors
      if state.isPrepared, !flusher.hasFlushed(state.count) { return [log, companion] }
      // The old mark may not be on stable storage, and must be before another is written.
      return state.segment.keeper.isFlushed ? [] : [companion]
    }
  }

  /// The log, once it was cut; nothing if it was never written to since it was marked.
  private var cutFiles: [Descriptor] {
    state.withLock { $0.segment.phase.mayHaveWritten ? [$0.segment.descriptors.log] : [] }
  }

  /// The companion, with its mark.
  private var markedFiles: [Descriptor] { state.withLock { [$0.segment.descriptors.companion] } }

  private func end(_ waiting: [Waiter], _ failure: ImmutaError?) {
    // A commit whose caller has not announced it yet is a commit.
    committed.advance(to: state.withLock { $0.count })
    reader.progress.markClosed()
    // Whoever finds the log closed finds its files closed.
    reader.letGo()
    sealed.close()
    flusher.letGo()
    closing.end(failure)
    // Callers are answered only after the log is closed, and without a lock: a caller may call back at once.
    for waiter in waiting { waiter.resume(with: .failure(ImmutaError.storageClosed)) }
    reader.close()
    flusher.end(with: failure)
  }

  // MARK: Many together

  /// Closes many logs, and flushes them together. Otherwise as `close()`.
  static func closeTogether(_ writers: [LogWriter]) -> [(isFirst: Bool, failure: ImmutaError?)] {
    OpenFiles.shared.pieces(writers).flatMap(closeSome)
  }

  private static func closeSome(_ writers: [LogWriter]) -> [(isFirst: Bool, failure: ImmutaError?)] {
    var outcomes = Array(repeating: (isFirst: false, failure: ImmutaError?.none), count: writers.count)
    var together: [(place: Int, writer: LogWriter, waiting: [Waiter], failure: ImmutaError?)] = []
    for (place, writer) in writers.enumerated() {
      switch writer.closing.begin() {
      case .closed(let failure): outcomes[place].failure = failure
      case .mine:
        let waiting = writer.endAppending()
        if writer.state.withLock({ $0.beginSealing() }) {
          together.append((place, writer, waiting, nil))
        } else {
          outcomes[place] = (true, writer.sealAlone(waiting))
        }
      }
    }
    func flush(_ files: (LogWriter) -> [Descriptor]) {
      var wanted: [(place: Int, file: Descriptor)] = []
      for place in together.indices where together[place].failure == nil {
        wanted += files(together[place].writer).map { (place, $0) }
      }
      for (number, failure) in ManyFiles.flush(wanted.map(\.file)).enumerated() {
        let place = wanted[number].place
        together[place].failure = together[place].failure ?? failure.map { ImmutaError($0) }
      }
    }
    func forEach(_ body: (inout WriterState) throws(ImmutaError) -> Void) {
      for place in together.indices where together[place].failure == nil {
        do throws(ImmutaError) {
          try together[place].writer.state.withLock { (state) throws(ImmutaError) in try body(&state) }
        } catch {
          together[place].failure = error
        }
      }
    }
    // The order is that of sealing one: records and entries, then the files' ends, then the marks that vouch for both.
    flush { $0.unflushedFiles }
    forEach { (state) throws(ImmutaError) in state.noteFlushed() }
    forEach { (state) throws(ImmutaError) in try state.cut() }
    flush { $0.cutFiles }
    forEach { (state) throws(ImmutaError) in try state.writeClean() }
    flush { $0.markedFiles }
    for (place, writer, waiting, failure) in together {
      writer.state.withLock { $0.letGo() }
      writer.end(waiting, failure)
      outcomes[place] = (true, failure)
    }
    return outcomes
  }
}
