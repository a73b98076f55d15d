import Immuta
import Synchronization

/// How far a copy is: a bar on standard error, or an object a line.
final class MirrorReport: Sendable {
  private struct State {
    var printed: (done: Int, total: Int)?
    var lastPrint: ContinuousClock.Instant?
    var lastNote: ContinuousClock.Instant?
    var start: Int?
  }

  private let namespace: String
  private let output: Output?
  private let progress: Progress
  private let state = Mutex(State())
  private let began = ContinuousClock.now

  /// - Parameter json: where objects go; nil for none.
  @MainActor init(_ namespace: String, json output: Output?) {
    self.namespace = namespace
    self.output = output
    progress = Progress("mirroring \(namespace)")
  }

  /// The copy has so many of so many records. Printed at most once a second, but for the first and when the copy has all.
  func update(done: Int, of total: Int) {
    if done < total { progress.update(done, of: total) } else { progress.finish() }
    print(done, max(done, total), always: done >= total)
  }

  /// Nothing more is copied.
  func finish(done: Int, of total: Int) {
    progress.finish()
    print(done, max(done, total), always: true)
    let start = state.withLock { $0.start ?? done }
    guard output == nil, System.isTerminal(System.standardError) else { return }
    let time = began.duration(to: .now)
    Failure.say(
      "mirrored \(Quantities.counted(done - start, "record")) of \(namespace) in \(Quantities.time(time)); the copy has "
        + Quantities.grouped(done))
  }

  /// Something that people should know; not more often than every ten seconds.
  func note(_ text: String) {
    let isDue = state.withLock { state in
      let now = ContinuousClock.now
      if let last = state.lastNote, now - last < .seconds(10) { return false }
      state.lastNote = now
      return true
    }
    guard isDue else { return }
    progress.finish()
    Failure.say("note: \(text)")
  }

  private func print(_ done: Int, _ total: Int, always: Bool) {
    let isDue = state.withLock { state in
      if state.start == nil { state.start = done }
      if let printed = state.printed, printed == (done, total) { return false }
      let now = ContinuousClock.now
      if let last = state.lastPrint, !always, now - last < .seconds(1) { return false }
      (state.printed, state.lastPrint) = ((done, total), now)
      return true
    }
    guard isDue, let output else { return }
    var object = JSONObject()
    object.add("namespace", namespace)
    object.add("count", done)
    object.add("lag", total - done)
    output.bytes += object.line
    try? output.flush()
  }
}
