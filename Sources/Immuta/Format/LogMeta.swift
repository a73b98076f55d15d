/// Facts that cannot be derived from a log's records, in a file of their own beside the companion: `<namespace>.meta`, two slots
/// of 2,048 bytes as ``TwoSlots`` describes them.
///
/// ```
/// offset 0       8         12     14     16           24         40        48     56        1,080     1,082
/// +--------+---------+------+------+------------+----------+---------+------+---------+-----------+-------+--------+
/// | MAGIC  | VERSION |  0   | NAME | GENERATION | IDENTITY | REMOVED | LAST | NAME …  | NAMESPACE | NAME- |  CRC   |
/// |   8    |    4    |  2   | LEN 2|     8      |    16    |    8    |  8   | ≤ 1,024 |   LEN 2   | SPACE | 2,044  |
/// +--------+---------+------+------+------------+----------+---------+------+---------+-----------+-------+--------+
/// ```
///
/// LAST is the first record of the newest segment whose name is known to be on stable storage: 0 in a log that never rolled.
/// NAME, IDENTITY and REMOVED are what the companion's header says under these names. NAMESPACE is the log's name when it was
/// made, at most 200 bytes: sealed payloads are bound to it. Its length is 0 if it is unknown. The file exists if a codec is in
/// use; it is written when one of these changes, which is hardly ever, and never while records are appended.
package struct LogMeta: Hashable, Sendable {
  package var identity: LogIdentity
  /// The codec chain's name; empty for none.
  package var codecName: String
  /// The first record that was not removed from the log.
  package var removedCount: Int
  /// The first record of the newest segment whose name is known to be on stable storage.
  package var newestFirst = 0
  /// The log's name when it was made; nil if it is unknown.
  package var namespace: String?

  package init(identity: LogIdentity, codecName: String, removedCount: Int = 0, namespace: String? = nil) {
    self.namespace = namespace
    self.identity = identity
    self.codecName = codecName
    self.removedCount = removedCount
  }

  package static var version: UInt32 { 1 }
  private static var magic: UInt64 { 0x4154_454D_4154_4D49 }  // "IMTAMETA", little-endian
  private static var identityOffset: Int { 24 }
  private static var removedOffset: Int { 40 }
  private static var newestOffset: Int { 48 }
  private static var namespaceOffset: Int { 1080 }
  private static var longestNamespace: Int { 200 }

  /// What a meta file holds.
  package struct Slots {
    /// The newest that is whole, and its generation.
    package var current: (meta: LogMeta, generation: UInt64)?
    /// The version of a slot that is whole and was written by a program newer than this one.
    package var unknownVersion: UInt32?
  }

  /// The slots of a file whose first `TwoSlots.size` bytes are given.
  package static func slots(in bytes: UnsafeRawBufferPointer) -> Slots {
    var unknown: UInt32?
    let found = unsafe TwoSlots.found(in: bytes, magic: magic) { slot, version -> LogMeta? in
      if version != Self.version { unknown = version }
      return version == Self.version ? unsafe LogMeta(decodingWholeSlot: slot) : nil
    }
    return Slots(current: found.current.map { ($0.content, $0.generation) }, unknownVersion: unknown)
  }

  private init?(decodingWholeSlot bytes: UnsafeRawBufferPointer) {
    let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
    let removed: Int = unsafe bytes.loadInteger(at: Self.removedOffset)
    guard let identity = unsafe LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[range])),
      case .name(let name) = unsafe SlotName.load(from: bytes), (0...LogFormat.mostRecords).contains(removed)
    else { return nil }
    let newest: Int = unsafe bytes.loadInteger(at: Self.newestOffset)
    guard (0...LogFormat.mostRecords).contains(newest) else { return nil }
    self.init(
      identity: identity, codecName: name, removedCount: removed, namespace: unsafe Self.namespace(in: bytes))
    newestFirst = newest
  }

  private static func namespace(in bytes: UnsafeRawBufferPointer) -> String? {
    let length = unsafe Int(bytes.loadInteger(at: namespaceOffset, as: UInt16.self))
    guard (1...longestNamespace).contains(length) else { return nil }
    let start = namespaceOffset + MemoryLayout<UInt16>.size
    return unsafe String(validating: bytes[start..<start + length], as: UTF8.self)
  }

  /// The slot of a generation, for `TwoSlots.offset(of:)`.
  package func encoded(generation: UInt64) -> [UInt8] {
    unsafe TwoSlots.encoded(magic: Self.magic, version: Self.version, generation: generation) { bytes in
      unsafe SlotName.store(codecName, in: bytes)
      let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
      unsafe identity.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
      unsafe bytes.storeInteger(removedCount, at: Self.removedOffset)
      unsafe bytes.storeInteger(newestFirst, at: Self.newestOffset)
      let name = Array((namespace ?? "").utf8.prefix(Self.longestNamespace))
      unsafe bytes.storeInteger(UInt16(name.count), at: Self.namespaceOffset)
      let start = Self.namespaceOffset + MemoryLayout<UInt16>.size
      unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyBytes(from: name)
    }
  }
}
