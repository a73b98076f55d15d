/// A layout of log files.
///
/// ```
/// v2   | COUNT 8 | LAST INDEX 8 | SIZE 8 | PAYLOAD | SIZE 8 | PAYLOAD | …
/// ```
///
/// All integers are little-endian, signed, 64 bits. COUNT is the number of committed records, LAST INDEX the byte
/// offset of the last one's size field (0 when there is none). A record's *index* is the byte offset of its size field.
/// Bytes behind the last committed record are uncommitted: nobody reads them.
public enum LogFormat: UInt8, Hashable, Sendable, CustomStringConvertible {
  /// Sixteen bytes of header: COUNT and LAST INDEX.
  case v2 = 2

  /// The name used in listings: `v2`.
  public var description: String { "v\(rawValue)" }

  /// Bytes before the first record: its index.
  package var headerSize: Int {
    switch self {
    case .v2: 16
    }
  }

  /// Bytes before each payload.
  package static var recordHeaderSize: Int { 8 }

  /// The largest payload whose end can still be named by a signed 64-bit offset, with room to spare for reservations.
  package static var largestPayload: Int { Int.max / 4 }
}
