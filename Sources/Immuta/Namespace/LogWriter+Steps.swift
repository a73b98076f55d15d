import ImmutaLocking

// Steps over several logs: see ``StepIntent``.

extension LogWriter {
  /// What a step says of this log; the caller has the turn.
  fileprivate func stepPart() throws(ImmutaError) -> StepIntent.LogPart {
    try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return try state.stepPart(namespace)
    }
  }

  var hasStaged: Bool { state.withLock { $0.hasStaged } }

  /// The intents' file is not needed any more when the log is closed, where all that it says is done.
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

/// The commit of what was staged in several logs, together with the position of the consumer whose records it comes from.
/// Whoever calls it has the logs' turns.
struct StepCommit: Sendable {
  /// The logs of the step, in the order of their names.
  let writers: [LogWriter]
  var consumer: (keeper: PositionKeeper, namespace: String, move: PositionKeeper.Move)?
  /// Whether it must be on stable storage before it counts.
  let isStable: Bool
  let acceptsFilesOfOthers: Bool

  /// Commits, and moves the consumer: all or nothing, whatever dies. Blocks for two flushes where it must be stable.
  ///
  /// - Returns: false where the consumer was moved by somebody else meanwhile: then nothing was done.
  /// - Throws: before the step is decided on, whatever went wrong: then nothing was done. After that, what kept a log from
  ///   getting its part, or the position from being written: the rest is done, and that follows with the next opening.
  func run() throws(ImmutaError) -> Bool {
    let staged = writers.filter(\.hasStaged)
    if staged.isEmpty || (staged.count == 1 && consumer == nil) { return try runAlone(staged.first) }
    if isStable { for writer in staged { try writer.flusher.flushWithStaged() } }
    var isDone = false
    try LogWriter.whileOpen(writers[...]) { () throws(ImmutaError) in isDone = try decide() }
    return isDone
  }

  /// One store commits it: the log's own commit, or that of the position.
  private func runAlone(_ writer: LogWriter?) throws(ImmutaError) -> Bool {
    if let consumer {
      let writes = try consumer.keeper.step(consumer.move, appended: []) { (_, _) in true }
      guard let writes else { return false }
      if isStable { try consumer.keeper.flush(through: writes) }
    }
    guard let count = try writer?.commit(), isStable else { return true }
    try writer?.flusher.flushWithStaged()
    assert(writer?.flusher.hasFlushed(count) != false, "what was flushed is stable")
    return true
  }

  private func decide() throws(ImmutaError) -> Bool {
    let first = writers[0]
    return try first.intents.withLock { (intents) throws(ImmutaError) in
      var file = if let intents { intents } else { try begun(first) }
      defer { intents = file }
      try file.makeRoom(movingNext: consumer?.keeper)
      var vouched = StepIntents.Vouched(logs: [], position: nil, isStable: isStable)
      var isDecided = false
      defer { if isDecided { file.add(vouched) } }
      let parts = try parts()
      guard let consumer else {
        try write(parts, nil, &file.file)
        isDecided = true
        publish(parts, &vouched)
        if let failure = vouched.failure { throw failure }
        return true
      }
      let writes: Int?
      do throws(ImmutaError) {
        writes = try consumer.keeper.step(consumer.move, appended: isStable ? nil : appends(parts)) {
          (made, generation) throws(ImmutaError) in
          let part = StepIntent.ConsumerPart(
            consumer.namespace, consumer.keeper.consumer, made: made, generation: generation, place: consumer.move.to)
          try write(parts, part, &file.file)
          isDecided = true
          publish(parts, &vouched)
          return true
        }
      } catch {
        vouched.failure = vouched.failure ?? error
        throw error
      }
      guard let writes else { return false }
      vouched.position = (consumer.keeper, writes)
      if let failure = vouched.failure { throw failure }
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

  private func parts() throws(ImmutaError) -> [StepIntent.LogPart] {
    var parts: [StepIntent.LogPart] = []
    for writer in writers { parts.append(try writer.stepPart()) }
    return parts
  }

  private func appends(_ parts: [StepIntent.LogPart]) -> [StepAppends.Append] {
    zip(writers, parts).filter { !$0.1.counts.isEmpty }.map {
      StepAppends.Append(
        namespace: $0.1.namespace, stable: $0.0.flusher.stable, count: $0.1.counts.upperBound)
    }
  }

  /// Decides on the step. Where that fails, the step is as if it never was; or, where not even that is sure, nothing more may
  /// be appended to its logs before they are opened again, which finds out.
  private func write(
    _ parts: [StepIntent.LogPart], _ consumer: StepIntent.ConsumerPart?, _ file: inout IntentFile
  ) throws(ImmutaError) {
    let intent = StepIntent(
      logs: parts, consumers: consumer.map { [$0] } ?? [], isStable: isStable, bootIdentity: BootIdentity.current)
    let generation = file.next
    guard let slot = intent.encoded(generation: generation) else {
      throw .invalidConfiguration(
        "a step over \(writers.count) logs with such names has no room in its file: take fewer logs into one step")
    }
    do throws(ImmutaError) {
      try file.write(slot)
      if isStable { try file.flush() }
    } catch {
      do throws(ImmutaError) {
        try file.withdraw(generation, isStable: isStable)
      } catch {
        for writer in writers { writer.state.withLock { $0.fail(error) } }
        throw error
      }
      throw error
    }
  }

  /// Gives each log its part. A log that fails gets it when it is opened next; the others do not wait for that.
  private func publish(_ parts: [StepIntent.LogPart], _ vouched: inout StepIntents.Vouched) {
    for (writer, part) in zip(writers, parts) where !part.counts.isEmpty {
      do throws(ImmutaError) {
        let count = try writer.commit(at: part.time)
        vouched.logs.append((writer.flusher, count))
        if isStable { writer.flusher.notePromised(count) }
      } catch {
        vouched.failure = vouched.failure ?? error.of(writer.namespace)
      }
    }
    if isStable { for (flusher, _) in vouched.logs { flusher.flushSoon() } }
  }
}
