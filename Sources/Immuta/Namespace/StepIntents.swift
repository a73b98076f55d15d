/// The file with the intents of one log's steps, and what the intents in it vouch for.
struct StepIntents: Sendable {
  var file: IntentFile
  /// What the two slots vouch for: the older one first.
  private var vouched: [Vouched] = []

  /// The effects of a step that may be lost when the machine goes down, but for its intent.
  struct Vouched: Sendable {
    /// The logs, and how many records each has after the step.
    var logs: [(flusher: Flusher, count: Int)]
    /// The consumer that moved, and how often its position was written by then.
    var position: (keeper: PositionKeeper, writes: Int)?
    let isStable: Bool
    /// What kept a log from getting its part, or the position from being written: the intent must stay.
    var failure: ImmutaError?

    /// Puts the effects on stable storage, as far as they are not. Blocks.
    func flush() throws(ImmutaError) {
      if let failure { throw failure }
      if !isStable { return }
      for (flusher, count) in logs where !flusher.hasFlushed(count) { try flusher.flushWithStaged() }
      if let (keeper, writes) = position { try keeper.flush(through: writes) }
    }
  }

  init(_ file: IntentFile) { self.file = file }

  /// The next intent takes the place of the one before the last, which must not be needed any more. Blocks for a flush where
  /// that one named other logs than the steps after it.
  ///
  /// - Parameter keeper: the consumer that the next step moves.
  mutating func makeRoom(movingNext keeper: PositionKeeper?) throws(ImmutaError) {
    guard vouched.count == 2 else { return }
    var oldest = vouched[0]
    // Its position is an older one of the consumer that the newer intent vouches for.
    if let position = oldest.position, position.keeper === vouched[1].position?.keeper, vouched[1].isStable {
      oldest.position = nil
    }
    try oldest.flush()
    vouched.removeFirst()
  }

  mutating func add(_ next: Vouched) {
    vouched.append(next)
    if vouched.count > 2 { vouched.removeFirst() }
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
