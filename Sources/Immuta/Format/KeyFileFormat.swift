import CImmutaCRC32C

/// The start of a file with the keys of a segment, or with the counts of records that were removed: 128 bytes.
///
/// ```
/// offset 0        8        12     16        24         40      48      56       64         72     96           104    112     124
/// +--------+--------+------+---------+----------+-------+-------+--------+----------+------+------------+------+-------+-----+
/// | MAGIC  | LAYOUT | KIND | VERSION | IDENTITY | FIRST | COUNT | GROUPS | POSTINGS | LAST | UNREADABLE | NAME | zeros | CRC |
/// +--------+--------+------+---------+----------+-------+-------+--------+----------+------+------------+------+-------+-----+
/// ```
///
/// Slots follow, and then postings: see ``KeySlot`` and ``KeyPosting``.
struct KeyFileHeader: Hashable, Sendable {
  enum Kind: UInt32 {
    case segment = 0
    case removed = 1
  }

  var kind: Kind
  /// Whose index it is: its version, as its user says; its name's hash; the log's identity.
  var owner: Owner
  /// The number of the first record that it is about.
  var first: Int
  /// How many records it is about, with a key or without.
  var count: Int
  var groups = 0
  var postings = 0
  /// The entry of the last record that the file covers, so that it is not used for a segment with another end: INDEX, TIME and
  /// RECORD CRC. Zeros for removed records.
  var last = Anchor(index: 0, time: 0, recordChecksum: 0)
  /// The last postings are of records that could not be read.
  var unreadable = 0

  struct Owner: Hashable, Sendable {
    var identity: LogIdentity
    var name: UInt64
    var version: Int
  }

  struct Anchor: Hashable, Sendable {
    var index: Int
    var time: Int64
    var recordChecksum: UInt32

    init(index: Int, time: Int64, recordChecksum: UInt32) {
      self.index = index
      self.time = time
      self.recordChecksum = recordChecksum
    }

    init(_ entry: CompanionEntry) {
      self.init(index: entry.index, time: entry.time, recordChecksum: entry.recordChecksum)
    }
  }

  /// The number of the first record after those that the file covers.
  var end: Int { first + count }
  /// Postings of records that have a key.
  var keyed: Int { postings - unreadable }

  static var size: Int { 128 }
  private static var magic: UInt64 { 0x5359_454B_4154_4D49 }  // "IMTAKEYS", little-endian
  private static var layout: UInt32 { 1 }
  private static var checksumOffset: Int { 124 }

  /// Bytes of the whole file.
  var fileSize: Int { postingOffset(postings) }

  func slotOffset(_ place: Int) -> Int { Self.size + place * KeySlot.size }
  func postingOffset(_ place: Int) -> Int { Self.size + groups * KeySlot.size + place * KeyPosting.size }

  func encoded() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.size)
    unsafe bytes.withMutableBytes { bytes in
      unsafe bytes.storeInteger(Self.magic, at: 0)
      unsafe bytes.storeInteger(Self.layout, at: 8)
      unsafe bytes.storeInteger(kind.rawValue, at: 12)
      unsafe bytes.storeInteger(owner.version, at: 16)
      unsafe owner.identity.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[24..<40]))
      unsafe bytes.storeInteger(first, at: 40)
      unsafe bytes.storeInteger(count, at: 48)
      unsafe bytes.storeInteger(groups, at: 56)
      unsafe bytes.storeInteger(postings, at: 64)
      unsafe bytes.storeInteger(last.index, at: 72)
      unsafe bytes.storeInteger(last.time, at: 80)
      unsafe bytes.storeInteger(last.recordChecksum, at: 88)
      unsafe bytes.storeInteger(unreadable, at: 96)
      unsafe bytes.storeInteger(owner.name, at: 104)
      let checksum = unsafe crc32c_extend(0, bytes.baseAddress, Self.checksumOffset)
      unsafe bytes.storeInteger(checksum, at: Self.checksumOffset)
    }
    return bytes
  }

  /// Nil for anything else than a whole header whose numbers fit a file of a size.
  init?(_ bytes: [UInt8], fileSize: Int) {
    guard bytes.count == Self.size, let header = unsafe bytes.withBytes({ unsafe Self.decoded($0) }) else { return nil }
    self = header
    // No arithmetic of theirs overflows: they are within the file's size together, or each within that of a log.
    let room = max(0, fileSize - Self.size) / KeySlot.size
    guard first >= 0, count >= 0, first <= LogFormat.largestPayload, count <= LogFormat.largestPayload,
      (0...room).contains(groups), (0...room - groups).contains(postings), (0...postings).contains(unreadable),
      self.fileSize == fileSize
    else { return nil }
  }

  init(_ kind: Kind, _ owner: Owner, first: Int, count: Int) {
    self.kind = kind
    self.owner = owner
    self.first = first
    self.count = count
  }

  private static func decoded(_ bytes: UnsafeRawBufferPointer) -> KeyFileHeader? {
    let stored: UInt32 = unsafe bytes.loadInteger(at: checksumOffset)
    guard unsafe bytes.loadInteger(at: 0) == magic, unsafe bytes.loadInteger(at: 8) == layout,
      unsafe crc32c_extend(0, bytes.baseAddress, checksumOffset) == stored,
      let kind = unsafe Kind(rawValue: bytes.loadInteger(at: 12)),
      let identity = unsafe LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[24..<40]))
    else { return nil }
    let owner = unsafe Owner(identity: identity, name: bytes.loadInteger(at: 104), version: bytes.loadInteger(at: 16))
    var header = unsafe KeyFileHeader(
      kind, owner, first: bytes.loadInteger(at: 40), count: bytes.loadInteger(at: 48))
    unsafe header.groups = bytes.loadInteger(at: 56)
    unsafe header.postings = bytes.loadInteger(at: 64)
    unsafe header.last = Anchor(
      index: bytes.loadInteger(at: 72), time: bytes.loadInteger(at: 80), recordChecksum: bytes.loadInteger(at: 88))
    unsafe header.unreadable = bytes.loadInteger(at: 96)
    return header
  }
}

/// A file's entry for one key: 32 bytes. Slots are in the order of their hashes; slots of the same hash, which belong to
/// different keys, in the order of their first records.
///
/// ```
/// offset 0       16        24        28        32
/// +-------+---------+---------+----------+
/// | HASH  |  PLACE  |  COUNT  | SLOT CRC |
/// +-------+---------+---------+----------+
/// ```
///
/// PLACE is that of the key's first posting, COUNT how many it has, one after the other. In a file of removed records, which has
/// no postings, PLACE is how many of the key's records were removed. SLOT CRC is the CRC-32C of the first 28 bytes and the
/// slot's place (8 bytes), so that one that was moved is found out.
struct KeySlot: Hashable, Sendable {
  var hash: KeyHash
  var place: Int
  var count: Int

  static var size: Int { 32 }

  func encode(into bytes: UnsafeMutableRawBufferPointer, at place: Int) {
    precondition(bytes.count >= Self.size, "a slot needs \(Self.size) bytes")
    unsafe bytes.storeInteger(hash.high, at: 0)
    unsafe bytes.storeInteger(hash.low, at: 8)
    unsafe bytes.storeInteger(self.place, at: 16)
    unsafe bytes.storeInteger(UInt32(count), at: 24)
    unsafe bytes.storeInteger(KeyFileChecksum.of(UnsafeRawBufferPointer(bytes), at: place), at: 28)
  }

  /// Nil when the bytes are not the slot of this place.
  init?(_ bytes: UnsafeRawBufferPointer, at place: Int) {
    guard bytes.count >= Self.size, unsafe KeyFileChecksum.of(bytes, at: place) == bytes.loadInteger(at: 28) else {
      return nil
    }
    hash = unsafe Self.hash(in: bytes, at: 0)
    self.place = unsafe bytes.loadInteger(at: 16)
    count = unsafe Int(bytes.loadInteger(at: 24, as: UInt32.self))
    guard self.place >= 0 else { return nil }
  }

  /// HASH of the slot that begins at an offset, whether it is damaged or not.
  static func hash(in bytes: UnsafeRawBufferPointer, at offset: Int) -> KeyHash {
    unsafe KeyHash(high: bytes.loadInteger(at: offset), low: bytes.loadInteger(at: offset + 8))
  }

  init(hash: KeyHash, place: Int, count: Int) {
    self.hash = hash
    self.place = place
    self.count = count
  }
}

/// Where a record of a key is: 32 bytes. With the record's entry, so that it is read by one read.
///
/// ```
/// offset 0        8       16      24           28            32
/// +--------+-------+-------+------------+-------------+
/// | NUMBER | INDEX | TIME  | RECORD CRC | POSTING CRC |
/// +--------+-------+-------+------------+-------------+
/// ```
///
/// NUMBER counts from the segment's first record; INDEX, TIME and RECORD CRC are those of the companion's entry. POSTING CRC is
/// the CRC-32C of the first 28 bytes and the posting's place (8 bytes).
struct KeyPosting: Hashable, Sendable {
  var number: Int
  var entry: KeyFileHeader.Anchor

  static var size: Int { 32 }

  func encode(into bytes: UnsafeMutableRawBufferPointer, at place: Int) {
    precondition(bytes.count >= Self.size, "a posting needs \(Self.size) bytes")
    unsafe bytes.storeInteger(number, at: 0)
    unsafe bytes.storeInteger(entry.index, at: 8)
    unsafe bytes.storeInteger(entry.time, at: 16)
    unsafe bytes.storeInteger(entry.recordChecksum, at: 24)
    unsafe bytes.storeInteger(KeyFileChecksum.of(UnsafeRawBufferPointer(bytes), at: place), at: 28)
  }

  /// Nil when the bytes are not the posting of this place.
  init?(_ bytes: UnsafeRawBufferPointer, at place: Int) {
    guard bytes.count >= Self.size, unsafe KeyFileChecksum.of(bytes, at: place) == bytes.loadInteger(at: 28) else {
      return nil
    }
    number = unsafe bytes.loadInteger(at: 0)
    entry = unsafe KeyFileHeader.Anchor(
      index: bytes.loadInteger(at: 8), time: bytes.loadInteger(at: 16), recordChecksum: bytes.loadInteger(at: 24))
    guard number >= 0, entry.index >= 0, entry.index <= LogFormat.largestPayload else { return nil }
  }

  init(number: Int, entry: KeyFileHeader.Anchor) {
    self.number = number
    self.entry = entry
  }
}

private enum KeyFileChecksum {
  /// Of the first 28 bytes of a slot or posting, and its place. Whole slots and postings of zeros have another.
  static func of(_ bytes: UnsafeRawBufferPointer, at place: Int) -> UInt32 {
    let checksum = unsafe crc32c_extend(~0, bytes.baseAddress, 28)
    return crc32c_extend_u64(checksum, UInt64(truncatingIfNeeded: place))
  }
}
