/// When a log begins its next segment: by default never, so that it stays one file.
///
/// A record lies in one segment, and so does a transaction. A segment's files are never written again once the log has
/// rolled, and whole segments are what ``Retention`` removes.
public struct SegmentLimits: Hashable, Sendable {
  /// A record that would make the segment's log file larger than so many bytes begins the next one. A segment of one record
  /// may be larger; so may one that ends with a transaction, whose size nobody knows before. Nil for no limit.
  public var maximumBytes: Int?
  /// A segment whose first record was appended so long ago is followed by another, also while nothing is appended. One
  /// without a record never is. Nil for no limit.
  public var maximumAge: Duration?

  /// Limits, each at least 1; nil for none.
  public init(maximumBytes: Int? = nil, maximumAge: Duration? = nil) {
    self.maximumBytes = maximumBytes
    self.maximumAge = maximumAge
  }
}

/// What a log keeps: by default everything.
///
/// Whole segments are removed, from the first on, never the newest one. So a log has what its limits allow, and less by a
/// part of a segment; more only if its newest segment alone is more, or a consumer has not read it yet. Limits are looked at
/// when the log rolls and, where an age is one of them or consumers are waited for, from time to time while it is open for
/// appending.
public struct Retention: Hashable, Sendable {
  /// The bytes of the segments' log files, together.
  public var maximumBytes: Int?
  /// Since a segment's last record was appended, by the clock of this machine.
  public var maximumAge: Duration?
  /// Records.
  public var maximumRecords: Int?
  /// Consumers that must have acknowledged a record before a limit removes it, in whichever process they are; one that was
  /// never made has acknowledged none. They hold back what the limits remove, and remove nothing themselves.
  ///
  /// What counts is what a consumer's file says on stable storage: so a power cut leaves no consumer before the first record.
  /// ``Log/removeRecords(before:)-ee8z`` does what it is told, and waits for nobody.
  public var waitingFor: [String]
  /// Bytes of the segments' log files beyond which consumers are not waited for any more: segments are removed, and the logger
  /// gets to know which consumers have missed records. Not less than ``maximumBytes``. Nil for no such limit: then a consumer
  /// that never reads fills the disk.
  public var hardMaximumBytes: Int?

  /// Limits, each at least 1; nil for none.
  public init(
    maximumBytes: Int? = nil, maximumAge: Duration? = nil, maximumRecords: Int? = nil, waitingFor: [String] = [],
    hardMaximumBytes: Int? = nil
  ) {
    self.maximumBytes = maximumBytes
    self.maximumAge = maximumAge
    self.maximumRecords = maximumRecords
    self.waitingFor = waitingFor
    self.hardMaximumBytes = hardMaximumBytes
  }

  /// Whether everything is kept.
  public var keepsEverything: Bool {
    maximumBytes == nil && maximumAge == nil && maximumRecords == nil && hardMaximumBytes == nil
  }
}
