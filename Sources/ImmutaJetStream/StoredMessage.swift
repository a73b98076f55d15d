#if JetStream
  import Immuta

  #if canImport(FoundationEssentials)
    import FoundationEssentials
  #else
    import Foundation
  #endif

  /// A record as the leader gives it: `STREAM.MSG.GET`.
  enum StoredMessage {
    /// Nil where the answer holds none.
    static func record(_ json: JSON) -> ClusterRecord? {
      guard let message = json["message"], let place = message["seq"]?.int, place > 0,
        let time = message["time"]?.string.flatMap({ RecordTime.parse($0) }),
        let bytes = decoded(message["data"]), let header = decoded(message["hdrs"])
      else { return nil }
      return ClusterRecord(
        sequence: place - 1, timestamp: time, payload: Payload(copying: bytes),
        id: self.header(HeaderName.id, in: header))
    }

    /// What a member has in Base64: nothing where there is none; nil where it is something else.
    private static func decoded(_ member: JSON?) -> [UInt8]? {
      guard let member else { return [] }
      return member.string.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    }

    /// A value of a header's text: lines of a name, a colon and a value.
    static func header(_ name: String, in bytes: [UInt8]) -> String? {
      for line in bytes.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
        if String(decoding: line[..<colon], as: UTF8.self).lowercased() == name.lowercased() {
          return String(decoding: line[(colon + 1)...].drop { $0 == 0x20 }, as: UTF8.self)
        }
      }
      return nil
    }
  }

  extension Payload {
    /// A payload with memory of its own. O(bytes).
    init(copying bytes: [UInt8]) {
      let memory = HeldBytes(bytes)
      self = unsafe Payload(memory.bytes, owner: memory)
    }
  }

  /// Bytes that stay where they are.
  ///
  /// `@unchecked Sendable`: they never change.
  @safe private final class HeldBytes: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init(_ source: [UInt8]) {
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 1)
      unsafe memory.copyBytes(from: source)
      unsafe bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { unsafe bytes.deallocate() }
  }
#endif
