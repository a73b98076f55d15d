import Logging

/// The state log of a work queue, `<namespace>.consumers/<name>.log`. Only this process uses it.
///
/// One caller at a time, but for ``sync()`` and closing.
final class QueueJournal: Sendable {
  private let storage: Storage
  private let log: Log
  private let queue: String
  /// Whether a change must be on stable storage before anybody learns of it.
  let isSynced: Bool

  /// Opens it; makes it where none exists.
  ///
  /// - Parameter isNew: whether the queue is new: then a state that exists is an old one, and is removed.
  init(
    of queue: String, in directory: Directory, isNew: Bool, durability: Durability, acceptsFilesOfOthers: Bool,
    logger: Logger?
  ) throws(ImmutaError) {
    // In `.synced`, callers that change something wait for a flush that they share. Others can change more meanwhile.
    isSynced = durability == .synced
    var configuration = Storage.Configuration(durability: isSynced ? .buffered : durability)
    configuration.acceptsFilesOfOthers = acceptsFilesOfOthers
    configuration.logger = logger
    configuration.readerCount = 1
    self.queue = queue
    let files = LogFiles(directory: directory, namespace: queue)
    let path = files.logPath
    if isNew {
      try Self.remove(queue, in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
    } else if try !io(files.isThere()) {
      throw Self.damage(at: path, "the queue's state is missing")
    }
    storage = try Storage(in: directory, configuration: configuration)
    do throws(ImmutaError) {
      log = try storage.log(queue, creating: true)
    } catch {
      storage.close()
      guard case .corrupted(let corruption) = error else { throw error }
      throw Self.damage(at: corruption.path, "\(corruption.reason)")
    }
  }

  /// Removes a queue's state, also what is left of it.
  static func remove(_ queue: String, in directory: Directory, acceptsFilesOfOthers: Bool) throws(ImmutaError) {
    let removal = Removal(
      files: LogFiles(directory: directory, namespace: queue),
      trust: FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers))
    do throws(ImmutaError) { try removal.run() } catch {
      guard case .namespaceNotFound = error else { throw error }
    }
  }

  private static func damage(at path: String, _ what: String) -> ImmutaError {
    .corrupted(
      Corruption(
        .queueState, path: path,
        reason:
          "\(what): put it back from a copy, or repair it, or seek the queue to where it is to go on. Then all jobs from "
          + "there on are given again"))
  }

  // MARK: Reading

  /// Reads what the queue's jobs are.
  ///
  /// - Parameters:
  ///   - mark: what the position's file says.
  ///   - wasRestarted: whether the machine may have lost records since.
  ///   - open: the log whose records are the jobs.
  /// - Throws: `.corrupted`, `.foreignPosition`, `.unsupportedVersion`, `.io`.
  func replay(
    _ mark: ConsumerMark, wasRestarted: Bool, of open: OpenLog
  ) throws(ImmutaError) -> QueueReplay {
    // The highest place of all events, and what is stable since the last summary.
    var (top, stable) = (ConsumerMark.Place(0), 0)
    try unsafe forEachRecord { bytes in
      let header = unsafe QueueHeader(decoding: bytes)
      if let header { (top, stable) = (ConsumerMark.Place(0), header.stable) }
      if let place = unsafe SameRecords.place(in: bytes), place.index > 0, place.number > top.number { top = place }
      if header == nil, let event = unsafe QueueEvent(decoding: bytes) { stable = max(stable, event.stable) }
      return true
    }
    let count = open.count
    func isSame(_ place: ConsumerMark.Place) throws(ImmutaError) -> Bool {
      if place.number > count { return false }
      return try open.isSame(place)
    }
    var limit = top.number
    if try !isSame(top) {
      var same = SameRecords()
      var failure: ImmutaError?
      try unsafe forEachRecord { bytes in
        if unsafe QueueHeader(decoding: bytes) != nil { same = SameRecords() }
        guard let place = unsafe SameRecords.place(in: bytes), failure == nil else { return true }
        do throws(ImmutaError) { try same.look(at: place, isSame) } catch { failure = error }
        return true
      }
      if let failure { throw failure }
      limit = same.known
      open.logger?.tell(
        .queueJobsRepeated, .warning,
        """
        the log has lost records that the work queue “\(queue)” had done: jobs from record \(limit) on are given again
        """, ["namespace": "\(open.namespace)", "queue": "\(queue)"])
    }
    if wasRestarted { limit = min(limit, stable) }
    var replay = QueueReplay(queue: mark.queue, limit: limit)
    try unsafe forEachRecord { bytes in unsafe replay.take(bytes) }
    guard let header = replay.header, replay.isWhole else {
      throw Self.damage(at: log.files.logPath, "the queue's state has no beginning")
    }
    // A power cut may take a log just after it was made: then nothing of it was known to be stable, and nothing counts.
    if let expected = header.identity, let identity = open.identity, expected != identity, !wasRestarted || stable > 0 {
      throw .foreignPosition(expected: expected, found: identity)
    }
    return replay
  }

  /// - Parameter body: returns false for an event that cannot be right.
  private func forEachRecord(_ body: (UnsafeRawBufferPointer) -> Bool) throws(ImmutaError) {
    let reader = log.reader(from: .beginning)
    do throws(ImmutaError) {
      while let record = try reader.nextAtOnce() {
        let version = unsafe record.payload.withUnsafeBytes { unsafe QueueHeader.version(of: $0) }
        if let version, version != QueueHeader.version {
          throw .unsupportedVersion(
            UnsupportedVersion(
              path: log.files.logPath, subject: .queueState, found: Int(version), supported: Int(QueueHeader.version)))
        }
        if !(unsafe record.payload.withUnsafeBytes(body)) {
          throw Self.damage(at: log.files.logPath, "record \(record.sequence) is no event of a queue")
        }
      }
    } catch {
      guard case .corrupted(let corruption) = error, corruption.reason.code != .queueState else { throw error }
      throw Self.damage(at: corruption.path, "\(corruption.reason)")
    }
  }

  // MARK: Writing

  /// Appends an event. Rarely makes a system call. In no durability is it on stable storage before ``sync()``.
  func append(_ event: QueueEvent) throws(ImmutaError) {
    try unsafe withUnsafeTemporaryAllocation(byteCount: QueueEvent.size, alignment: 8) {
      (bytes) -> Result<Void, ImmutaError> in
      unsafe event.encode(into: bytes)
      do throws(ImmutaError) {
        if try unsafe log.appendAtOnce(UnsafeRawBufferPointer(bytes)) == nil {
          try unsafe appendInTurn(Array(UnsafeRawBufferPointer(bytes)))
        }
        return .success(())
      } catch {
        return .failure(error)
      }
    }.get()
  }

  private func appendInTurn(_ bytes: [UInt8]) throws(ImmutaError) {
    try typed { _ = try log.appendInTurn(bytes) }
  }

  /// Writes a summary, all or nothing. Events before it count no more.
  ///
  /// - Parameter rolls: whether it begins a segment, so that what comes before it can be removed.
  /// - Returns: the number of its first record.
  func write(
    _ header: QueueHeader, _ blocks: [QueueBlock], _ events: [QueueEvent], rolls: Bool
  ) throws(ImmutaError) -> Int {
    precondition(header.blocks == blocks.count, "the header says how many blocks follow")
    var first = 0
    try typed {
      if rolls { try log.roll() }
      try log.transaction { transaction in
        first = try transaction.append(header.encoded).sequence
        for block in blocks { try transaction.append(block.encoded) }
        for event in events {
          var bytes = [UInt8](repeating: 0, count: QueueEvent.size)
          unsafe bytes.withMutableBytes { unsafe event.encode(into: $0) }
          try transaction.append(bytes)
        }
      }
    }
    return first
  }

  /// How many records a reader must pass.
  var length: Int { log.count - log.firstSequence }

  /// Removes the records before a summary. Blocks for flushes.
  func removeRecords(before first: Int) throws(ImmutaError) {
    try typed {
      // Removed records are gone for good, so the summary that stands for them must be on stable storage.
      try log.sync()
      try log.removeRecords(before: first)
    }
  }

  /// Puts all that was appended on stable storage; callers at the same time share a flush.
  func sync() async throws { try await log.sync() }

  /// The same for code that is not async.
  func syncBlocking() throws(ImmutaError) { try typed { try log.sync() } }

  /// Blocks for a flush.
  func close() -> ImmutaError? {
    do throws(ImmutaError) { try storage.closeReporting() } catch { return error }
    return nil
  }

  private func typed(_ body: () throws -> Void) throws(ImmutaError) {
    do {
      try body()
    } catch let error as ImmutaError {
      throw error
    } catch {
      preconditionFailure("the engine throws its own errors: \(error)")
    }
  }
}

extension QueueJournal: ClosesWithLog {
  func closeWithLog() { _ = close() }
}
