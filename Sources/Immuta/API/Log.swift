import ImmutaLocking
import Logging
import Solid
import Synchronization

/// One namespace of a storage: a log that is appended to at its end and read from anywhere.
///
/// Get one with ``Storage/log(_:)``. Any number of tasks and threads may use it at once. It works until its storage is
/// closed; a log that outlives its last reference to the storage stays open until it is let go itself.
@safe public final class Log: Sendable {
  /// The namespace's name.
  public let namespace: String
  let files: LogFiles
  /// Nil when the log is open for reading only: then there is a follower.
  let writer: LogWriter?
  /// `writer` once more, for small appends, which would retain and release it for each record. As safe as that is, which
  /// holds it for as long as there is a log and is never another.
  let heldWriter: Unmanaged<LogWriter>?
  /// Whether an append returns only when its record is stable.
  @usableFromInline let awaitsFlush: Bool
  /// The writer's; nil as that is.
  private let ownReader: LogReader?
  private let following: Lock<Following>
  /// Whether another process may write the log.
  let isFollowing: Bool
  /// Whether opening made it.
  let isNew: Bool

  /// How a log that is not open for appending is kept up to date.
  private enum Following {
    /// Not: it is open for appending.
    case none
    case open(Follower)
    /// No more: nothing keeps its files open. What was read from last.
    case closed(LogReader)
  }
  private let logger: Logger?
  private let openingNote: String?
  private let damageOnOpening: Corruption?
  private let acceptsFilesOfOthers: Bool
  let uploads: Storage.Uploads
  /// Relaxed: it only spreads readers over descriptors.
  private let nextReader = Atomic(0)

  init(
    directory: Directory, namespace: String, configuration: Storage.Configuration, pools: TransformPools
  ) throws(ImmutaError) {
    self.namespace = namespace
    files = configuration.files(of: namespace, in: directory)
    logger = configuration.logger
    acceptsFilesOfOthers = configuration.acceptsFilesOfOthers
    let opened: Opening.Opened
    do throws(ImmutaError) {
      opened = try Opening(files: files, configuration: configuration, pools: pools).run()
    } catch {
      throw files.seenInPlace(error)
    }
    writer = opened.writer
    ownReader = opened.writer?.reader
    awaitsFlush = opened.writer?.awaitsFlush ?? false
    unsafe heldWriter = opened.writer.map { unsafe Unmanaged.passUnretained($0) }
    following = Lock(opened.follower.map { .open($0) } ?? .none)
    isFollowing = opened.follower != nil
    isNew = opened.isNew
    openingNote = opened.note
    damageOnOpening = opened.damage
    uploads = configuration.uploads
    if let logger, let last = opened.lastTime, Timestamp(nanosecondsSince1970: last).isDoubtful {
      for doubt in try clockDoubts() {
        logger.warning("\(doubt)", metadata: ["namespace": "\(namespace)", "path": "\(files.logPath)"])
      }
    }
  }

  /// What is read from. A follower may give another one each time: when the files are not what they were.
  var reader: LogReader {
    if let ownReader { return ownReader }
    return following.withLock { following in
      switch following {
      case .open(let follower): follower.files.reader
      case .closed(let reader): reader
      case .none: preconditionFailure("a log has a writer or is followed")
      }
    }
  }

  /// What opening passed over.
  var damage: Corruption? {
    if let follower { return follower.files.damage }
    return damageOnOpening
  }

  /// Whose log it is: see ``LogIdentity``. Nil where nothing on file says so: for a log without companion that is open for
  /// reading only. O(1).
  public var identity: LogIdentity? { reader.identity }

  /// Where the files are that are read now: a follower may have gone on in another directory.
  var currentFiles: LogFiles { follower?.files.files ?? files }

  deinit {
    close()
  }

  /// Keeps the log up to date with a writer elsewhere; nil where this is the writer.
  var follower: Follower? {
    if !isFollowing { return nil }
    return following.withLock { if case .open(let follower) = $0 { follower } else { nil } }
  }

  /// Committed records: the number that the next one gets. O(1).
  ///
  /// After the storage was closed, the number there was then.
  public var count: Int { current.count }

  /// What is read from, with all that was committed by now.
  var current: LogReader {
    // A log read while another program writes it: what cannot be told now is told by the read that needs it.
    try? follower?.refresh()
    return reader
  }

  /// The records from a position on: those that are there, then those to come. Never fails: a closed storage is thrown
  /// by the stream's first `next()`. O(1), and the stream costs nothing while it waits.
  public func stream(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordStream {
    RecordStream(
      self, from: position, only: visibility,
      reader: nextReader.wrappingAdd(1, ordering: .relaxed).oldValue & Int.max)
  }

  /// One committed record, by number. O(1): two small reads, or none close to the end.
  ///
  /// - Throws: `.recordNotFound` when there is no such record (yet), `.corrupted` when it is damaged, `.storageClosed`,
  ///   `.io`.
  public func record(at sequence: Int) async throws -> Record {
    try readRecord(sequence)
  }

  @inline(__always)
  func readRecord(_ sequence: Int) throws(ImmutaError) -> Record {
    let number = nextReader.load(ordering: .relaxed) & Int.max
    if let ownReader { return try ownReader.record(sequence, reader: number) }
    return try readFollowed(sequence, reader: number)
  }

  /// A record of a log that another process may write.
  @inline(never)
  private func readFollowed(_ sequence: Int, reader number: Int) throws(ImmutaError) -> Record {
    try follower?.refresh()
    let reader = reader
    do throws(ImmutaError) {
      return try reader.record(sequence, reader: number)
    } catch {
      // The file may not be what it was.
      guard try isDueToChange(error, of: reader) else { throw error }
      return try self.reader.record(sequence, reader: number)
    }
  }

  /// What is known of the log without reading it. O(1).
  ///
  /// - Throws: `.storageClosed`, `.io`.
  public var details: Details {
    get throws(ImmutaError) {
      try reader.checkOpen()
      try follower?.refresh()
      return try Details(self, openingNote: openingNote, damage: damage)
    }
  }

  /// Records known to be on stable storage, as far as this process knows.
  var stableCount: Int {
    try? follower?.refreshStable()
    return progress(.durable, reader).generation
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

  /// The same; true, too, where the files are not what they were, and those that are there cannot be read yet.
  func mayHaveChanged(since reader: LogReader) throws(ImmutaError) -> Bool {
    try changedSince(reader) || follower?.isLost == true
  }

  /// Whether what went wrong in reading is due to files that are not read any more: what seemed damaged, or rested while
  /// another file got its name.
  ///
  /// - Throws: `.logChanged` where the file is gone, and nothing else that can be read has its name yet.
  func isDueToChange(_ error: ImmutaError, of reader: LogReader) throws(ImmutaError) -> Bool {
    switch error {
    case .corrupted: return try changedSince(reader)
    case .logMoved where isFollowing:
      if try changedSince(reader) { return true }
      throw .logChanged(LogChange(path: files.logPath, kind: .removed, sharedCount: reader.count))
    default: return false
    }
  }

  /// What streams of this visibility wait for: its generation is the number of records they may deliver.
  ///
  /// - Parameter reader: what is read from now.
  func progress(_ visibility: StreamVisibility, _ reader: LogReader) -> Broadcaster {
    switch visibility {
    case .committed: reader.committed
    case .durable: writer?.flusher.stable ?? reader.stable ?? reader.committed
    }
  }

  /// Somebody is about to wait for records to be committed: another process' commits must be noticed until `endWait`.
  func beginWait(_ visibility: StreamVisibility) throws(ImmutaError) {
    try follower?.beginWait(forStable: visibility == .durable)
  }

  func endWait(_ visibility: StreamVisibility) {
    follower?.endWait(forStable: visibility == .durable)
  }

  /// The companion's header as it is on file; nil when there is none that is whole.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? {
    if let writer { return writer.flusher.companionHeader }
    return try follower?.files.companion?.companionHeader()
  }

  /// The codec that the log was written with, by its companion or its meta file; empty for none, and where neither tells.
  func knownCodec() throws(ImmutaError) -> String {
    let header = try companionHeader()
    // The meta file says the same, and need not be opened.
    if let header, header.format == reader.format, let name = header.codecName { return name }
    let files = currentFiles
    let trust = FileTrust(in: files.directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
    return try LogKnowledge(files, header, reader.format, trust).codecName ?? ""
  }

  /// The writing side, or `.readOnly`.
  func openWriter() throws(ImmutaError) -> LogWriter {
    guard let writer else { throw reasonForNoWriter }
    return writer
  }

  /// Why a log that has no writing side cannot be appended to.
  var reasonForNoWriter: ImmutaError {
    do throws(ImmutaError) { try reader.checkOpen() } catch { return error }
    return .readOnly
  }

  /// Returns why what was committed is not on stable storage: the same, whoever closes.
  @discardableResult
  func close() -> ImmutaError? {
    guard let writer else {
      let follower = following.withLock { following -> Follower? in
        guard case .open(let follower) = following else { return nil }
        following = .closed(follower.files.reader)
        return follower
      }
      follower?.close()
      reader.close()
      return nil
    }
    let (isFirst, failure) = writer.close()
    return told(isFirst, failure)
  }

  /// Closes many logs. Returns, for each, what `close` does.
  static func closeTogether(_ logs: [Log]) -> [ImmutaError?] {
    var failures = [ImmutaError?](repeating: nil, count: logs.count)
    let writers = logs.indices.filter { logs[$0].writer != nil }
    let outcomes = LogWriter.closeTogether(writers.compactMap { logs[$0].writer })
    for (place, outcome) in zip(writers, outcomes) {
      failures[place] = logs[place].told(outcome.isFirst, outcome.failure)
    }
    for log in logs where log.writer == nil { log.close() }
    return failures
  }

  /// Tells the logger, once.
  private func told(_ isFirst: Bool, _ failure: ImmutaError?) -> ImmutaError? {
    if isFirst, let failure {
      let advice = failure.isLogMoved ? "closing failed" : "closing failed; the next opening recovers"
      logger?.error("\(advice): \(failure)", metadata: ["namespace": "\(namespace)"])
    }
    return failure
  }
}
