/// How large a log's records and batches may be, and what a record survives: see ``AppendOnlyLog/limits``.
public struct LogLimits: Hashable, Sendable {
  /// The most bytes that a record may have; nil where the device's space is the only limit. A record that is larger throws
  /// ``ImmutaError/recordTooLarge(in:)``, and nothing is appended.
  public let maximumRecordBytes: Int?
  /// The most records that `append(contentsOf:expecting:)` takes at once; nil for any number. With more it throws
  /// ``ImmutaError/batchTooLarge(maximum:in:)``, and nothing is appended.
  public let maximumBatchRecords: Int?
  /// What a record survives once its append has returned.
  public let survives: Survival

  /// What a record survives.
  @nonexhaustive
  public enum Survival: Hashable, Sendable {
    /// The end of the process that appended it. A power cut may take what was not flushed yet.
    case process
    /// The end of the process, and of the machine: it is on stable storage.
    case machine
    /// The loss of any minority of so many machines: a majority of them has the record. If `isFlushed`, the record is on stable
    /// storage on each machine of that majority; otherwise the newest records may be lost if a majority loses power at once.
    case machines(Int, isFlushed: Bool)
  }

  /// Limits; nil for no limit.
  public init(maximumRecordBytes: Int?, maximumBatchRecords: Int?, survives: Survival) {
    self.maximumRecordBytes = maximumRecordBytes
    self.maximumBatchRecords = maximumBatchRecords
    self.survives = survives
  }
}
