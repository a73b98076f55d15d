import ImmutaLocking

/// How far the closing of a log is; and whether it is being prepared for appending, which closing waits for.
final class Closing: Sendable {
  private let state = Lock(State.open)

  private enum State {
    case open
    /// Somebody prepares the log, or closes it. Those who want to close it wait.
    case busy(isClosing: Bool, [ThreadGate])
    case closed(ImmutaError?)
  }

  /// What became of the wish to close.
  enum Turn {
    /// It is the caller's to close; then ``end(_:)`` must follow.
    case mine
    /// Somebody else has, with this outcome.
    case closed(ImmutaError?)
  }

  /// Waits for whoever prepares or closes the log.
  func begin() -> Turn {
    let gate = ThreadGate()
    while true {
      let turn = state.withLock { state -> Turn? in
        switch state {
        case .open:
          state = .busy(isClosing: true, [])
          return .mine
        case .busy(let isClosing, let gates):
          state = .busy(isClosing: isClosing, gates + [gate])
          return nil
        case .closed(let failure): return .closed(failure)
        }
      }
      if let turn { return turn }
      gate.wait()
    }
  }

  /// The log is closed: those who waited for that go on.
  func end(_ failure: ImmutaError?) {
    change(to: .closed(failure))
  }

  /// Calls `body` while nobody closes the log; one at a time.
  ///
  /// - Throws: `.storageClosed` once somebody does.
  func whileOpen(_ body: () throws -> Void) throws {
    try state.withLock { (state) throws(ImmutaError) in
      guard case .open = state else { throw .storageClosed }
      state = .busy(isClosing: false, [])
    }
    defer { change(to: .open) }
    try body()
  }

  private func change(to next: State) {
    let waiting = state.withLock { state in
      guard case .busy(_, let gates) = state else { preconditionFailure("nobody was at it") }
      state = next
      return gates
    }
    for gate in waiting { gate.open() }
  }
}

extension LogWriter {
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
        if writer.beginFinishing() {
          together.append((place, writer, waiting, nil))
        } else {
          outcomes[place] = (true, writer.finishAlone(waiting))
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
    func forEach(_ body: (LogWriter) throws(ImmutaError) -> Void) {
      for place in together.indices where together[place].failure == nil {
        do throws(ImmutaError) { try body(together[place].writer) } catch { together[place].failure = error }
      }
    }
    // The order is `finish`'s: records and entries, then the files' ends, then the marks that vouch for both.
    flush { $0.unflushedFiles }
    forEach { (writer) throws(ImmutaError) in try writer.cut() }
    flush { $0.cutFiles }
    forEach { (writer) throws(ImmutaError) in try writer.writeClean() }
    flush { $0.markedFiles }
    for (place, writer, waiting, failure) in together {
      writer.endFinishing(waiting, failure)
      outcomes[place] = (true, failure)
    }
    return outcomes
  }
}
