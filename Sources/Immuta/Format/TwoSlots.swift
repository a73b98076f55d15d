import CImmutaCRC32C

/// Two slots of 2,048 bytes that are written in turn, so that a write which is torn half-way leaves the older one: the
/// header of a companion, a meta file, and the position of a consumer.
///
/// ```
/// offset 0       8         12       16           24                  2,044
/// +--------+---------+--------+------------+-----------------------+------------------------+
/// | MAGIC  | VERSION |   …    | GENERATION |           …           | CRC-32C of 0 ..< 2,044 |
/// |   8    |    4    |   4    |     8      |         2,020         |           4            |
/// +--------+---------+--------+------------+-----------------------+------------------------+
/// ```
///
/// Every version keeps these fields where they are, so that a slot of an unknown version can be distinguished from a damaged one.
/// Even generations lie in the first slot, odd ones in the second; no program writes a slot of a known version in the other's
/// place. No slot shares a sector with the other.
///
/// If both are written before the file is flushed, a power cut may tear both. Slots that must survive this are no larger than a
/// sector, which no device tears: only their first ``sector`` bytes are written, and the checksum is at the end of these.
package enum TwoSlots {
  package static var size: Int { 4096 }
  package static var slotSize: Int { size / 2 }
  package static var sector: Int { 512 }
  package static var checksumOffset: Int { slotSize - 4 }

  /// Where the slot of a generation lies.
  package static func offset(of generation: UInt64) -> Int { Int(generation & 1) * slotSize }

  /// Whether a generation was written after another. Generations may wrap around: the distance counts, and even the highest
  /// generation has one after it.
  package static func isNewer(_ generation: UInt64, than other: UInt64) -> Bool {
    Int64(bitPattern: generation &- other) > 0
  }

  /// The generation after another.
  package static func next(after generation: UInt64) -> UInt64 { generation &+ 1 }

  /// What a file with two slots holds.
  package struct Found<Content> {
    /// The contents of whole slots that lie in their places: at most two, the older one first.
    package fileprivate(set) var whole: [(content: Content, generation: UInt64)] = []

    /// The content that counts.
    package var current: (content: Content, generation: UInt64)? { whole.last }
  }

  /// Looks for the slots that are whole.
  ///
  /// - Parameters:
  ///   - used: how many bytes of each slot are written.
  ///   - decode: decodes a slot of a version; nil for impossible contents.
  package static func found<Content>(
    in bytes: UnsafeRawBufferPointer, magic: UInt64, used: Int = slotSize,
    _ decode: (_ slot: UnsafeRawBufferPointer, _ version: UInt32) -> Content?
  ) -> Found<Content> {
    var found = Found<Content>()
    unsafe forEachWhole(in: bytes, magic: magic, used) { slot, version, isInPlace in
      // Asked of each, also of one that lies in the other's place: its version is to be noticed.
      guard let content = unsafe decode(slot, version), isInPlace else { return }
      unsafe found.whole.append((content, slot.loadInteger(at: 16)))
    }
    if found.whole.count == 2, isNewer(found.whole[0].generation, than: found.whole[1].generation) {
      found.whole.reverse()
    }
    return found
  }

  /// Calls `body` with each slot that is whole, whatever its version, and says whether it lies in its place.
  private static func forEachWhole(
    in bytes: UnsafeRawBufferPointer, magic: UInt64, _ used: Int,
    _ body: (_ slot: UnsafeRawBufferPointer, _ version: UInt32, _ isInPlace: Bool) -> Void
  ) {
    precondition(bytes.count >= size, "two slots need \(size) bytes")
    for offset in [0, slotSize] {
      let slot = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + used])
      guard unsafe slot.loadInteger(at: 0, as: UInt64.self) == magic,
        unsafe slot.loadInteger(at: used - 4, as: UInt32.self) == crc32c_extend(0, slot.baseAddress, used - 4)
      else { continue }
      unsafe body(slot, slot.loadInteger(at: 8), Self.offset(of: slot.loadInteger(at: 16)) == offset)
    }
  }

  /// The bytes of a slot that are written: `body` fills in the fields of its kind of file.
  package static func encoded(
    magic: UInt64, version: UInt32, generation: UInt64, used: Int = slotSize,
    _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: used)
    unsafe bytes.withMutableBytes { bytes in
      unsafe bytes.storeInteger(magic, at: 0)
      unsafe bytes.storeInteger(version, at: 8)
      unsafe bytes.storeInteger(generation, at: 16)
      unsafe body(bytes)
      unsafe bytes.storeInteger(crc32c_extend(0, bytes.baseAddress, used - 4), at: used - 4)
    }
    return bytes
  }
}

/// A codec chain's name in a slot: its length at byte 14, the name at byte 56.
package enum SlotName {
  package static var longest: Int { 1024 }
  /// The length of a name that is not known.
  private static var unknownLength: Int { 0xFFFF }
  private static var offset: Int { 56 }

  /// What a slot says.
  package enum Found {
    case name(String)
    case unknown
    /// Not a possible name: too long, or not text.
    case impossible
  }

  package static func load(from slot: UnsafeRawBufferPointer) -> Found {
    let length = unsafe Int(slot.loadInteger(at: 14, as: UInt16.self))
    if length == unknownLength { return .unknown }
    guard length <= longest else { return .impossible }
    guard let name = unsafe String(validating: slot[offset..<offset + length], as: UTF8.self) else {
      return .impossible
    }
    return .name(name)
  }

  /// Nil for a name that is not known.
  package static func store(_ name: String?, in slot: UnsafeMutableRawBufferPointer) {
    let bytes = Array((name ?? "").utf8)
    precondition(bytes.count <= longest, "a codec chain's name has at most \(longest) bytes")
    unsafe slot.storeInteger(UInt16(name == nil ? unknownLength : bytes.count), at: 14)
    unsafe UnsafeMutableRawBufferPointer(rebasing: slot[offset...]).copyBytes(from: bytes)
  }
}
