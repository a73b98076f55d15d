/// The file with the intents of one log's steps, and what the intents in it vouch for.
struct StepIntents: Sendable {
  var file: IntentFile
  /// What the two slots vouch for, the older one first.
  private var vouched: [Vouched] = []

  /// The effects of a step that may be lost when the machine goes down, except that its intent vouches for them.
  struct Vouched: Sendable {
    /// The logs, and how many records each has after the step.
    var logs: [(flusher: Flusher, count: Int)]
    /// The position that moved, if the intent vouches for it.
    var position: PositionFile?
    let intent: StepIntent
    /// The error that kept a log from getting its part, or the position from being written: then the intent must stay.
    var failure: ImmutaError?

    /// Puts the effects on stable storage, as far as they are not yet. Blocks.
    func flush() throws(ImmutaError) {
      if let failure { throw failure }
      if !intent.isStable { return }
      for (flusher, count) in logs where !flusher.hasFlushed(count) { try flusher.flushWithStaged() }
      try position?.flush()
    }
  }

  init(_ file: IntentFile) { self.file = file }

  /// The next intent takes the place of the one before the last, which must not be needed any more. Blocks for a flush if that
  /// intent named other logs than the steps after it.
  mutating func makeRoom(_ settlement: Settlement) throws(ImmutaError) {
    guard vouched.count == 2 else { return }
    var oldest = vouched[0]
    // The log that failed, or the consumer, may have been opened again since, which finished the step.
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

  /// Removes the file, if everything that the intents vouch for is on stable storage: then nobody needs them any more. Blocks.
  ///
  /// The file stays if a step was cut off: the next opening of one of its logs finishes the step.
  func end() {
    do throws(ImmutaError) {
      for step in vouched { try step.flush() }
      try file.remove()
    } catch {
      return
    }
  }
}
