/// The header of a companion file: two slots of 2,048 bytes, written in turn; the newest whole one counts.
///
/// ```
/// offset 0       8         12       13      14     16           24       32        40     48          56
/// +--------+---------+--------+-------+------+------------+--------+---------+------+-----------+---------+
/// | MAGIC  | VERSION | FORMAT | CLEAN | NAME | GENERATION | STABLE | BOOT ID | TORN | RECOVERED | NAME …  |
/// |   8    |    4    |   1    |   1   | LEN 2|     8      |   8    |    8    |  8   |     8     | ≤ 1,024 |
/// +--------+---------+--------+-------+------+------------+--------+---------+------+-----------+---------+
/// offset 1,088      1,104   1,112     1,120  1,128      2,008       2,040    2,044
///        +----------+-------+---------+------+-- --------+-----------+--------+------------------------+
///        | IDENTITY | FIRST | REMOVED | MADE | zeros …   |   SLOW    |        | CRC-32C of 0 ..< 2,044 |
///        |    16    |   8   |    8    |  8   |           |   4 × 8   |        |            4           |
/// ```
///
/// VERSION is 2. One of version 1 ends with NAME: its log has no identity yet, and gets one, with a header of version 2, when it
/// is next opened for writing. Every version keeps MAGIC, VERSION and the checksum where they are, so that a header of an unknown
/// version can be distinguished from a damaged one, and is never replaced.
///
/// STABLE is the number of records known to be on stable storage. CLEAN is 1 when the log was closed: then STABLE is the number
/// of records it held; 2 says that a flush failed, so that bytes in the page cache may not be on the device. NAME is the codec
/// chain's name, empty for none; LEN 65,535 says that it is not known. After a crash, BOOT ID shows whether the machine went down
/// or only the process: a machine that stayed up still has every byte that was written. TORN counts the records that crashes have
/// taken back over the log's life, RECOVERED is when that last happened, in nanoseconds since 1970. IDENTITY is the log's, zeros
/// where it has none yet. FIRST is the number of the file's first record, and REMOVED that of the first record which was not
/// removed from the log; both are 0 in a log of one file. MADE counts the entries that were made from the log's bytes as they
/// were found: see ``CompanionEntry/isMade``.
///
/// Impossible values make a slot count as damaged, whatever its checksum: a number of records that no file has room for, a name
/// that is not text, a generation in the other slot's place.
///
/// SLOW is about times: see ``SlowTime``.
///
/// A slot never shares a page half with the other, so whatever a torn write leaves of one, the other is whole.
package struct CompanionHeader: Hashable, Sendable {
  package var format: LogFormat
  /// Counts the headers written; the newer of the two slots is the current one.
  package var generation: UInt64
  package var mark: Mark
  package var stableCount: Int
  /// An identity of the machine's run, 0 when unknown.
  package var bootIdentity: UInt64
  /// Empty for none; nil when it is not known, as after a repair that found no header.
  package var codecName: String?
  /// Records that crashes took back: committed, never promised to be stable, torn.
  package var tornCount: Int
  /// When recovery last cut off such records; 0 for never.
  package var recoveryTime: Int64
  /// Nil in a header of version 1.
  package var identity: LogIdentity?
  /// The number of the file's first record.
  package var firstSequence: Int
  /// The first record that was not removed from the log.
  package var removedCount: Int
  /// How times are, or were last, written while the clock is before them; nil if that never happened.
  package var slowTime: SlowTime?
  /// Entries that were made from the log's bytes.
  package var madeCount: Int

  package init(format: LogFormat, codecName: String? = "") {
    self.format = format
    self.codecName = codecName
    generation = 0
    mark = .open
    stableCount = 0
    bootIdentity = 0
    tornCount = 0
    recoveryTime = 0
    identity = nil
    firstSequence = 0
    removedCount = 0
    madeCount = 0
  }

  /// Whether the log was closed: what CLEAN says.
  package enum Mark: UInt8, Sendable {
    /// It is being written, or its writer did not live to close it.
    case open = 0
    /// It was closed.
    case closed = 1
    /// As `open`, and a flush failed since.
    case openAfterFailedFlush = 2

    /// A flush failed. A log that was closed, and not written to since, stays closed.
    package mutating func noteFailedFlush() {
      if self == .open { self = .openAfterFailedFlush }
    }
  }

  /// Whether the log was closed.
  package var isClean: Bool { mark == .closed }
  /// Whether a flush failed since the log was last closed.
  package var hasFailedFlush: Bool { mark == .openAfterFailedFlush }

  /// FIRST of a segment that was made ahead, and has no name yet.
  package static var unnamedFirst: Int { LogFormat.mostRecords }

  /// Bytes before the first entry.
  package static var size: Int { TwoSlots.size }
  package static var slotSize: Int { TwoSlots.slotSize }

  private static var magic: UInt64 { 0x3158_4449_4154_4D49 }  // "IMTAIDX1", little-endian
  /// The version that is written, except for a header that version 1 can express.
  package static var version: UInt32 { 2 }
  private static var identityOffset: Int { 1088 }
  private static var firstOffset: Int { 1104 }
  private static var removedOffset: Int { 1112 }
  private static var madeOffset: Int { 1120 }
  /// Four integers of 8 bytes: SLOW FROM, SLOW END, SLOW TIME, SLOW CLOCK.
  private static var slowTimeOffset: Int { 2_008 }

  /// Where the slot of this generation lies in the file.
  package var slotOffset: Int { TwoSlots.offset(of: generation) }

  /// What the two slots hold.
  package struct Slots {
    /// The whole headers: at most two, the older one first.
    package var whole: [CompanionHeader] = []
    /// VERSION and FORMAT of a header that is whole and was written by a program newer than this one.
    package var unknown: (version: UInt32, format: UInt8)?

    /// The one that counts.
    package var current: CompanionHeader? { whole.last }
  }

  /// The slots of a companion whose first `size` bytes are given.
  package static func slots(in bytes: UnsafeRawBufferPointer) -> Slots {
    var unknown: (version: UInt32, format: UInt8)?
    let found = unsafe TwoSlots.found(in: bytes, magic: magic) { slot, version -> CompanionHeader? in
      let format = unsafe slot[12]
      let isKnown = (1...Self.version).contains(version) && LogFormat(rawValue: format) != nil
      if !isKnown { unknown = (version, format) }
      return isKnown ? unsafe CompanionHeader(decodingWholeSlot: slot) : nil
    }
    return Slots(whole: found.whole.map(\.content), unknown: unknown)
  }

  /// The current header of a companion whose first `size` bytes are given, or nil when neither slot is whole.
  package static func current(in bytes: UnsafeRawBufferPointer) -> CompanionHeader? {
    unsafe slots(in: bytes).current
  }

  /// Nil if a field has a value that no header can have.
  private init?(decodingWholeSlot bytes: UnsafeRawBufferPointer) {
    guard let format = unsafe LogFormat(rawValue: bytes[12]) else { return nil }
    self.format = format
    mark = unsafe Mark(rawValue: bytes[13]) ?? .open
    generation = unsafe bytes.loadInteger(at: 16)
    stableCount = unsafe bytes.loadInteger(at: 24)
    bootIdentity = unsafe bytes.loadInteger(at: 32)
    tornCount = unsafe bytes.loadInteger(at: 40)
    recoveryTime = unsafe bytes.loadInteger(at: 48)
    switch unsafe SlotName.load(from: bytes) {
    case .name(let name): codecName = name
    case .unknown: codecName = nil
    case .impossible: return nil
    }
    // Never with the first record: there is a time before it.
    let first: Int = unsafe bytes.loadInteger(at: Self.slowTimeOffset)
    if (1...LogFormat.mostRecords).contains(first) {
      let end: Int = unsafe bytes.loadInteger(at: Self.slowTimeOffset + 8)
      slowTime = SlowTime(
        first: first, end: end == 0 ? nil : end, time: unsafe bytes.loadInteger(at: Self.slowTimeOffset + 16),
        clock: unsafe bytes.loadInteger(at: Self.slowTimeOffset + 24))
    }
    let hasIdentity = unsafe bytes.loadInteger(at: 8, as: UInt32.self) >= 2
    let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
    identity = unsafe hasIdentity ? LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[range])) : nil
    firstSequence = unsafe hasIdentity ? bytes.loadInteger(at: Self.firstOffset) : 0
    removedCount = unsafe hasIdentity ? bytes.loadInteger(at: Self.removedOffset) : 0
    madeCount = unsafe hasIdentity ? bytes.loadInteger(at: Self.madeOffset) : 0
    let counts = [stableCount, tornCount, firstSequence, removedCount, madeCount]
    guard counts.allSatisfy((0...LogFormat.mostRecords).contains) else { return nil }
  }

  /// The `slotSize` bytes of this header, for `slotOffset`.
  package func encoded() -> [UInt8] {
    // A copy of a log without a companion has entries that were made, and no identity.
    let saysMore = identity != nil || [firstSequence, removedCount, madeCount].contains { $0 != 0 }
    let version = saysMore ? Self.version : 1
    return unsafe TwoSlots.encoded(magic: Self.magic, version: version, generation: generation) { bytes in
      unsafe bytes[12] = format.rawValue
      unsafe bytes[13] = mark.rawValue
      unsafe bytes.storeInteger(stableCount, at: 24)
      unsafe bytes.storeInteger(bootIdentity, at: 32)
      unsafe bytes.storeInteger(tornCount, at: 40)
      unsafe bytes.storeInteger(recoveryTime, at: 48)
      unsafe SlotName.store(codecName, in: bytes)
      if let slowTime {
        unsafe bytes.storeInteger(slowTime.first, at: Self.slowTimeOffset)
        unsafe bytes.storeInteger(slowTime.end ?? 0, at: Self.slowTimeOffset + 8)
        unsafe bytes.storeInteger(slowTime.time, at: Self.slowTimeOffset + 16)
        unsafe bytes.storeInteger(slowTime.clock, at: Self.slowTimeOffset + 24)
      }
      guard saysMore else { return }
      let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
      unsafe identity?.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
      unsafe bytes.storeInteger(firstSequence, at: Self.firstOffset)
      unsafe bytes.storeInteger(removedCount, at: Self.removedOffset)
      unsafe bytes.storeInteger(madeCount, at: Self.madeOffset)
    }
  }
}
