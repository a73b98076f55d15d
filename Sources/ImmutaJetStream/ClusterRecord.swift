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
    /// The record's bytes as they were appended, also where a codec is in use.
    public let payload: Payload
    /// By which the record was appended: the one that the caller gave, or another one that no other append has. Nil for a message
    /// that something else published.
    ///
    /// O(length of the message's header).
    public var id: String? {
      switch identification {
      case .known(let id): id
      case .header(let message): message.id
      }
    }

    /// Readers seldom ask for an id, and finding one takes longer than all else: so it is looked for when it is asked for.
    private enum Identification: Sendable {
      case known(String?)
      case header(NatsMessage)
    }

    private let identification: Identification

    init(sequence: Int, timestamp: Timestamp, payload: Payload, id: String?) {
      (self.sequence, self.timestamp, self.payload) = (sequence, timestamp, payload)
      identification = .known(id)
    }

    init(_ message: NatsMessage, at place: DeliveryPlace) {
      (sequence, timestamp, payload) = (place.sequence, place.timestamp, message.payload)
      identification = .header(message)
    }

    private init(_ record: ClusterRecord, _ payload: Payload) {
      (sequence, timestamp, self.payload) = (record.sequence, record.timestamp, payload)
      identification = record.identification
    }

    /// Whether it is the same record: another one at its place has another time.
    func isSame(as other: ClusterRecord) -> Bool {
      sequence == other.sequence && timestamp == other.timestamp && id == other.id
    }

    /// The same with another payload.
    func with(_ payload: Payload) -> ClusterRecord { ClusterRecord(self, payload) }
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
