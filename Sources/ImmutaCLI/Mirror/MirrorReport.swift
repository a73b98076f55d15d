import Immuta

/// How far a copy is: a bar on standard error, or an object a line.
@MainActor final class MirrorReport {
  private let namespace: String
  private let output: Output?
  private let progress: Progress
  private let began = ContinuousClock.now
  /// How many records the copy had at first; nil before that is known.
  private var start: Int?
  private var printed: (done: Int, total: Int)?
  private var lastPrint: ContinuousClock.Instant?
  private var lastNote: ContinuousClock.Instant?

  /// - Parameter output: where objects go; nil for none.
  init(_ namespace: String, json output: Output?) {
    self.namespace = namespace
    self.output = output
    progress = Progress("mirroring \(namespace)")
  }

  /// The copy has so many of so many records. Printed at most once a second, but for the first and when the copy has all.
  func update(done: Int, of total: Int) throws {
    if done < total { progress.update(done, of: total) } else { progress.finish() }
    try print(done, max(done, total), always: done >= total)
  }

  /// Nothing more is copied.
  func finish(done: Int, of total: Int) throws {
    progress.finish()
    try print(done, max(done, total), always: true)
    guard output == nil, System.isTerminal(System.standardError) else { return }
    let time = began.duration(to: .now)
    Failure.say(
      "mirrored \(Quantities.counted(done - (start ?? done), "record")) of \(namespace) in \(Quantities.time(time)); the copy has "
        + Quantities.grouped(done))
  }

  /// Something that people should know; not more often than every ten seconds.
  func note(_ text: String) {
    let now = ContinuousClock.now
    if let lastNote, now - lastNote < .seconds(10) { return }
    lastNote = now
    progress.finish()
    Failure.say("note: \(text)")
  }

  private func print(_ done: Int, _ total: Int, always: Bool) throws {
    if start == nil { start = done }
    guard let output else { return }
    if let printed, printed == (done, total) { return }
    let now = ContinuousClock.now
    if let lastPrint, !always, now - lastPrint < .seconds(1) { return }
    (printed, lastPrint) = ((done, total), now)
    var object = JSONObject()
    object.add("namespace", namespace)
    object.add("count", done)
    object.add("lag", total - done)
    output.bytes += object.line
    try output.flush()
  }
}
