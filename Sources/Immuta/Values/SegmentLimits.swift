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
/// part of a segment; more only if its newest segment alone is more. Limits are looked at when the log rolls and, where an
/// age is one of them, from time to time while it is open for appending.
public struct Retention: Hashable, Sendable {
  /// The bytes of the segments' log files, together.
  public var maximumBytes: Int?
  /// Since a segment's last record was appended, by the clock of this machine.
  public var maximumAge: Duration?
  /// Records.
  public var maximumRecords: Int?

  /// Limits, each at least 1; nil for none.
  public init(maximumBytes: Int? = nil, maximumAge: Duration? = nil, maximumRecords: Int? = nil) {
    self.maximumBytes = maximumBytes
    self.maximumAge = maximumAge
    self.maximumRecords = maximumRecords
  }

  /// Whether everything is kept.
  public var keepsEverything: Bool { maximumBytes == nil && maximumAge == nil && maximumRecords == nil }
}
