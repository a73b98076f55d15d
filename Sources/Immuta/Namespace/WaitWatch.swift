import ImmutaLocking
import Logging

/// Tells the logger of those who wait long for a turn: at first after a while, then whenever that has doubled.
struct LongWaits: Sendable {
  let namespace: String
  let logger: Logger?
  /// How long a wait is that people should know of.
  let threshold: Duration
}

/// The thread that looks after those who wait, one for the process; it is there only while somebody does.
final class WaitWatch: Sendable {
  static let shared = WaitWatch()

  /// A log that somebody waits for.
  private struct Watched {
    let writer: LogWriter
    /// The wait that was looked at last, and how long it may last until it is told.
    var wait: ContinuousClock.Instant?
    var limit: Duration
  }

  private struct State {
    var watched: [Watched] = []
    var isRunning = false
  }

  private let state = Lock(State())
  private let gate = ThreadGate()

  /// Looks after the writer's queue until nobody is in it. Without a thread to be had nobody is told.
  func add(_ writer: LogWriter, _ limit: Duration) {
    state.withLock { state in
      state.watched.append(Watched(writer: writer, limit: limit))
      if !state.isRunning { state.isRunning = (try? Thread.start { self.run() }) != nil }
    }
    gate.open()
  }

  private func run() {
    while let pause = lookAround() { gate.wait(nanoseconds: pause) }
  }

  /// Tells what is to be told; returns how long until there may be more, and nil when nobody waits.
  private func lookAround() -> Int64? {
    let now = ContinuousClock.now
    var left: [Watched] = []
    var next: Duration?
    // Only this thread takes out what is in the list; others add to its end.
    let watched = state.withLock { $0.watched }
    for var one in watched {
      guard let waiting = one.writer.longestWait() else { continue }
      if one.wait != waiting.since { (one.wait, one.limit) = (waiting.since, one.writer.longWaits.threshold) }
      let time = now - waiting.since
      if time >= one.limit {
        one.writer.tell(waiting, after: time)
        while one.limit <= time { one.limit *= 2 }
      }
      next = min(next ?? .seconds(3600), one.limit - time)
      left.append(one)
    }
    return state.withLock { state in
      state.watched.removeFirst(watched.count)
      state.watched.append(contentsOf: left)
      // Decided under the lock that `add` takes: either it finds the thread running on, or starts another.
      if state.watched.isEmpty { state.isRunning = false }
      guard state.isRunning else { return nil }
      return max(1_000_000, (next ?? .zero).nanoseconds)
    }
  }
}

extension LogWriter {
  /// Those who wait, and for whom.
  struct Queue: Sendable {
    /// When the first of them began to wait.
    var since: ContinuousClock.Instant
    var turn: TakenTurn
  }

  func tell(_ queue: Queue, after time: Duration) {
    let turn = queue.turn
    longWaits.logger?.warning(
      """
      an append has waited \(Self.seconds(time)) for its turn: \(turn.work) has had it for \
      \(Self.seconds(.now - turn.since)), \(turn.waiting) in all wait for it
      """, metadata: ["namespace": "\(longWaits.namespace)", "path": "\(path)"])
  }

  private static func seconds(_ time: Duration) -> String {
    let tenths = time.nanoseconds / 100_000_000
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
