#if JetStream
  public import Immuta

  /// A record of a log on a cluster.
  ///
  /// It stays valid for as long as it is held, longer than its stream and its cluster. Its payload is a view of the message that
  /// brought it, without a copy.
  public struct ClusterRecord: LogRecord {
    /// The record's number in its log: 0 for the first.
    public let sequence: Int
    /// When the cluster's leader stored the record, by that server's clock.
    public let timestamp: Timestamp
    /// The record's bytes: what was appended, where a codec is in use.
    public let payload: Payload
    /// By which the record was appended: the one that the caller gave, or another one that no other append has. Nil for a message
    /// that something else published.
    public let id: String?

    init(sequence: Int, timestamp: Timestamp, payload: Payload, id: String?) {
      self.sequence = sequence
      self.timestamp = timestamp
      self.payload = payload
      self.id = id
    }

    /// The same with another payload.
    func with(_ payload: Payload) -> ClusterRecord {
      ClusterRecord(sequence: sequence, timestamp: timestamp, payload: payload, id: id)
    }
  }

  /// Where an appended record is.
  public struct ClusterReceipt: LogReceipt, Hashable {
    /// The record's number in its log: 0 for the first.
    public let sequence: Int
    /// By which the record was appended.
    public let id: String
  }

  /// Where records are that were appended together.
  public struct ClusterReceipts: LogReceipts, Hashable {
    /// The records' numbers in their log. Empty where nothing was appended.
    public let sequences: Range<Int>
    /// By which they were appended; the record at place k has `<id>/<k>`, unless it is the only one.
    public let id: String
  }
#endif
