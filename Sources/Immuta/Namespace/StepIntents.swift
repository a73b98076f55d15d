/// The file with the intents of one log's steps, and what the intents in it vouch for.
struct StepIntents: Sendable {
  var file: IntentFile
  /// What the two slots vouch for: the older one first.
  private var vouched: [Vouched] = []

  /// The effects of a step that may be lost when the machine goes down, but for its intent.
  struct Vouched: Sendable {
    /// The logs, and how many records each has after the step.
    var logs: [(flusher: Flusher, count: Int)]
    /// The position that moved, where the intent vouches for it.
    var position: PositionFile?
    let intent: StepIntent
    /// What kept a log from getting its part, or the position from being written: the intent must stay.
    var failure: ImmutaError?

    /// Puts the effects on stable storage, as far as they are not. Blocks.
    func flush() throws(ImmutaError) {
      if let failure { throw failure }
      if !intent.isStable { return }
      for (flusher, count) in logs where !flusher.hasFlushed(count) { try flusher.flushWithStaged() }
      try position?.flush()
    }
  }

  init(_ file: IntentFile) { self.file = file }

  /// The next intent takes the place of the one before the last, which must not be needed any more. Blocks for a flush where
  /// that one named other logs than the steps after it.
  mutating func makeRoom(_ settlement: Settlement) throws(ImmutaError) {
    guard vouched.count == 2 else { return }
    var oldest = vouched[0]
    // Whoever opened the log again that failed, or the consumer, may have finished the step.
    if oldest.failure != nil, try settlement.isDone(oldest.intent) {
      for part in oldest.intent.logs { try settlement.staged(part).flush() }
      oldest.failure = nil
      oldest.logs = []
    }
    // An older position of the same consumer, which the newer intent vouches for.
    if let path = oldest.position?.path, path == vouched[1].position?.path { oldest.position = nil }
    try oldest.flush()
    vouched.removeFirst()
  }

  mutating func add(_ next: Vouched) {
    precondition(vouched.count < 2, "room was made for the intent, whose slot vouches for nothing any more")
    vouched.append(next)
  }

  /// Nobody needs the intents any more, where all that they vouch for is on stable storage: then the file goes. Blocks.
  ///
  /// It stays where a step was cut off: the next opening of one of its logs ends it.
  func end() {
    do throws(ImmutaError) {
      for step in vouched { try step.flush() }
      try file.remove()
    } catch {
      return
    }
  }
}
