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
  /// Nil if the format has none: then the entries say what was committed, or, without entries, the file's end.
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
  /// Decides whether the companion is this log's; nil if nothing can.
  let origin: CompanionOrigin?

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
    if disk.isTooShort { throw .corrupted(try disk.tooShort()) }
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
    isSameBoot = companionHeader?.isOfThisRun ?? false
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

  /// Whether the companion says that the log was not closed.
  var wasNotClosed: Bool { companionHeader.map { !$0.isClean } ?? false }

  var start: Cursor { Cursor(walk: RecordWalk(format)) }

  /// How many of the first entries were made from the log's bytes, by the companion's word.
  func madeCount(through number: Int) -> Int { min(number, companionHeader?.madeCount ?? 0) }

  func outcome(at cursor: Cursor, _ entries: Outcome.Entries) -> Outcome {
    Outcome(
      count: cursor.number, end: cursor.index, lastIndex: cursor.lastIndex, lastTime: cursor.lastTime, entries: entries)
  }

  func corrupted(
    _ code: Corruption.Reason.Code, _ number: Int? = nil, _ index: Int? = nil, _ reason: String
  ) -> ImmutaError {
    .corrupted(Corruption(code, path: path, sequence: number, index: index, reason: reason))
  }

  func corrupted(_ code: Corruption.Reason.Code, _ reason: String) -> ImmutaError {
    corrupted(code, nil, nil, reason)
  }
}
