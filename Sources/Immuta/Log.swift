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
  private let follower: Follower?
  private let logger: Logger?
  private let openingNote: String?
  /// What opening passed over.
  let damage: Corruption?
  /// Relaxed: it only spreads readers over descriptors.
  private let nextReader = Atomic(0)

  init(
    directory: Directory, namespace: String, configuration: Storage.Configuration, pools: TransformPools
  ) throws(ImmutaError) {
    self.namespace = namespace
    files = configuration.files(of: namespace, in: directory)
    logger = configuration.logger
    let opened = try Opening(files: files, configuration: configuration, pools: pools).run()
    reader = opened.reader
    writer = opened.writer
    unsafe heldWriter = opened.writer.map { unsafe Unmanaged.passUnretained($0) }
    follower = opened.follower
    openingNote = opened.note
    damage = opened.damage
  }

  deinit {
    close()
  }

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
    try files.directory.openIfPresent(files.companion, .read)?.companionHeader()
  }

  /// The codec that the log was written with, by its companion or its meta file; empty for none, and where neither tells.
  func knownCodec() throws(ImmutaError) -> String {
    try LogKnowledge(files, companionHeader(), reader.format).codecName ?? ""
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

  func close() {
    follower?.close()
    if let writer {
      if let failure = writer.close() {
        logger?.error(
          "closing failed; the next opening recovers: \(failure)", metadata: ["namespace": "\(namespace)"])
      }
    } else {
      reader.close()
    }
  }
}
