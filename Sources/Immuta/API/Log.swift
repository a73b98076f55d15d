import Logging
import Synchronization

/// One namespace of a storage: a log that is appended to at its end and read from anywhere.
///
/// Get one with ``Storage/log(_:)``. Any number of tasks and threads may use it at once. It works until its storage is closed. A
/// log that outlives the last reference to its storage stays open until it is released itself.
@safe public final class Log: Sendable {
  /// The namespace's name.
  public let namespace: String
  let files: LogFiles
  /// Nil when the log is open for reading only: then there is a follower.
  let writer: LogWriter?
  /// `writer` again, unmanaged, for small appends, which would otherwise retain and release it for each record. Safe, because
  /// `writer` holds it for as long as the log exists and never changes.
  let heldWriter: Unmanaged<LogWriter>?
  /// Whether an append returns only when its record is stable.
  @usableFromInline let awaitsFlush: Bool
  /// Whether somebody wants to know how long appends take.
  @usableFromInline let isObserved: Bool
  /// What is read from. Closes the log once neither the log nor a stream is held.
  let open: OpenLog
  /// The writer's newest segment, at hand; nil where there is no writer.
  private let newest: NewestSegment?
  /// Whether opening made it.
  let isNew: Bool

  /// What opening found out, for people.
  package let openingNote: String?
  private let damageOnOpening: Corruption?
  let acceptsFilesOfOthers: Bool
  let durability: Durability
  let uploads: Storage.Uploads
  /// The owner, which forgets a log that closes itself.
  weak let owner: (any LogOwner)?
  /// Relaxed: it only spreads readers over descriptors.
  private let nextReader = Atomic(0)

  init(
    of owner: any LogOwner, directory: Directory, namespace: String, configuration: Storage.Configuration,
    pools: TransformPools
  ) throws(ImmutaError) {
    self.owner = owner
    self.namespace = namespace
    files = configuration.files(of: namespace, in: directory)
    acceptsFilesOfOthers = configuration.acceptsFilesOfOthers
    durability = configuration.durability
    let observer = configuration.observer?(namespace)
    let opened: Opening.Opened
    do throws(ImmutaError) {
      opened = try Opening(files: files, options: configuration.opening(observer), pools: pools).run()
    } catch {
      throw files.seenInPlace(error).of(namespace)
    }
    writer = opened.writer
    newest = opened.writer?.newest
    open = OpenLog(
      opened.writer, opened.follower, path: files.logPath, namespace: namespace, logger: configuration.logger,
      observer: observer)
    isObserved = observer != nil
    awaitsFlush = opened.writer?.awaitsFlush ?? false
    unsafe heldWriter = opened.writer.map { unsafe Unmanaged.passUnretained($0) }
    isNew = opened.isNew
    openingNote = opened.note
    damageOnOpening = opened.damage
    uploads = configuration.uploads
    if let logger = configuration.logger, let last = opened.lastTime, Timestamp(nanosecondsSince1970: last).isDoubtful {
      for doubt in try clockDoubts() {
        logger.tell(
          .clockDoubted, .warning, "\(doubt)", ["namespace": "\(namespace)", "path": "\(files.logPath)"])
      }
    }
    if let damage = opened.damage { open.noteDamage(.corrupted(damage)) }
  }

  /// Whether another process may write the log.
  var isFollowing: Bool { open.isFollowing }

  /// Keeps the log up to date with a writer in another process; nil where this log has the writer.
  var follower: Follower? { open.follower }

  /// What is read from. A follower may give another one each time, after the files were changed or replaced.
  var reader: LogReader { open.reader }

  func checkOpen() throws(ImmutaError) {
    if !reader.isOpen { throw .storageClosed.of(namespace) }
  }

  /// The damage that opening passed over.
  var damage: Corruption? {
    if let follower { return follower.files.damage }
    return damageOnOpening
  }

  /// Why the records after the last one cannot be read, though there were some or may have been: see ``OpenLog/endDamage``.
  package var endDamage: Corruption? { open.endDamage }

  /// The log's identity: see ``LogIdentity``. Nil where no file holds it: for a log without companion that is open for reading
  /// only. O(1).
  public var identity: LogIdentity? { reader.identity }

  /// The files that are read now: a follower may have gone on in another directory.
  var currentFiles: LogFiles { follower?.files.files ?? files }

  /// Committed records: the number that the next one gets. O(1).
  ///
  /// After the storage was closed, the number at that time.
  public var count: Int { open.current.count }

  /// The number of the first record that was not removed: 0 unless ``Retention`` or ``removeRecords(before:)-ee8z`` have removed
  /// any. O(1); for a log that is open for reading only, a look at its directory.
  public var firstSequence: Int {
    follower?.noteRemoved()
    return open.firstSequence
  }

  /// A place in the log's records.
  func cursor(from position: StreamPosition, only visibility: StreamVisibility) -> RecordCursor {
    RecordCursor(
      open, from: position, only: visibility,
      reader: nextReader.wrappingAdd(1, ordering: .relaxed).oldValue & Int.max)
  }

  /// One committed record, by number. O(1): two small reads, or none close to the end.
  ///
  /// - Throws: `.recordNotFound` when there is no such record (yet), `.corrupted` when it is damaged, `.storageClosed`,
  ///   `.io`.
  public func record(at sequence: Int) async throws -> Record {
    try readRecord(sequence)
  }

  /// One committed record, by number, for code that is not async. Blocks for the reads.
  public func record(at sequence: Int) throws(ImmutaError) -> Record {
    try readRecord(sequence)
  }

  @inline(__always)
  func readRecord(_ sequence: Int) throws(ImmutaError) -> Record {
    let number = nextReader.load(ordering: .relaxed) & Int.max
    do throws(ImmutaError) {
      if let newest = newest?.reader {
        if !newest.isElsewhere(sequence) { return try newest.record(sequence, reader: number) }
        return try open.reader(of: sequence, newest).record(sequence, reader: number)
      }
      return try readFollowed(sequence, reader: number)
    } catch {
      let error = open.removal(of: sequence) ?? error
      open.noteDamage(error)
      throw error.of(namespace)
    }
  }

  /// A record of a log that another process may write.
  @inline(never)
  private func readFollowed(_ sequence: Int, reader number: Int) throws(ImmutaError) -> Record {
    try follower?.refresh()
    let reader = reader
    if sequence >= reader.count { try open.checkEnd() }
    do throws(ImmutaError) {
      return try open.reader(of: sequence, reader).record(sequence, reader: number)
    } catch {
      // The file may not be what it was.
      guard try open.isDueToChange(error, of: reader) else { throw error }
      return try open.reader(of: sequence, self.reader).record(sequence, reader: number)
    }
  }

  /// What is known of the log without reading it. O(1).
  ///
  /// - Throws: `.storageClosed`, `.io`.
  public var details: Details {
    get throws(ImmutaError) {
      try checkOpen()
      try follower?.refresh()
      return try Details(self, openingNote: openingNote, damage: damage)
    }
  }

  /// Records known to be on stable storage, as far as this process knows.
  package var stableCount: Int {
    try? follower?.refreshStable()
    return open.count(.durable, reader)
  }

  /// The companion's header as it is on file; nil when there is none, or it is damaged.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? { try open.companionHeader() }

  /// The codec that the log was written with, by its companion or its meta file; empty for none, and where neither names it.
  func knownCodec() throws(ImmutaError) -> String {
    let header = try companionHeader()
    // The meta file says the same, and need not be opened.
    if let header, header.format == reader.format, let name = header.codecName { return name }
    let files = currentFiles
    return try LogKnowledge(files, header, reader.format, trust).codecName ?? ""
  }

  /// The users whose files are trusted.
  var trust: FileTrust { FileTrust(in: currentFiles.directory, acceptsFilesOfOthers: acceptsFilesOfOthers) }

  /// The writing side, or `.readOnly`.
  func openWriter() throws(ImmutaError) -> LogWriter {
    guard let writer else { throw reasonForNoWriter }
    return writer
  }

  /// Why a log that has no writing side cannot be appended to.
  var reasonForNoWriter: ImmutaError {
    do throws(ImmutaError) { try checkOpen() } catch { return error }
    return .readOnly.of(namespace)
  }

  /// Returns why committed records are not on stable storage: the same for each caller that closes.
  @discardableResult
  func close() -> ImmutaError? { open.close() }
}
