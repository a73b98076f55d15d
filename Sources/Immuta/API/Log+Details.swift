extension Log {
  /// What is known of a log without reading it.
  public struct Details: Hashable, Sendable {
    /// The namespace's name.
    public let namespace: String
    /// The log file; of a log that has rolled, the file of the first segment that exists.
    public let path: String
    /// The log file's layout.
    public let format: LogFormat
    /// The name of the codec that payloads are stored with; empty for none, and where nothing beside the log names it.
    public let codec: String
    /// The log's identity; nil where no file holds it.
    public let identity: LogIdentity?
    /// Committed records, including those that were removed: the number that the next one gets.
    public let count: Int
    /// The first record that was not removed.
    public let firstSequence: Int
    /// How many records are missing with the first segments, though they were not removed.
    package let missingCount: Int
    /// Segments: files with records.
    public let segmentCount: Int
    /// Bytes of the log, headers and committed records: the size of its files once it is closed.
    public let byteCount: Int
    /// Records known to be on stable storage.
    public let stableCount: Int
    /// When the first record was committed; nil when there is none, or its entry is damaged.
    public let firstTimestamp: Timestamp?
    /// When the last record was committed; nil when there is none, or its entry is damaged.
    public let lastTimestamp: Timestamp?
    /// What opening found that people should know, such as that the log was not closed, and what recovery did; nil for nothing.
    public let openingNote: String?
    /// Records that crashes of the machine took back over the log's life: committed, but torn by a power cut before
    /// they were stable, and cut off when the log was next opened.
    public let tornCount: Int
    /// When such records were last cut off; nil for never.
    public let lastRecovery: Timestamp?
    /// Damage that opening found and passed over: records that are whole can be read, others throw. Opening for
    /// appending passes over damaged records only where it makes the companion of a log whose records carry checksums
    /// of their own. Nil when none was found; a damaged record that opening did not look at is found by
    /// ``Log/verify()``.
    public let damage: Corruption?
    /// Records whose checksum was taken when they were appended: verifying shows whether they are what was appended. The
    /// checksums of the others were made later from the log's bytes, because the companion was lost or another program appended
    /// the records: nobody knows what happened to these before.
    public let verifiable: Int
    /// Why times of the log may be wrong; empty where nothing speaks against them.
    public let clock: [ClockDoubt]
    /// Who has the turn to write at this moment; nil when nobody has it, and where the log is open for reading only. A
    /// small append takes no turn.
    public let turn: Turn?

    /// The caller that writes, while others that append wait.
    public struct Turn: Hashable, Sendable {
      /// What it is used for.
      public let work: Work
      /// Since when.
      public let since: ContinuousClock.Instant
      /// How many wait for it.
      public let waiting: Int

      /// What a turn is used for.
      @nonexhaustive
      public enum Work: Hashable, Sendable {
        /// A transaction's closure.
        case transaction
        /// A transaction that is ended by hand: see ``Log/beginTransaction()``.
        case openTransaction
        /// One record: a large one, the first one after the log was opened, or one that a codec transforms.
        case append
        /// One record that was received in chunks, and is copied into the log.
        case upload
      }
    }
  }
}

extension Log.Details.Turn {
  init(_ turn: TakenTurn) {
    let work: Work =
      switch turn.work {
      case .transaction: .transaction
      case .openTransaction: .openTransaction
      case .append: .append
      case .upload: .upload
      }
    self.init(work: work, since: turn.since, waiting: turn.waiting)
  }
}

extension Log.Details.Turn.Work: CustomStringConvertible {
  /// A noun, for people.
  public var description: String {
    let work: TakenTurn.Work =
      switch self {
      case .transaction: .transaction
      case .openTransaction: .openTransaction
      case .append: .append
      case .upload: .upload
      }
    return work.description
  }
}

extension Log.Details {
  init(_ log: Log, openingNote: String?, damage: Corruption?) throws(ImmutaError) {
    let count = log.reader.count
    firstSequence = log.firstSequence
    namespace = log.namespace
    let front = log.open.front
    missingCount = max(0, front - firstSequence)
    path = try log.path(ofSegment: front)
    format = log.reader.format
    self.count = count
    let segments = try log.segmentSizes()
    byteCount = segments.bytes + log.reader.end
    segmentCount = segments.count + 1
    stableCount = log.stableCount
    firstTimestamp = try Self.timestamp(of: max(front, log.firstSequence), count, log)
    lastTimestamp = try Self.timestamp(of: count - 1, count, log)
    self.openingNote = openingNote
    let header = try log.companionHeader()
    codec = try log.knownCodec()
    identity = log.identity
    verifiable =
      count - firstSequence - missingCount
      - min(
        log.reader.ownCount,
        log.reader.madeCount ?? header?.madeCount ?? (format.hasPayloadChecksum ? 0 : log.reader.ownCount))
    tornCount = header?.tornCount ?? 0
    lastRecovery = header.flatMap { $0.recoveryTime == 0 ? nil : Timestamp(nanosecondsSince1970: $0.recoveryTime) }
    self.damage = damage
    clock = try log.clockDoubts()
    turn = log.writer?.turn.map { Turn($0) }
  }
}

extension Log.Details {
  private static func timestamp(of number: Int, _ count: Int, _ log: Log) throws(ImmutaError) -> Timestamp? {
    guard count > log.firstSequence else { return nil }
    do {
      return try log.open.reader(of: number, log.reader).timestamp(of: number)
    } catch  where log.open.removal(of: number) != nil {
      return try timestamp(of: log.firstSequence, count, log)
    } catch .corrupted {
      // Details must work for damaged logs, too.
      return nil
    }
  }
}

extension Log.Details: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    let kept = count - firstSequence - missingCount
    var text = "\(namespace): \(Quantity.records(kept)) in \(Quantity.bytes(byteCount)) (\(format))"
    if segmentCount > 1 { text += ", \(segmentCount) segments" }
    if firstSequence > 0 { text += ", from record \(firstSequence) on" }
    if let firstTimestamp, let lastTimestamp { text += ", \(firstTimestamp) to \(lastTimestamp)" }
    if !codec.isEmpty { text += "; codec \(codec.printable)" }
    if verifiable < kept { text += "; \(kept - verifiable) of them without a checksum from when they were appended" }
    for doubt in clock { text += "; \(doubt)" }
    if let openingNote { text += "; \(openingNote)" }
    if let lastRecovery { text += "; \(tornCount) torn records cut off, last on \(lastRecovery)" }
    return text
  }
}
