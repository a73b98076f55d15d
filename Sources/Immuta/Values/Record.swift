/// A committed record: its place in the log, its time, and a view of its bytes.
///
/// Its bytes were checked against the checksum taken when they were appended, unless the storage was configured not to.
/// A record stays valid for as long as it is held, longer than the stream it came from and the storage; see
/// ``Payload``.
public struct Record: LogRecord {
  /// The record's number in its log: 0 for the first.
  public let sequence: Int
  /// Byte offset of the record's size field in the log file. Find the record by its ``sequence``, not by this; its
  /// place among the others is the sequence, too.
  public let index: Int
  /// Stored payload bytes, without the size field. With a codec that is the size after compression or encryption; the number of
  /// bytes that were appended is `payload.count`.
  public let size: Int
  /// When the record was committed. Another program keeps no times: for its records, this is when the log file was last changed,
  /// as Immuta found it when it first saw the record.
  public let timestamp: Timestamp
  /// The record's bytes as they were appended, also where a codec is in use.
  public let payload: Payload

  /// `size` is that of the payload, unless the payload is stored as something else.
  package init(sequence: Int, index: Int, timestamp: Timestamp, payload: Payload, size: Int? = nil) {
    self.sequence = sequence
    self.index = index
    self.timestamp = timestamp
    self.payload = payload
    self.size = size ?? payload.count
  }
}
