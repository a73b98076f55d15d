/// Finds out what a log holds, from its own header, its companion and its bytes. Changes nothing.
///
/// - A log that was closed is taken at its word: O(1), whatever its size.
/// - A log that another program extended since has entries made for the new records.
/// - A companion that is missing, short or damaged is made again from the log; the checksums that are whole are kept.
/// - After a crash the longest run of whole commits counts, from the last record known stable on.
struct Reconciliation: ~Copyable {
  let disk: LogOnDisk
  let format: LogFormat
  let fileSize: Int
  /// Nil where the format has none: then the entries say what was committed, and the file's end where there are none.
  let header: LogHeader?
  var log: LogScanner
  var companion: CompanionScanner?
  let companionHeader: CompanionHeader?
  /// Whether the companion's newest header may be lost: then more may have been stable than the one that is left says.
  /// A log that is open has written both.
  let mayForgetStable: Bool
  /// Time given to records that have no entry.
  let modified: Int64
  let isSameBoot: Bool
  let progress: ScanProgress?
  /// What says whether the companion is this log's; nil where nothing can.
  private let origin: CompanionOrigin?

  /// A place between two records.
  struct Cursor: Equatable {
    /// At the next record.
    var walk: RecordWalk
    /// Of the record before.
    var lastTime: Int64 = 0

    var number: Int { walk.number }
    var index: Int { walk.index }
    var lastIndex: Int { walk.lastIndex }
  }

  init(_ disk: LogOnDisk, progress: ScanProgress? = nil) throws(ImmutaError) {
    if disk.isTooShort { throw .corrupted(try Self.tooShort(disk)) }
    companion = try CompanionScanner.ofFile(disk.companion)
    self.disk = disk
    format = disk.format
    fileSize = disk.status.size
    modified = disk.status.modified
    header = disk.header
    self.progress = progress
    log = LogScanner(disk.log, format, end: fileSize, progress: progress)
    origin =
      disk.companion == nil
      ? nil : CompanionOrigin(disk.slots?.current, header, room: companion?.count ?? 0, format)
    companionHeader = disk.companionHeader
    mayForgetStable = disk.slots.map { $0.whole.count < 2 } ?? false
    isSameBoot = BootIdentity.current != 0 && companionHeader?.bootIdentity == BootIdentity.current
  }

  /// The same of files that are open.
  init(
    log: Descriptor, companion: Descriptor?, format: LogFormat, progress: ScanProgress? = nil
  ) throws(ImmutaError) {
    try self.init(LogOnDisk(log: log, companion: companion, format: format), progress: progress)
  }

  var path: String { disk.log.path }

  /// The codec chain's name that the companion remembers; nil when there is no companion to remember it.
  var codecName: String? { companionHeader?.codecName }

  mutating func run() throws(ImmutaError) -> Outcome {
    do throws(ImmutaError) {
      let outcome = try found()
      assert(outcome.end <= fileSize && outcome.kept <= outcome.count, "records lie in the file")
      return outcome
    } catch .corrupted(var damage) {
      if try mayBeOfAnotherFormat() {
        damage.possibleFormat = .v1
      } else if try evidence() == .none {
        damage = try noLog()
      }
      throw .corrupted(damage)
    }
  }

  /// Whether nothing but the file's bytes said that this is v2, and it may be v1.
  func mayBeOfAnotherFormat() throws(ImmutaError) -> Bool {
    guard format == .v2, companionHeader == nil else { return false }
    return try LogFormat.mayBeFirst(disk.log)
  }

  private mutating func found() throws(ImmutaError) -> Outcome {
    if let file = disk.companion { try origin?.check(&log, &companion, (path, file.path)) }
    switch RecoveryCourse(companionHeader, header, format, fileSize: fileSize) {
    case .refused(let contradiction): throw corrupted("its header is damaged: \(contradiction)")
    case .closed(let promised): return try closed(promised: promised)
    case .crashed(let stable): return try crashed(stable: stable)
    case .withoutCompanion(let count):
      var outcome = try extended(from: start, through: count, keepingEntries: true)
      outcome.makeAgain(from: start, keptBelow: .max)
      // Nobody says that these bytes were never promised: what is no reserved space is kept.
      if header != nil, outcome.end < fileSize, try !log.isBlank(from: outcome.end) {
        outcome.tail = .keptWhole
        outcome.add(
          note:
            "has \(Words.bytes(fileSize - outcome.end)) after its last record that belong to no record, which opening "
            + "for appending cuts off and keeps beside it")
      }
      return outcome
    }
  }

  /// Whether the companion says that the log was not closed.
  var wasNotClosed: Bool { companionHeader.map { !$0.isClean } ?? false }

  var start: Cursor { Cursor(walk: RecordWalk(format)) }

  /// How many of the first entries were made from the log's bytes, by the companion's word.
  func madeCount(through number: Int) -> Int { min(number, companionHeader?.madeCount ?? 0) }

  func outcome(at cursor: Cursor, _ entries: Outcome.Entries) -> Outcome {
    Outcome(
      count: cursor.number, end: cursor.index, lastIndex: cursor.lastIndex, lastTime: cursor.lastTime, entries: entries)
  }

  func corrupted(_ number: Int? = nil, _ index: Int? = nil, _ reason: String) -> ImmutaError {
    .corrupted(Corruption(path: path, sequence: number, index: index, reason: reason))
  }

  func corrupted(_ reason: String) -> ImmutaError {
    corrupted(nil, nil, reason)
  }
}

/// How the records of a log are found, by its headers alone.
enum RecoveryCourse: Equatable {
  /// The header can be no log's.
  case refused(String)
  /// The log was closed with so many records: the last one's entry leads to its end.
  case closed(promised: Int)
  /// The log was not closed; so many records are on stable storage: the entries after them are compared with the log.
  case crashed(stable: Int)
  /// Nothing but the log says what it holds: the size fields lead through so many records; nil for all there are.
  case withoutCompanion(count: Int?)

  /// - Parameter companion: the header of the log's companion, of the log's format.
  init(_ companion: CompanionHeader?, _ header: LogHeader?, _ format: LogFormat, fileSize: Int) {
    let wasNotClosed = companion.map { !$0.isClean } ?? false
    // After a crash the header may be newer than the file's size, or older than its records: the companion decides then.
    if !wasNotClosed, let contradiction = header?.contradiction(format: format, fileSize: fileSize) {
      self = .refused(contradiction)
    } else if let companion {
      self = companion.isClean ? .closed(promised: companion.stableCount) : .crashed(stable: companion.stableCount)
    } else {
      self = .withoutCompanion(count: header?.count)
    }
  }
}
