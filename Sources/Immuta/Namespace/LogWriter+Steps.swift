import ImmutaLocking

// Steps over several logs: see ``StepIntent``.

extension LogWriter {
  /// This log's part of a step; the caller has the turn.
  fileprivate func stepPart() throws(ImmutaError) -> StepIntent.LogPart {
    try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return try state.stepPart(namespace)
    }
  }

  var hasStaged: Bool { state.withLock { $0.hasStaged } }

  /// When the log is closed, the file of intents is not needed any more, if all steps in it are done.
  func endSteps() {
    let intents = intents.withLock { intents in
      defer { intents = nil }
      return intents
    }
    intents?.end()
  }

  /// Calls `body` while nobody closes any of the logs.
  fileprivate static func whileOpen(
    _ writers: ArraySlice<LogWriter>, _ body: () throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    guard let writer = writers.first else { return try body() }
    do {
      try writer.closing.whileOpen { try whileOpen(writers.dropFirst(), body) }
    } catch {
      throw error as? ImmutaError ?? .storageClosed
    }
  }
}

/// Commits the staged records of several logs, together with the position of the consumer whose records they come from. The
/// caller has the logs' turns.
struct StepCommit: Sendable {
  /// The logs that get records, in the order of their names. The step's other logs have no part in its intent.
  private let staged: [LogWriter]
  private let consumer: (keeper: PositionKeeper, namespace: String, move: PositionKeeper.Move)?
  /// Whether it must be on stable storage before it counts.
  let isStable: Bool
  private let acceptsFilesOfOthers: Bool

  /// - Parameters:
  ///   - writers: the logs of the step, in the order of their names; all records are staged.
  ///   - consumer: the consumer whose records the step comes from, and where it moves; nil for none.
  init(
    of writers: [LogWriter],
    moving consumer: (keeper: PositionKeeper, namespace: String, move: PositionKeeper.Move)? = nil,
    isStable: Bool, acceptsFilesOfOthers: Bool
  ) {
    staged = writers.filter(\.hasStaged)
    (self.consumer, self.isStable, self.acceptsFilesOfOthers) = (consumer, isStable, acceptsFilesOfOthers)
  }

  /// Whether the file of its intent exists, if it needs one.
  var hasIntents: Bool {
    guard let first = staged.first, staged.count > 1 || consumer != nil else { return true }
    return first.intents.withLock { $0 != nil }
  }

  /// Commits, and moves the consumer: all or nothing, whatever dies. Blocks for two flushes where it must be stable.
  ///
  /// - Returns: false if the consumer was moved by somebody else meanwhile: then nothing was done.
  /// - Throws: before the step is decided on, any error: then nothing was done. After that, the error that kept a log from
  ///   getting its part, or the position from being written: the rest is done, and the next opening finishes that part.
  func run() throws(ImmutaError) -> Bool {
    if staged.isEmpty || (staged.count == 1 && consumer == nil) { return try runAlone(staged.first) }
    if isStable { for writer in staged { try writer.flusher.flushWithStaged() } }
    var isDone = false
    try LogWriter.whileOpen(staged[...]) { () throws(ImmutaError) in isDone = try decide() }
    return isDone
  }

  /// One store commits it: the log's own commit, or the write of the position.
  private func runAlone(_ writer: LogWriter?) throws(ImmutaError) -> Bool {
    if let consumer {
      let moved = try consumer.keeper.step(consumer.move, appended: []) { (_, _) in }
      guard let moved else { return false }
      if isStable { try consumer.keeper.flush(through: moved.writes) }
    }
    try writer?.commit()
    if isStable { try writer?.flusher.flushWithStaged() }
    return true
  }

  private func decide() throws(ImmutaError) -> Bool {
    let first = staged[0]
    return try first.intents.withLock { (intents) throws(ImmutaError) in
      var kept = if let intents { intents } else { try begun(first) }
      defer { intents = kept }
      try kept.makeRoom(Settlement(files: first.files, acceptsFilesOfOthers: acceptsFilesOfOthers, logger: nil))
      var vouched: StepIntents.Vouched?
      defer { if let vouched { kept.add(vouched) } }
      var intent = StepIntent(logs: [], consumers: [], isStable: isStable, bootIdentity: BootIdentity.current)
      for writer in staged { intent.logs.append(try writer.stepPart()) }
      guard let consumer else {
        try write(intent, to: &kept.file)
        vouched = commitParts(of: intent)
        if let failure = vouched?.failure { throw failure }
        return true
      }
      let moved: (file: PositionFile, writes: Int)?
      do throws(ImmutaError) {
        let appends = isStable ? nil : appends(intent)
        moved = try consumer.keeper.step(consumer.move, appended: appends) { (made, generation) throws(ImmutaError) in
          intent.consumers = [
            StepIntent.ConsumerPart(
              consumer.namespace, consumer.keeper.consumer, made: made, generation: generation, place: consumer.move.to)
          ]
          try write(intent, to: &kept.file)
          vouched = commitParts(of: intent)
        }
      } catch {
        if vouched?.failure == nil { vouched?.failure = error }
        throw error
      }
      guard let moved else { return false }
      if isStable { vouched?.position = moved.file }
      if let failure = vouched?.failure { throw failure }
      return true
    }
  }

  private func begun(_ first: LogWriter) throws(ImmutaError) -> StepIntents {
    let directory = first.files.directory
    let log = try io(directory.status(of: first.files.log))
    let rights = if let log { log.rights } else { try io(directory.status().rights) }
    return StepIntents(
      try IntentFile(
        first.namespace, in: directory, rights: rights,
        FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)))
  }

  private func appends(_ intent: StepIntent) -> [StepAppends.Append] {
    zip(staged, intent.logs).map {
      StepAppends.Append(namespace: $1.namespace, stable: $0.flusher.stable, count: $1.counts.upperBound)
    }
  }

  /// Decides on the step. If that fails, the step never happened; or, if even that is uncertain, nothing more may be appended to
  /// its logs before they are opened again, which finds out.
  private func write(_ intent: StepIntent, to file: inout IntentFile) throws(ImmutaError) {
    let generation = file.next
    guard let slot = intent.encoded(generation: generation) else {
      throw .invalidConfiguration(
        "a step over \(staged.count) logs with such names has no room in its file: take fewer logs into one step")
    }
    do throws(ImmutaError) {
      try file.write(slot)
      if isStable { try file.flush() }
    } catch {
      do throws(ImmutaError) {
        try file.withdraw(generation, isStable: isStable)
      } catch {
        for writer in staged { writer.state.withLock { $0.fail(error) } }
        throw error
      }
      throw error
    }
  }

  /// Gives each log its part. A log that fails gets its part when it is opened next; the others do not wait for that.
  private func commitParts(of intent: StepIntent) -> StepIntents.Vouched {
    var vouched = StepIntents.Vouched(logs: [], position: nil, intent: intent)
    for (writer, part) in zip(staged, intent.logs) {
      do throws(ImmutaError) {
        let count = try writer.commit(at: part.time)
        vouched.logs.append((writer.flusher, count))
        if isStable { writer.flusher.notePromised(count) }
      } catch {
        vouched.failure = vouched.failure ?? error.of(writer.namespace)
      }
    }
    if isStable { for (flusher, _) in vouched.logs { flusher.flushSoon() } }
    return vouched
  }
}
