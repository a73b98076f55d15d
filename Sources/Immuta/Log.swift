import Locking
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
  let reader: LogReader
  /// Nil when the log is open for reading only.
  let writer: LogWriter?
  /// `writer` once more, for small appends, which would retain and release it for each record. As safe as that is, which
  /// holds it for as long as there is a log and is never another.
  let heldWriter: Unmanaged<LogWriter>?
  /// Nil when the log is open for appending, or closed: then nothing keeps its files open.
  private let following: Lock<Follower?>
  private let isFollowing: Bool
  private let logger: Logger?
  private let openingNote: String?
  /// What opening passed over.
  let damage: Corruption?
  let uploads: Storage.Uploads
  /// Relaxed: it only spreads readers over descriptors.
  private let nextReader = Atomic(0)

  init(
    directory: String, namespace: String, configuration: Storage.Configuration, pools: TransformPools
  ) throws(ImmutaError) {
    self.namespace = namespace
    files = configuration.files(of: namespace, in: directory)
    logger = configuration.logger
    let opened = try Opening(files: files, configuration: configuration, pools: pools).run()
    reader = opened.reader
    writer = opened.writer
    unsafe heldWriter = opened.writer.map { unsafe Unmanaged.passUnretained($0) }
    following = Lock(opened.follower)
    isFollowing = opened.follower != nil
    openingNote = opened.note
    damage = opened.damage
    uploads = configuration.uploads
    if let logger, let last = opened.lastTime, Timestamp(nanosecondsSince1970: last).isDoubtful {
      for doubt in try clockDoubts() {
        logger.warning("\(doubt)", metadata: ["namespace": "\(namespace)", "path": "\(files.log)"])
      }
    }
  }

  deinit {
    close()
  }

  /// Keeps the log up to date with a writer elsewhere; nil where this is the writer.
  private var follower: Follower? { isFollowing ? following.withLock { $0 } : nil }

  /// Committed records: the number that the next one gets. O(1).
  ///
  /// After the storage was closed, the number there was then.
  public var count: Int {
    // A log read while another program writes it: what cannot be told now is told by the read that needs it.
    try? follower?.refresh()
    return reader.count
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

  func readRecord(_ sequence: Int) throws(ImmutaError) -> Record {
    try follower?.refresh()
    return try reader.record(sequence, reader: nextReader.load(ordering: .relaxed) & Int.max)
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
    return progress(.durable).generation
  }

  func refresh(_ visibility: StreamVisibility = .committed) throws(ImmutaError) {
    try follower?.refresh()
    if visibility == .durable { try follower?.refreshStable() }
  }

  /// What streams of this visibility wait for: its generation is the number of records they may deliver.
  func progress(_ visibility: StreamVisibility) -> Broadcaster {
    switch visibility {
    case .committed: reader.committed
    case .durable: writer?.flusher.stable ?? follower?.stable ?? reader.committed
    }
  }

  /// Somebody is about to wait for records to be committed: another process' commits must be noticed until `endWait`.
  func beginWait(_ visibility: StreamVisibility) throws(ImmutaError) {
    try follower?.beginWait(visibility)
  }

  func endWait(_ visibility: StreamVisibility) {
    follower?.endWait(visibility)
  }

  /// The companion's header as it is on file; nil when there is none that is whole.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? {
    try Descriptor.ifThere(files.companion, .read)?.companionHeader()
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
      following.withLock { follower in
        defer { follower = nil }
        return follower
      }?.close()
      reader.close()
      return nil
    }
    let (isFirst, failure) = writer.close()
    if isFirst, let failure {
      logger?.error("closing failed; the next opening recovers: \(failure)", metadata: ["namespace": "\(namespace)"])
    }
    return failure
  }
}
