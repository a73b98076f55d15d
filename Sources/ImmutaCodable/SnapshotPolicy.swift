/// When a ``Projection`` saves its state by itself: whichever comes first.
///
/// A snapshot costs its encoding, two or three flushes and a new file. What it saves is reading the records in it again.
public struct SnapshotPolicy: Hashable, Sendable {
  /// After so many records since the last one; at least 1. Nil for any number. Default: 10,000.
  public var everyRecords: Int?
  /// So long after the last one, if records have come since. Nil for any time. Default: a minute.
  public var every: Duration?

  /// - Parameters:
  ///   - everyRecords: after so many records; nil for any number.
  ///   - every: after so much time; nil for any time.
  public init(everyRecords: Int? = 10_000, every: Duration? = .seconds(60)) {
    precondition(everyRecords ?? 1 > 0, "a snapshot is saved after 1 record or more")
    self.everyRecords = everyRecords
    self.every = every
  }

  /// Only by ``Projection/save()``, and at the end of ``Projection/run()``.
  public static var onDemand: SnapshotPolicy { SnapshotPolicy(everyRecords: nil, every: nil) }

  /// Whether so many records, in so much time, are enough.
  func asks(_ records: Int, in time: Duration) -> Bool {
    if records <= 0 { return false }
    if let everyRecords, records >= everyRecords { return true }
    if let every, time >= every { return true }
    return false
  }
}
