import Immuta

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A record as an answer shows it.
struct RecordShape: Encodable {
  /// Its number.
  let sequence: Int
  /// Where it begins in its file.
  var index: Int?
  /// Bytes of its payload, as it is shown.
  var size: Int?
  /// Bytes that are stored of it, where it was decoded and they are others.
  var storedSize: Int?
  /// When it was committed: ISO 8601, UTC, nine digits of a second.
  var time: String?
  /// The payload, or its first bytes, where they are UTF-8.
  var text: String?
  /// The same where they are not.
  var base64: String?
  /// Whether only the first bytes of the payload are here.
  var isCut: Bool?
  /// Why it cannot be read; then there is only its number.
  var error: String?

  /// With the payload's first bytes only, where it has more.
  init(_ record: Record, atMost count: Int) throws {
    (sequence, index, size) = (record.sequence, record.index, record.payload.count)
    storedSize = record.size == size ? nil : record.size
    time = "\(record.timestamp)"
    let bytes = try record.payload.firstBytes(count)
    isCut = bytes.count < record.payload.count
    if let text = Self.text(bytes, isCut: isCut == true) {
      self.text = text
    } else {
      base64 = Data(bytes).base64EncodedString()
    }
  }

  init(unreadable sequence: Int, _ error: any Error) {
    self.sequence = sequence
    self.error = Failure(error).message
  }

  /// Nil where they are not UTF-8. If they are the beginning of more, the last character may be there in part: it is left out.
  private static func text(_ bytes: [UInt8], isCut: Bool) -> String? {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    guard isCut else { return nil }
    for missing in 1...3 where bytes.count >= missing {
      if bytes[bytes.count - missing] >= 0xC0 {
        return String(validating: bytes.dropLast(missing), as: UTF8.self)
      }
    }
    return nil
  }
}

extension Payload {
  /// A payload of up to this size is in memory; a larger one is read in pieces, and reading it can fail.
  static let largestInMemory = 1 << 20

  /// The first bytes of the payload, or all of them. O(bytes that are asked for).
  func firstBytes(_ limit: Int) throws -> [UInt8] {
    if count <= Self.largestInMemory { return Array(prefix(limit)) }
    var bytes: [UInt8] = []
    do {
      try forEachChunk(ofSize: Swift.min(256 << 10, Swift.max(1, limit))) { chunk in
        bytes += chunk.prefix(limit - bytes.count)
        if bytes.count >= limit { throw EnoughBytes() }
      }
    } catch is EnoughBytes {}
    return bytes
  }

  private struct EnoughBytes: Error {}
}
