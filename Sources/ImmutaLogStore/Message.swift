public import Immuta

extension LogStore {
  /// One message of a buffer of a partition's bytes: see ``LogStore/unmarshal(_:)``.
  public struct Message: Hashable, Sendable {
    /// The message's bytes: what was appended. A copy, valid for as long as it is held.
    public let payload: [UInt8]
    /// The checksum that is stored with the payload, which it was checked against.
    public let checksum: UInt32
    /// Where the message begins in the buffer.
    public let offset: Int

    /// The payload as UTF-8 text; sequences that are not are replaced by U+FFFD. O(bytes of the payload).
    public var text: String { String(decoding: payload, as: UTF8.self) }
  }
}

/// One committed message of a store, as streams deliver it. It was checked against its checksum.
public struct StoredMessage: Sendable {
  /// The partition that it is in.
  public let partition: Int
  /// Its number there: 0 for the partition's first.
  public var sequence: Int { record.sequence }
  /// Byte offset of the message in the partition.
  public var offset: Int { record.index }
  /// Byte offset after the message: where the next one begins.
  public var end: Int { record.index + LogFormat.bilog.recordHeaderSize + record.size }
  /// When it was committed. For a message of the Go program, which keeps no times, the moment its file was last changed
  /// when Immuta first saw it.
  public var timestamp: Timestamp { record.timestamp }
  /// Its bytes: a view, valid for as long as it is held, with nothing to release.
  public var payload: Payload { record.payload }
  /// The payload as UTF-8 text; sequences that are not are replaced by U+FFFD. O(bytes of the payload).
  public var text: String { record.text }
  /// The checksum that is stored with the payload, computed again. O(bytes of the payload).
  public var checksum: UInt32 { unsafe record.payload.withUnsafeBytes { unsafe RecordHeader.extend(0, $0) } }

  /// The record of the partition's log that it is.
  package let record: Record

  init(_ record: Record, partition: Int) {
    self.record = record
    self.partition = partition
  }
}
