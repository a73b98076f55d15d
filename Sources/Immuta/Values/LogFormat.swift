/// A layout of log files.
///
/// ```
/// v1     | COUNT 8 | SIZE 8 | PAYLOAD | SIZE 8 | PAYLOAD | …
/// v2     | COUNT 8 | LAST INDEX 8 | SIZE 8 | PAYLOAD | SIZE 8 | PAYLOAD | …
/// bilog  | LENGTH 8 | CRC 4 | PAYLOAD | LENGTH 8 | CRC 4 | PAYLOAD | …
/// ```
///
/// In v1 and v2 all integers are little-endian, signed, 64 bits. COUNT is the number of committed records, LAST INDEX
/// the byte offset of the last one's size field (0 when there is none). In bilog they are big-endian: LENGTH counts the
/// twelve bytes of the record's header and the payload, CRC is the payload's checksum.
///
/// A record's *index* is the byte offset of its header: its size field, or LENGTH. Bytes after the last committed
/// record are uncommitted: nobody reads them.
@nonexhaustive
public enum LogFormat: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// Eight bytes of header, COUNT: Immuta's layout before its header grew. Such a log is read and extended as it is.
  case v1 = 1
  /// Sixteen bytes of header, COUNT and LAST INDEX: the layout of new logs.
  case v2 = 2
  /// No header: the layout of LogStore's partitions, in files named `<namespace>.bilog`. It is recognised by the file's
  /// name.
  case bilog = 3

  /// The name used in listings: `v1`, `v2` or `bilog`.
  public var description: String {
    switch self {
    case .v1: "v1"
    case .v2: "v2"
    case .bilog: "bilog"
    }
  }

  /// Bytes before the first record: its index.
  package var headerSize: Int {
    switch self {
    case .v1: 8
    case .v2: 16
    case .bilog: 0
    }
  }

  /// Whether the file says how many of its records are committed. Where it doesn't, the companion's entries do.
  package var hasCount: Bool { headerSize > 0 }

  /// Whether the file says where its last record begins.
  package var hasLastIndex: Bool { self == .v2 }

  /// Whether each record carries a checksum of its payload.
  package var hasPayloadChecksum: Bool { self == .bilog }

  /// Bytes before each payload.
  @inline(__always)
  package var recordHeaderSize: Int { self == .bilog ? 12 : 8 }

  /// The same for the format in which it is largest.
  package static var largestRecordHeaderSize: Int { LogFormat.bilog.recordHeaderSize }

  /// Where a record ends that begins at `index` and has so many bytes of payload.
  @inline(__always)
  package func recordEnd(at index: Int, size: Int) -> Int { index + recordHeaderSize + size }

  /// The largest payload whose end still fits a signed 64-bit offset, with room to spare for reservations.
  package static var largestPayload: Int { Int.max / 4 }

  /// The most records that a file of that size has room for. The offset after as many entries fits, too.
  package static var mostRecords: Int { largestPayload / 8 }

  /// The lowest place where a record can begin, with all records before it empty: an entry with a lower place is another log's,
  /// or made up.
  package func leastIndex(of number: Int) -> Int { headerSize + number * recordHeaderSize }

  /// The most records that a file of a size has room for.
  package func room(in fileSize: Int) -> Int { max(0, fileSize - headerSize) / recordHeaderSize }
}
