/// When a log begins its next segment: by default never, so that it stays one file.
///
/// A record lies in one segment, and so does a transaction. A segment's files are never written again once the log has rolled.
/// ``Retention`` removes whole segments.
public struct SegmentLimits: Hashable, Sendable {
  /// A record that would make the segment's log file larger than so many bytes begins the next one. A segment of one record may
  /// be larger; so may one that ends with a transaction, whose size is not known before. Nil for no limit.
  public var maximumBytes: Int?
  /// When a segment's first record is this old, the log begins another segment, also while nothing is appended. A segment without
  /// records stays the newest. Nil for no limit.
  public var maximumAge: Duration?

  /// Limits, each at least 1; nil for none.
  public init(maximumBytes: Int? = nil, maximumAge: Duration? = nil) {
    self.maximumBytes = maximumBytes
    self.maximumAge = maximumAge
  }
}

/// What a log keeps: by default everything.
///
/// Whole segments are removed, from the first on, never the newest one. So a log keeps what its limits allow, less a part of a
/// segment. It keeps more only if its newest segment alone is larger, or if a consumer has not read the records yet. Limits are
/// checked when the log rolls. If one of them is an age, or if consumers are waited for, they are also checked from time to time
/// while the log is open for appending.
public struct Retention: Hashable, Sendable {
  /// The most bytes of the segments' log files together.
  public var maximumBytes: Int?
  /// The most time since a segment's last record was appended, by the clock of this machine.
  public var maximumAge: Duration?
  /// The most records.
  public var maximumRecords: Int?
  /// Consumers that must have acknowledged a record before a limit removes it, in whichever process they are. A consumer that was
  /// never made has acknowledged nothing. They hold back what the limits remove, and remove nothing themselves.
  ///
  /// The position in the consumer's file on stable storage counts, so a power cut leaves no consumer before the first record.
  /// ``Log/removeRecords(before:)-ee8z`` removes at once, and waits for no consumer.
  public var waitingFor: [String]
  /// Bytes of the segments' log files beyond which consumers are not waited for any more: segments are removed, and it is logged
  /// which consumers have missed records. Not less than ``maximumBytes``. Nil for no such limit: then a consumer that never reads
  /// fills the disk.
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
