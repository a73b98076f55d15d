import ImmutaLocking
import Logging
import Solid

/// A log while it is open: its writer, or, if another process may write it, its follower. It knows which files are read now.
///
/// The log and its streams hold it, and nobody else for long: it closes when the last of them releases it.
final class OpenLog: Sendable {
  /// Nil when the log is open for reading only: then there is a follower.
  let writer: LogWriter?
  /// The writer's newest segment, at hand; nil if there is no writer.
  private let newest: NewestSegment?
  private let follow: Lock<Follow>
  /// Whether another process may write the log.
  let isFollowing: Bool
  /// The log's file, as it was opened.
  let path: String
  let namespace: String
  /// The consumers that are open in this process.
  let consumers = OpenConsumers()
  /// Work of threads on files beside the log: once the log is closed, nobody touches its directory.
  let workBeside = WorkUnderWay()
  let logger: Logger?
  let observer: (any LogObserver)?
  /// The damage that was logged last.
  private let toldDamage = Lock<Corruption?>(nil)

  /// How a log that is not open for appending is kept up to date.
  private enum Follow {
    /// It is not: the log is open for appending.
    case none
    case open(Follower)
    /// Not any more: nothing keeps its files open. The values are what was read from last.
    case closed(LogReader, SealedSegments)
  }

  /// - Precondition: it has a writer or a follower.
  init(
    _ writer: LogWriter?, _ follower: Follower?, path: String, namespace: String, logger: Logger?,
    observer: (any LogObserver)?
  ) {
    precondition((writer == nil) != (follower == nil), "a log has a writer or is followed")
    self.writer = writer
    newest = writer?.newest
    follow = Lock(follower.map { .open($0) } ?? .none)
    isFollowing = follower != nil
    self.path = path
    self.namespace = namespace
    self.logger = logger
    self.observer = observer
  }

  deinit {
    close()
  }

  /// What is read from. A follower may give another one each time, after the files were changed or replaced.
  var reader: LogReader {
    if let newest { return newest.reader }
    return follow.withLock { following in
      switch following {
      case .open(let follower): follower.files.reader
      case .closed(let reader, _): reader
      case .none: preconditionFailure("a log has a writer or is followed")
      }
    }
  }

  /// The segments before the newest.
  var sealed: SealedSegments {
    if let writer { return writer.sealed }
    return follow.withLock { following in
      switch following {
      case .open(let follower): follower.files.sealed
      case .closed(_, let sealed): sealed
      case .none: preconditionFailure("a log has a writer or is followed")
      }
    }
  }

  /// The reader for a record.
  ///
  /// - Parameter newest: the present newest segment; a moment later it may be the one before the newest.
  /// - Throws: `.recordRemoved`; `.corrupted` if the record's segment is missing.
  func reader(of number: Int, _ newest: LogReader) throws(ImmutaError) -> LogReader {
    if !newest.isElsewhere(number) { return newest }
    if number < 0 { throw .recordNotFound(number) }
    let now = reader
    if number >= now.first { return now }
    return try sealed.reader(of: number)
  }

  /// The entry of a record that is committed; nil where it is damaged.
  func entry(of number: Int, _ newest: LogReader) throws(ImmutaError) -> CompanionEntry? {
    try reader(of: number, newest).entries(number..<number + 1).first ?? nil
  }

  /// The error for reading a record that was removed meanwhile: its files may be closed, and cannot be found again.
  func removal(of number: Int) -> ImmutaError? {
    if number < 0 { return nil }
    sealed.noteRemoved()
    let first = firstSequence
    return number < first ? .recordRemoved(sequence: number, first: first) : nil
  }

  /// The first record that was not removed.
  var firstSequence: Int { sealed.firstSequence }

  /// The first record of the first segment that exists.
  var front: Int {
    let (firsts, end) = sealed.list
    return firsts.first ?? end
  }

  /// Why the records after the last cannot be read, though some existed or may have existed; nil if nothing says so. Always nil
  /// for a writer: such a log is not opened for appending.
  var endDamage: Corruption? { follower?.files.endDamage }

  /// Throws if the log is damaged after the last readable record: then nobody may wait there.
  func checkEnd() throws(ImmutaError) {
    if let endDamage { throw .corrupted(endDamage) }
  }

  func checkOpen() throws(ImmutaError) {
    if !reader.isOpen { throw .storageClosed.of(namespace) }
  }

  /// Keeps the log up to date with a writer in another process; nil if this process has the writer.
  var follower: Follower? {
    if !isFollowing { return nil }
    return follow.withLock { if case .open(let follower) = $0 { follower } else { nil } }
  }

  /// What is read from, with all that was committed by now.
  var current: LogReader {
    // Another program may write the log: the read that needs the files throws the error.
    try? follower?.refresh()
    return reader
  }

  func refresh(_ visibility: StreamVisibility = .committed) throws(ImmutaError) {
    try follower?.refresh()
    if visibility == .durable { try follower?.refreshStable() }
  }

  /// Whether other files are read by now; looks for them by their names.
  func changedSince(_ reader: LogReader) throws(ImmutaError) -> Bool {
    guard let follower else { return false }
    try follower.refresh(looksAgain: true)
    return follower.files.reader !== reader
  }

  /// The same; also true if the files were replaced, and the new ones cannot be read yet.
  func mayHaveChanged(since reader: LogReader) throws(ImmutaError) -> Bool {
    try changedSince(reader) || follower?.isLost == true
  }

  /// Whether a read failed because its files are outdated: they seemed damaged, or rested while another file got their name.
  ///
  /// - Throws: `.logChanged` if the file is gone, and no other readable file has its name yet.
  func isDueToChange(_ error: ImmutaError, of reader: LogReader) throws(ImmutaError) -> Bool {
    switch error {
    case .corrupted: return try changedSince(reader)
    case .logMoved where isFollowing:
      if try changedSince(reader) { return true }
      throw .logChanged(LogChange(path: path, kind: .removed, sharedCount: reader.count))
    default: return false
    }
  }

  /// The broadcaster that streams of this visibility wait for: its generation is the number of records that they may deliver.
  ///
  /// - Parameter reader: what is read from now.
  func progress(_ visibility: StreamVisibility, _ reader: LogReader) -> Broadcaster {
    switch visibility {
    case .committed: reader.committed
    case .durable: reader.progress.stable
    }
  }

  /// How many records streams of this visibility may deliver.
  func count(_ visibility: StreamVisibility, _ reader: LogReader) -> Int { progress(visibility, reader).generation }

  /// A caller is about to wait for commits: another process' commits must be noticed until `endWait`.
  func beginWait(_ visibility: StreamVisibility) throws(ImmutaError) {
    try follower?.beginWait(forStable: visibility == .durable)
  }

  func endWait(_ visibility: StreamVisibility) {
    follower?.endWait(forStable: visibility == .durable)
  }

  /// Returns why committed records are not on stable storage: the same for each caller that closes.
  @discardableResult
  func close() -> ImmutaError? {
    // Afterwards, as the records that they have read are on stable storage then.
    defer { consumers.close() }
    workBeside.close()
    guard let writer else {
      // Before the directory, which is this follower's own if the log was moved.
      consumers.close()
      let follower = follow.withLock { following -> Follower? in
        guard case .open(let follower) = following else { return nil }
        following = .closed(follower.files.reader, follower.files.sealed)
        return follower
      }
      follower?.close()
      reader.close()
      sealed.close()
      return nil
    }
    let (isFirst, failure) = writer.close()
    return told(isFirst, failure)
  }

  /// Closes many logs. Returns, for each, what `close` returns.
  static func closeTogether(_ logs: [OpenLog]) -> [ImmutaError?] {
    var failures = [ImmutaError?](repeating: nil, count: logs.count)
    for log in logs { log.workBeside.close() }
    let writers = logs.indices.filter { logs[$0].writer != nil }
    let outcomes = LogWriter.closeTogether(writers.compactMap { logs[$0].writer })
    for (place, outcome) in zip(writers, outcomes) {
      failures[place] = logs[place].told(outcome.isFirst, outcome.failure)
      logs[place].consumers.close()
    }
    for log in logs where log.writer == nil { log.close() }
    return failures
  }

  /// Logs the failure, once.
  private func told(_ isFirst: Bool, _ failure: ImmutaError?) -> ImmutaError? {
    if isFirst, let failure {
      let advice = failure.isLogMoved ? "closing failed" : "closing failed; the next opening recovers"
      logger?.tell(
        .closeFailed, .error, "\(advice): \(failure)", ["namespace": "\(namespace)", "path": "\(path)"])
    }
    return failure
  }
}

// What people and metrics are told while the log is read.
extension OpenLog {
  /// Logs damage that a reader found; not again where the reader tries again.
  func noteDamage(_ error: ImmutaError) {
    if let logger, case .corrupted(let damage) = error { tell(damage, logger) }
  }

  private func tell(_ damage: Corruption, _ logger: Logger) {
    let isNew = toldDamage.withLock { told in
      defer { told = damage }
      return told != damage
    }
    if !isNew { return }
    var metadata: Logger.Metadata = [
      "namespace": "\(namespace)", "path": "\(damage.path)", "reason": "\(damage.reason.code)",
    ]
    if let sequence = damage.sequence { metadata["sequence"] = "\(sequence)" }
    // Beside: the reader may hold a lock.
    logger.tellBeside(.damaged, .error, "\(ImmutaError.corrupted(damage))", metadata)
  }

  /// A caller that waited for a record was woken.
  func noteWoken(for number: Int) {
    guard let observer, let time = try? reader(of: number, reader).knownTime(of: number) else { return }
    observer.woken(after: .nanoseconds(max(0, Clocks.wallClock().subtractingHeld(time))))
  }
}
