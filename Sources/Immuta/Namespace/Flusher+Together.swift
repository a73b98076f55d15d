import ImmutaLocking
import Solid

// Many logs are flushed together, so that the device is waited for once.

extension Flusher {
  /// Flushes many logs together. Logs that are being flushed, or that need no flush, are left out.
  func flushTogether(with others: ArraySlice<any OpenFiles.HeldFilesFlusher>) {
    Self.flushTogether([self] + others.compactMap { $0 as? Flusher })
  }

  /// Puts all committed records of several logs on stable storage. May block.
  static func flushTogether(_ flushers: [Flusher]) {
    let flushers = flushers.filter { !$0.hasFlushed($0.committed.generation) && $0.beginFlush(here: true) }
    var files: [Descriptor] = []
    var pieces: [(place: Int, target: FlushTarget, end: Int, header: UInt64)] = []
    var counts: [Int] = []
    var refusals: [ImmutaError?] = []
    for (place, flusher) in flushers.enumerated() {
      flusher.takeNote()
      refusals.append(flusher.commitRound())
      counts.append(flusher.committed.generation)
      for (target, end) in flusher.targets.withLock({ $0.due(for: counts[place]) }) {
        pieces.append((place, target, end, target.keeper.current.generation))
        files += target.files.takeOver()
      }
    }
    let starts = flushers.map { $0.watch.start() }
    let flushFailures = ManyFiles.flush(files)
    var failures = [ImmutaError?](repeating: nil, count: flushers.count)
    for (number, piece) in pieces.enumerated() where failures[piece.place] == nil {
      do throws(ImmutaError) {
        if let failure = flushFailures[2 * number] ?? flushFailures[2 * number + 1] { throw ImmutaError(failure) }
        try flushers[piece.place].noteFlush(piece.target, through: piece.end) { () throws(ImmutaError) in
          try piece.target.noteFlushed(through: piece.end, header: piece.header)
        }
      } catch {
        failures[piece.place] = error
      }
    }
    // Before any caller is answered: a caller that then closes a log finds nobody else holding its files.
    (files, pieces) = ([], [])
    for (place, flusher) in flushers.enumerated() {
      if let failure = failures[place] {
        flusher.fail(failure)
      } else {
        flusher.finish(counts[place], refusing: refusals[place])
        flusher.watch.note(since: starts[place])
      }
      flusher.endFlush()
    }
  }
}
