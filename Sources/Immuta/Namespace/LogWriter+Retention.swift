import ImmutaLocking
import Logging
import Solid

// Which records a log keeps: whole segments are removed from the front, never the newest.

extension LogWriter {
  /// The first record that was not removed.
  var firstSequence: Int { sealed.firstSequence }

  /// Removes the segments whose records are all before a number. Returns the first record that is left. May block.
  ///
  /// REMOVED is stored first, and is on stable storage before a file is removed; the files are removed in order, companions last.
  /// So a crash leaves the log as it was, or files that the next opening removes.
  @discardableResult
  func removeRecords(before number: Int) throws(ImmutaError) -> Int {
    let (first, gone) = try removeSegments(before: number)
    if gone > 0 {
      longWaits.logger?.tell(
        .removed, .info, "removed \(Quantity.of(gone, "segment")): the log begins with record \(first)",
        ["namespace": "\(namespace)", "path": "\(path)", "first": "\(first)", "segments": "\(gone)"])
    }
    return first
  }

  private func removeSegments(before number: Int) throws(ImmutaError) -> (first: Int, gone: Int) {
    try roller.maintenance.withLock { (_) throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) in try checkUsable(state) }
      let (firsts, end) = sealed.list
      let plan = RetentionPlan(firsts: firsts, newest: end, count: committed.generation)
      guard let removed = plan.firstToKeep(before: number), removed > sealed.firstSequence else {
        return (sealed.firstSequence, 0)
      }
      // No segment that is still being written may be removed.
      if let failure = sealNow() { throw failure }
      let folder = try io(files.openFolder())
      for first in firsts where first < removed { try checkVersion(ofSegment: first, in: folder) }
      func remove(_ first: Int) throws(ImmutaError) {
        guard let segment = files.segment(first, inFolder: folder) else { return }
        try io(segment.directory.removeIfPresent(segment.log))
        try io(segment.directory.removeIfPresent(segment.companion))
      }
      try flusher.noteRemoved(removed)
      let gone = sealed.remove(before: removed)
      try keepMeta(flusher.companionHeader)
      for first in gone { try remove(first) }
      return (removed, gone.count)
    }
  }

  /// This program cannot read what a newer one says about its records: perhaps that they are still needed.
  ///
  /// - Throws: `.unsupportedVersion` for a segment that a newer program wrote.
  private func checkVersion(ofSegment first: Int, in folder: Directory?) throws(ImmutaError) {
    guard let segment = files.segment(first, inFolder: folder) else { return }
    do throws(ImmutaError) {
      _ = try io(roller.maker.setup.trust.companion(of: segment))?.companionHeader()
    } catch .unsupportedVersion(let version) {
      throw .unsupportedVersion(version)
    } catch {
      // What cannot be read says nothing.
      return
    }
  }

  /// Makes the meta file agree with the newest segment's companion.
  ///
  /// - Parameter newestFirst: the first record of that segment, once its name is on stable storage.
  func keepMeta(_ header: CompanionHeader, newestFirst: Int = 0) throws(ImmutaError) {
    let log = state.withLock { $0.segment.descriptors.log }
    try roller.maker.meta.lock.withLock { (_) throws(ImmutaError) in
      try LogKnowledge(files, header, header.format, roller.maker.setup.trust)
        .keep(header, files, of: log, isSegmented: true, newestFirst: newestFirst)
    }
  }

  /// Removes segments that the log need not keep. May block.
  func retain() throws(ImmutaError) {
    if roller.retention.keepsEverything { return }
    // Until segments are sealed, their files are as large as their reserved space.
    if let failure = sealNow() { throw failure }
    guard let kept = try firstToKeep() else { return }
    let before = sealed.firstSequence
    let first = try removeRecords(before: kept.number)
    for consumer in kept.overrun where first > before {
      longWaits.logger?.tell(
        .consumerOverrun, .warning,
        """
        the log has more than \(roller.retention.hardMaximumBytes ?? 0) bytes, and the consumer “\(consumer.name)” has not read \
        them: it has missed records \(consumer.position) to \(first - 1), which were removed
        """,
        [
          "namespace": "\(namespace)", "consumer": "\(consumer.name)", "missed": "\(first - consumer.position)",
          "first": "\(first)",
        ])
    }
  }

  /// The number before which nothing need be kept, and the consumers that have not read everything before it; nil if everything
  /// must be kept.
  private func firstToKeep() throws(ImmutaError) -> (number: Int, overrun: [Waited])? {
    let retention = roller.retention
    let (firsts, end) = sealed.list
    if firsts.isEmpty { return nil }
    let (files, newest) = (files, reader)
    let folder = try io(files.openFolder())
    func bytes(_ first: Int) throws(ImmutaError) -> Int {
      if first == end { return newest.end }
      return try io(files.segment(first, inFolder: folder)?.logSize() ?? 0)
    }
    let plan = RetentionPlan(firsts: firsts, newest: end, count: committed.generation)
    let wanted = try plan.firstToKeep(retention, now: Clocks.wallClock(), bytes: bytes) { end in
      try? sealed.reader(of: end - 1).timestamp(of: end - 1).nanosecondsSince1970
    }
    if retention.waitingFor.isEmpty { return wanted.map { ($0, []) } }
    let waited = retention.waitingFor.map(waited)
    let read = waited.map(\.stable).min() ?? 0
    let number = min(wanted ?? 0, read)
    if let hard = retention.hardMaximumBytes, let must = try plan.firstToKeep(bytes: hard, bytes), must > number {
      return (must, waited.filter { $0.position < must })
    }
    return number > 0 ? (number, []) : nil
  }

  /// A consumer that is waited for.
  private struct Waited {
    let name: String
    /// The position that it has acknowledged.
    let position: Int
    /// The position that is certain, whatever happens to this machine.
    let stable: Int
  }

  /// A consumer whose position cannot be read counts as having read nothing.
  private func waited(for name: String) -> Waited {
    do throws(ImmutaError) {
      guard let mark = try ConsumerFolder(files, trust: roller.maker.setup.trust).mark(of: name, flushing: true) else {
        return Waited(name: name, position: 0, stable: 0)
      }
      if let expected = mark.identity, let identity = reader.identity, expected != identity {
        throw .foreignPosition(expected: expected, found: identity)
      }
      let position = mark.place(inRun: BootIdentity.current).number
      return Waited(name: name, position: position, stable: min(position, mark.stable.number))
    } catch {
      if roller.isFirstFault(of: name) {
        longWaits.logger?.tell(
          .consumerUnreadable, .warning,
          "nothing is removed, as the position of the consumer “\(name)” cannot be read: \(error)",
          ["namespace": "\(namespace)", "consumer": "\(name)"])
      }
      return Waited(name: name, position: 0, stable: 0)
    }
  }

  /// Makes a thread remove segments that need not be kept.
  func retainBeside() {
    if roller.retention.keepsEverything { return }
    try? WorkThreads.shared.add { self.retainNow() }
  }

  /// Segments that cannot be removed now are removed later.
  private func retainNow() {
    do throws(ImmutaError) {
      try retain()
    } catch {
      if state.withLock({ $0.isClosed }) { return }
      longWaits.logger?.tell(
        .removalFailed, .warning, "what the log need not keep could not be removed: \(error)",
        ["namespace": "\(namespace)"])
    }
  }

  // MARK: From time to time

  /// Watches for segments and records that become too old while nothing is appended, until the log is closed.
  func lookAfterAges() {
    let ages = [roller.maker.setup.options.segments.maximumAge, roller.retention.maximumAge].compactMap(\.self)
    var pauses = ages.map { min(max(.milliseconds(50), $0 / 8), .seconds(30)) }
    if !roller.retention.waitingFor.isEmpty { pauses.append(Self.timeBetweenLooksAtConsumers) }
    guard let pause = pauses.min() else { return }
    try? WorkThreads.shared.add(at: .now + pause) {
      if self.state.withLock({ $0.isClosed }) { return }
      self.rollIfOld()
      self.retainNow()
      self.lookAfterAges()
    }
  }

  private static var timeBetweenLooksAtConsumers: Duration { .seconds(5) }

  /// Rolls a segment that is too old, unless somebody has the turn: then that caller's next append rolls it, or the next look
  /// does.
  private func rollIfOld() {
    if flusher.failure != nil { return }
    let (isMine, count) = state.withLock { state in
      state.noteTime()
      guard !state.isClosed, state.isTooOld else { return (false, 0) }
      return (state.takeTurn(TurnHolder(.append, .thread(Thread.identity))), state.count)
    }
    guard isMine else { return }
    // Before the next segment begins with this number.
    announceRound(count)
    defer { endTurn() }
    do {
      // The segment is too old, so this rolls.
      try prepareBlocking()
    } catch {
      longWaits.logger?.tell(
        .rollFailed, .warning, "the log could not roll: \(error)", ["namespace": "\(namespace)"])
    }
  }
}
