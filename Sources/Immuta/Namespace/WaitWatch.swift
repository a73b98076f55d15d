import ImmutaLocking
import Logging

/// Logs when callers wait long for a turn: first after a while, then whenever that time has doubled.
struct LongWaits: Sendable {
  let namespace: String
  let logger: Logger?
  /// How long a wait must be to be logged.
  let threshold: Duration
}

/// Watches long waits, on one thread for the process, which exists only while a caller waits.
enum WaitWatch {
  /// A log whose turn a caller waits for.
  private struct Watched {
    let writer: LogWriter
    /// The wait that was checked last, and how long it may last until it is logged.
    var wait: ContinuousClock.Instant?
    var limit: Duration
  }

  private struct State {
    var watched: [Watched] = []
    /// How long until there may be something to log; nil when that is not known.
    var pause: Int64?
  }

  private static let thread = GatedThread(State()) { state in
    if state.watched.isEmpty { return .end }
    if let pause = state.pause {
      state.pause = nil
      return .wait(nanoseconds: pause)
    }
    return .work { [watched = state.watched] in look(at: watched) }
  }

  /// Watches the writer's queue until nobody is in it. If no thread can be had, nothing is logged.
  static func add(_ writer: LogWriter, _ limit: Duration) {
    thread.update { state in
      state.watched.append(Watched(writer: writer, limit: limit))
      return true
    }
  }

  /// Logs what is due, and notes how long until there may be more.
  private static func look(at watched: [Watched]) {
    let now = ContinuousClock.now
    var left: [Watched] = []
    var next = Duration.seconds(3600)
    for var one in watched {
      guard let waiting = one.writer.longestWait() else { continue }
      if one.wait != waiting.since { (one.wait, one.limit) = (waiting.since, one.writer.longWaits.threshold) }
      let time = now - waiting.since
      if time >= one.limit {
        one.writer.tell(waiting, after: time)
        while one.limit <= time { one.limit *= 2 }
      }
      next = min(next, one.limit - time)
      left.append(one)
    }
    thread.note { [left] state in
      // Only this thread removes items from the list; others add to its end.
      state.watched.replaceSubrange(..<watched.count, with: left)
      state.pause = max(1_000_000, next.nanoseconds)
    }
  }
}

extension LogWriter {
  /// The callers that wait, and for whom.
  struct Queue: Sendable {
    /// When the first of them began to wait.
    var since: ContinuousClock.Instant
    var turn: TakenTurn
  }

  func tell(_ queue: Queue, after time: Duration) {
    let turn = queue.turn
    longWaits.logger?.tell(
      .longWait, .warning,
      """
      an append has waited \(time.tenths) for its turn: \(turn.work) has had it for \
      \((.now - turn.since).tenths), \(turn.waiting) in all wait for it
      """,
      [
        "namespace": "\(longWaits.namespace)", "path": "\(path)", "seconds": "\(time.inSeconds)",
        "holder": "\(turn.work)", "waiting": "\(turn.waiting)",
      ])
  }
}
