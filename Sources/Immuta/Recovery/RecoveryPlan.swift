/// What to do to a log's files before anybody appends to them, step by step. It is decided by what was found, without another
/// look at the disk, and carried out by ``RecoveryWork``. Opening and repair make their plans here.
///
/// In each plan, bytes that are removed are copied first; the log is cut only once the entries of the records that stay are
/// written; and a companion that was made again takes the old one's place last. A crash between two steps leaves files that lead
/// to the same plan again, or to none.
struct RecoveryPlan: Equatable {
  enum Step: Equatable {
    /// Copies the log's header beside it.
    case saveHeader
    /// Copies bytes of the log beside it.
    case saveTail(Range<Int>)
    /// Copies the companion beside it.
    case saveCompanion
    /// Makes the names of copies, or of a new companion, stable.
    case flushDirectory
    /// Drops the companion's entries from a number on, and adds the missing ones.
    case extendCompanion(keeping: Int)
    /// Makes a companion beside the old one.
    case makeCompanion
    /// Ends the log after its last record, gives it its header, and flushes it.
    case endLog(at: Int, LogHeader)
    /// Marks the log as closed in the companion that it had.
    case markClosed
    /// Puts the companion that was made in its place.
    case installCompanion
  }

  private(set) var steps: [Step]

  /// Whether nothing is to be done: the log was closed, and nothing has happened to it since.
  var isEmpty: Bool { steps.isEmpty }

  /// What opening for appending does.
  ///
  /// - Parameter fileSize: the log's.
  init(opening outcome: Reconciliation.Outcome, fileSize: Int, _ format: LogFormat) {
    Self.check(end: outcome.end, count: outcome.count, fileSize: fileSize, format)
    steps = []
    if case .kept(through: let tailEnd) = outcome.tail, outcome.end < tailEnd ?? fileSize {
      steps += [.saveTail(outcome.end..<(tailEnd ?? fileSize)), .flushDirectory]
    }
    let header = LogHeader(format, count: outcome.count, lastIndex: outcome.lastIndex)
    let end = Step.endLog(at: outcome.end, header)
    switch outcome.entries {
    case .closed: precondition(steps.isEmpty, "a log that was closed ends after its last record")
    case .whole: steps += [.extendCompanion(keeping: outcome.count), end, .markClosed]
    case .extended(let kept, _): steps += [.extendCompanion(keeping: kept), end, .markClosed]
    case .madeAgain: steps += [.makeCompanion, end, .installCompanion]
    }
  }

  /// A log that has just been made, whose header is written: it gets a companion.
  static let newLog = RecoveryPlan(steps: [.makeCompanion, .installCompanion])

  /// What repair does if something has to be done. Whatever it removes or replaces is copied first.
  ///
  /// - Parameters:
  ///   - wanted: the header as it should be.
  ///   - header: the header as it is; nil if the format has none.
  ///   - end: where the last record that is kept ends.
  init(
    repairing wanted: LogHeader, end: Int, header: LogHeader?, fileSize: Int, hasCompanion: Bool, _ format: LogFormat
  ) {
    Self.check(end: end, count: wanted.count, fileSize: fileSize, format)
    steps = []
    let hasTail = fileSize > end
    // Header and tail together hold everything that the repair removes from the log.
    if format.hasCount, hasTail || header != wanted { steps.append(.saveHeader) }
    if hasTail { steps.append(.saveTail(end..<fileSize)) }
    if hasCompanion { steps.append(.saveCompanion) }
    steps += [.flushDirectory, .makeCompanion, .endLog(at: end, wanted), .installCompanion, .flushDirectory]
  }

  private init(steps: [Step]) { self.steps = steps }

  private static func check(end: Int, count: Int, fileSize: Int, _ format: LogFormat) {
    precondition(count >= 0 && end >= format.leastIndex(of: count), "so many records take more room")
    precondition(end <= fileSize, "a log is never made longer by recovery")
  }
}
