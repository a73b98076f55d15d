import CImmutaCRC32C
import Synchronization

/// The companion's entry of one record: 24 bytes, at `CompanionHeader.size + 24 × number`.
///
/// ```
/// offset 0        8          16            20           24
/// +---------+----------+-------------+-------------+
/// |  INDEX  |   TIME   | RECORD CRC  |  ENTRY CRC  |
/// +---------+----------+-------------+-------------+
/// ```
///
/// INDEX is the byte offset of the record's header in the log, TIME its commit in nanoseconds since 1970, RECORD CRC the CRC-32C
/// of header and payload. ENTRY CRC is the CRC-32C of the first 20 bytes and the record's number (8 bytes), so an entry that was
/// moved is detected. If more records of the same commit follow, its complement is stored instead: recovery keeps only whole
/// commits, and a half-written transaction is gone as if it never existed. An entry that was not written when its record was
/// committed, but made from the log's bytes as they were found, holds ENTRY CRC with the lower four bits of each byte inverted:
/// its RECORD CRC cannot show earlier damage.
///
/// A log whose records carry checksums of their own may be found damaged when its companion is made. The entry of such
/// a record holds the complement of its RECORD CRC: the record stays where it is, and throws when it is read.
package struct CompanionEntry: Hashable, Sendable {
  package var index: Int
  package var time: Int64
  package var recordChecksum: UInt32
  /// The difference between the stored ENTRY CRC and the real checksum.
  private var mark: UInt32

  /// - Parameters:
  ///   - endsCommit: whether this record is the last (or only) one of its commit.
  ///   - isMade: whether the entry is made from the log's bytes as they are found, of a record that has no checksum.
  @inline(__always)
  package init(
    index: Int, time: Int64, recordChecksum: UInt32, endsCommit: Bool = true, isMade: Bool = false
  ) {
    self.index = index
    self.time = time
    self.recordChecksum = recordChecksum
    mark = isMade ? Self.markOfMade : endsCommit ? 0 : Self.markOfOpen
  }

  /// Whether this record is the last (or only) one of its commit.
  @inline(__always)
  package var endsCommit: Bool {
    get { mark != Self.markOfOpen }
    set { if newValue != endsCommit { mark = newValue ? 0 : Self.markOfOpen } }
  }

  /// Whether the entry was made from the log's bytes as they were found, with nothing to compare them with: then it shows damage
  /// from then on, but no earlier damage. It is unknown which commit the record was part of.
  package var isMade: Bool { mark == Self.markOfMade }

  private static var markOfOpen: UInt32 { ~0 }
  private static var markOfMade: UInt32 { 0x0F0F_0F0F }

  package static var size: Int { 24 }

  /// Where the entry of record `number` lies in a companion.
  @inline(__always)
  package static func offset(of number: Int) -> Int { CompanionHeader.size + number * size }

  /// How many entries a companion of a size has room for.
  package static func room(in fileSize: Int) -> Int { max(0, fileSize - CompanionHeader.size) / size }

  /// What stands for RECORD CRC in the entry of a record that was damaged before it had one: nothing the record's bytes
  /// can be found to have.
  package static func checksumOfDamaged(_ checksum: UInt32) -> UInt32 { ~checksum }

  /// The entry of a record that has none, made from its bytes.
  ///
  /// - Parameter isSound: whether the payload has the checksum that the record carries, where the format has one.
  init(madeAt index: Int, time: Int64, checksum: UInt32, isSound: Bool, _ format: LogFormat) {
    self.init(
      index: index, time: time, recordChecksum: isSound ? checksum : Self.checksumOfDamaged(checksum),
      isMade: !format.hasPayloadChecksum)
  }

  /// Whether the entry may be of a record whose bytes have this checksum, whole or damaged before it had an entry.
  func fits(_ checksum: UInt32) -> Bool {
    recordChecksum == checksum || recordChecksum == Self.checksumOfDamaged(checksum)
  }

  /// Whether both entries are of one record, in one place and with the same bytes. Their times may differ: that of an
  /// entry that was made is that of its making.
  func isOfSameRecord(as other: CompanionEntry) -> Bool {
    index == other.index && recordChecksum == other.recordChecksum
  }

  /// The entry of record `number`, or nil when the bytes are not one.
  package init?(decoding bytes: UnsafeRawBufferPointer, number: Int) {
    precondition(bytes.count >= Self.size, "a companion entry needs \(Self.size) bytes")
    let index: Int = unsafe bytes.loadInteger(at: 0)
    let time: Int64 = unsafe bytes.loadInteger(at: 8)
    let recordChecksum: UInt32 = unsafe bytes.loadInteger(at: 16)
    let stored: UInt32 = unsafe bytes.loadInteger(at: Self.checksumOffset)
    let computed = Self.checksum(index: index, time: time, recordChecksum: recordChecksum, number: number)
    // An index that no log has room for is invalid, even with a right checksum.
    let mark = stored ^ computed
    guard mark == 0 || mark == Self.markOfOpen || mark == Self.markOfMade, index >= 0, index <= LogFormat.largestPayload
    else { return nil }
    self.index = index
    self.time = time
    self.recordChecksum = recordChecksum
    self.mark = mark
  }

  /// INDEX of two entries, one after the other, which are known to be whole.
  @inline(__always)
  package static func indexes(ofTwo bytes: UnsafeRawBufferPointer) -> (Int, Int) {
    unsafe (bytes.loadInteger(at: 0), bytes.loadInteger(at: size))
  }

  /// TIME of the first of the entries, which is known to be whole.
  @inline(__always)
  package static func time(in bytes: UnsafeRawBufferPointer) -> Int64 {
    unsafe bytes.loadInteger(at: 8)
  }

  package func encode(into bytes: UnsafeMutableRawBufferPointer, number: Int) {
    let last = unsafe storeAllButLast(into: bytes, number: number)
    unsafe bytes.storeInteger(last, at: Self.checksumOffset)
  }

  /// Stores all fields but the last, and returns the value for that one.
  @inline(__always)
  private func storeAllButLast(into bytes: UnsafeMutableRawBufferPointer, number: Int) -> UInt32 {
    precondition(bytes.count >= Self.size, "a companion entry needs \(Self.size) bytes")
    unsafe bytes.storeInteger(index, at: 0)
    unsafe bytes.storeInteger(time, at: 8)
    unsafe bytes.storeInteger(recordChecksum, at: 16)
    return Self.checksum(index: index, time: time, recordChecksum: recordChecksum, number: number) ^ mark
  }

  /// Stores the entry so that ENTRY CRC comes last, releasing: where the log has no COUNT, that store is the commit. A reader
  /// that sees it sees the record, the rest of the entry and the entries before.
  ///
  /// `bytes` is where the entry lies in a mapped companion: ENTRY CRC, at a multiple of four, has an atomic's
  /// alignment.
  @inline(never)
  package func storeReleasing(into bytes: UnsafeMutableRawBufferPointer, number: Int) {
    let value = unsafe storeAllButLast(into: bytes, number: number)
    guard let base = bytes.baseAddress else { preconditionFailure("a companion entry has memory") }
    unsafe assert(
      UInt(bitPattern: base + Self.checksumOffset).isMultiple(of: 4), "the last field has an atomic's alignment")
    let last = unsafe (base + Self.checksumOffset).assumingMemoryBound(to: Atomic<UInt32>.self)
    unsafe last.pointee.store(value.littleEndian, ordering: .releasing)
  }

  /// Whether the last field of entry `number` was stored in this way.
  package static func isStored(_ bytes: UnsafeRawBufferPointer, number: Int) -> Bool {
    if unsafe bytes.loadInteger(at: checksumOffset, as: UInt32.self) != 0 { return true }
    // One in 2³² entries has a last field of 0. No entry has a time of 0.
    return unsafe bytes.loadInteger(at: 8, as: Int64.self) != 0
      && CompanionEntry(decoding: bytes, number: number) != nil
  }

  private static var checksumOffset: Int { 20 }
  /// Of the field that is stored last.
  static var lastFieldOffset: Int { checksumOffset }

  private static func checksum(index: Int, time: Int64, recordChecksum: UInt32, number: Int) -> UInt32 {
    let index = UInt64(bitPattern: Int64(index))
    let time = UInt64(bitPattern: time)
    // 28 bytes are four short of four words. Those four are zeros, put in front; `beforeZeros` is the checksum that
    // they bring to 0, with which a checksum begins.
    return crc32c_extend_4_u64(
      beforeZeros, index << 32, index >> 32 | time << 32, time >> 32 | UInt64(recordChecksum) << 32,
      UInt64(bitPattern: Int64(number)))
  }

  /// `crc32c_extend(beforeZeros, …)` of four zero bytes is 0.
  private static var beforeZeros: UInt32 { 0x9BE0_9BAB }
}

// MARK: Many

extension UnsafeRawBufferPointer {
  /// The bytes of one of several entries that lie one after the other.
  @inline(__always)
  func companionEntry(_ position: Int) -> UnsafeRawBufferPointer {
    let start = position * CompanionEntry.size
    return unsafe UnsafeRawBufferPointer(rebasing: self[start..<start + CompanionEntry.size])
  }
}

extension UnsafeMutableRawBufferPointer {
  /// The same, to be written.
  @inline(__always)
  func companionEntry(_ position: Int) -> UnsafeMutableRawBufferPointer {
    let start = position * CompanionEntry.size
    return unsafe UnsafeMutableRawBufferPointer(rebasing: self[start..<start + CompanionEntry.size])
  }
}
