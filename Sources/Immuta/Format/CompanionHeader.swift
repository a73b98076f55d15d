import CRC32C

/// The header of a companion file: two slots of 2,048 bytes, written in turn; the newest whole one counts.
///
/// ```
/// offset 0       8         12       13      14     16           24       32        40     48          56
/// +--------+---------+--------+-------+------+------------+--------+---------+------+-----------+---------+
/// | MAGIC  | VERSION | FORMAT | CLEAN | NAME | GENERATION | STABLE | BOOT ID | TORN | RECOVERED | NAME …  |
/// |   8    |    4    |   1    |   1   | LEN 2|     8      |   8    |    8    |  8   |     8     | ≤ 1,024 |
/// +--------+---------+--------+-------+------+------------+--------+---------+------+-----------+---------+
///                                  … SLOW (4 × 8) at offset 2008 … CRC-32C of bytes 0 ..< 2044 at offset 2044
/// ```
///
/// STABLE is the number of records known to be on stable storage. CLEAN is 1 when the log was closed: then STABLE is
/// the number of records it held; 2 says that a flush failed, so that what the page cache shows may not be on the
/// device. NAME is the codec chain's name, empty for none; LEN 65,535 says that it is not known. BOOT ID tells, after a
/// crash, whether the machine went down or just the process: a machine that stayed up still has every byte that was
/// written. TORN counts the records that crashes have taken back over the log's life, RECOVERED is when that last
/// happened, in nanoseconds since 1970.
///
/// SLOW is about times: see ``SlowTime``.
///
/// A slot never shares a page half with the other, so whatever a torn write leaves of one, the other is whole.
package struct CompanionHeader: Hashable, Sendable {
  package var format: LogFormat
  /// Counts the headers written; the larger of the two slots is the current one.
  package var generation: UInt64
  package var isClean: Bool
  /// Whether a flush failed since the log was last closed.
  package var hasFailedFlush: Bool
  package var stableCount: Int
  /// An identity of the machine's run, 0 when unknown.
  package var bootIdentity: UInt64
  /// Empty for none; nil when it is not known, as after a repair that found no header.
  package var codecName: String?
  /// Records that crashes took back: committed, never promised to be stable, torn.
  package var tornCount: Int
  /// When recovery last cut off such records; 0 for never.
  package var recoveryTime: Int64
  /// How times are, or were last, written while the clock is behind them; nil where that never was.
  package var slowTime: SlowTime?

  package init(format: LogFormat, codecName: String? = "") {
    self.format = format
    self.codecName = codecName
    generation = 0
    isClean = false
    hasFailedFlush = false
    stableCount = 0
    bootIdentity = 0
    tornCount = 0
    recoveryTime = 0
  }

  /// Bytes before the first entry.
  package static var size: Int { 4096 }
  package static var slotSize: Int { size / 2 }
  package static var longestCodecName: Int { 1024 }
  /// NAME LEN of a name that is not known.
  private static var unknownNameLength: Int { 0xFFFF }

  private static var magic: UInt64 { 0x3158_4449_4154_4D49 }  // "IMTAIDX1", little-endian
  private static var version: UInt32 { 1 }
  private static var nameOffset: Int { 56 }
  /// Four integers of 8 bytes: SLOW FROM, SLOW END, SLOW TIME, SLOW CLOCK.
  private static var slowTimeOffset: Int { 2_008 }
  private static var checksumOffset: Int { slotSize - 4 }

  /// Where the slot of this generation lies in the file.
  package var slotOffset: Int { Int(generation & 1) * Self.slotSize }

  /// The current header of a companion whose first `size` bytes are given, or nil when neither slot is whole.
  package static func current(in bytes: UnsafeRawBufferPointer) -> CompanionHeader? {
    precondition(bytes.count >= size, "a companion header needs \(size) bytes")
    return unsafe wholeSlots(of: bytes).max { $0.generation < $1.generation }
  }

  /// The headers in both slots; fewer where one was not written yet, or is damaged.
  package static func wholeSlots(of bytes: UnsafeRawBufferPointer) -> [CompanionHeader] {
    [0, slotSize].compactMap { offset in
      unsafe CompanionHeader(decodingSlot: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + slotSize]))
    }
  }

  init?(decodingSlot bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == Self.slotSize, "a companion header slot has \(Self.slotSize) bytes")
    guard unsafe bytes.loadInteger(at: 0, as: UInt64.self) == Self.magic,
      unsafe bytes.loadInteger(at: 8, as: UInt32.self) == Self.version,
      unsafe bytes.loadInteger(at: Self.checksumOffset, as: UInt32.self)
        == crc32c_extend(0, bytes.baseAddress, Self.checksumOffset),
      let format = unsafe LogFormat(rawValue: bytes[12])
    else { return nil }
    let nameLength = unsafe Int(bytes.loadInteger(at: 14, as: UInt16.self))
    let stableCount: Int = unsafe bytes.loadInteger(at: 24)
    let isNameKnown = nameLength != Self.unknownNameLength
    guard !isNameKnown || nameLength <= Self.longestCodecName, stableCount >= 0 else { return nil }
    self.format = format
    isClean = unsafe bytes[13] == 1
    hasFailedFlush = unsafe bytes[13] == 2
    generation = unsafe bytes.loadInteger(at: 16)
    self.stableCount = stableCount
    bootIdentity = unsafe bytes.loadInteger(at: 32)
    tornCount = unsafe bytes.loadInteger(at: 40)
    recoveryTime = unsafe bytes.loadInteger(at: 48)
    // Never with the first record: there is a time before it.
    let first: Int = unsafe bytes.loadInteger(at: Self.slowTimeOffset)
    if first > 0 {
      let end: Int = unsafe bytes.loadInteger(at: Self.slowTimeOffset + 8)
      slowTime = SlowTime(
        first: first, end: end == 0 ? nil : end, time: unsafe bytes.loadInteger(at: Self.slowTimeOffset + 16),
        clock: unsafe bytes.loadInteger(at: Self.slowTimeOffset + 24))
    }
    codecName =
      isNameKnown
      ? unsafe String(decoding: bytes[Self.nameOffset..<Self.nameOffset + nameLength], as: UTF8.self) : nil
  }

  /// The `slotSize` bytes of this header, for `slotOffset`.
  package func encoded() -> [UInt8] {
    let name = Array((codecName ?? "").utf8)
    let nameLength = codecName == nil ? Self.unknownNameLength : name.count
    precondition(name.count <= Self.longestCodecName, "a codec chain's name has at most \(Self.longestCodecName) bytes")
    var bytes = [UInt8](repeating: 0, count: Self.slotSize)
    unsafe bytes.withMutableBytes { bytes in
      unsafe bytes.storeInteger(Self.magic, at: 0)
      unsafe bytes.storeInteger(Self.version, at: 8)
      unsafe bytes[12] = format.rawValue
      unsafe bytes[13] = isClean ? 1 : hasFailedFlush ? 2 : 0
      unsafe bytes.storeInteger(UInt16(nameLength), at: 14)
      unsafe bytes.storeInteger(generation, at: 16)
      unsafe bytes.storeInteger(stableCount, at: 24)
      unsafe bytes.storeInteger(bootIdentity, at: 32)
      unsafe bytes.storeInteger(tornCount, at: 40)
      unsafe bytes.storeInteger(recoveryTime, at: 48)
      if let slowTime {
        unsafe bytes.storeInteger(slowTime.first, at: Self.slowTimeOffset)
        unsafe bytes.storeInteger(slowTime.end ?? 0, at: Self.slowTimeOffset + 8)
        unsafe bytes.storeInteger(slowTime.time, at: Self.slowTimeOffset + 16)
        unsafe bytes.storeInteger(slowTime.clock, at: Self.slowTimeOffset + 24)
      }
      unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[Self.nameOffset...]).copyBytes(from: name)
      unsafe bytes.storeInteger(crc32c_extend(0, bytes.baseAddress, Self.checksumOffset), at: Self.checksumOffset)
    }
    return bytes
  }
}
