import CImmutaCRC32C

/// The file with the result of a fold over a log's records, and how many records are in it: 96 bytes, and then the state, as the
/// folding code has encoded it.
///
/// ```
/// offset 0       8         12      16         32         40        48        56      64     72       76      80       88  92     96
/// +--------+---------+-------+----------+----------+---------+---------+-------+------+--------+-------+--------+----+-------+
/// | MAGIC  | VERSION | FLAGS | IDENTITY | SEQUENCE | BOOT ID |  STATE  | INDEX | TIME | RECORD | STATE | LENGTH | 0  |  CRC  |
/// |   8    |    4    |   4   |    16    |    8     |    8    | VERSION | 8     | 8    | CRC  4 | CRC 4 |   8    | 4  | 0..92 |
/// +--------+---------+-------+----------+----------+---------+---------+-------+------+--------+-------+--------+----+-------+
/// ```
///
/// SEQUENCE is the number of records in the state, which is the number of the first record that is not in it. INDEX, TIME and
/// RECORD CRC are the companion's entry of the last record in it, so that it can be distinguished from another one which has its
/// number now. The file is never changed: another one takes its place.
package struct Snapshot: Hashable, Sendable {
  package var identity: LogIdentity
  /// How many records are in the state.
  package var sequence: Int
  /// The version of the fold, as its user sets it.
  package var stateVersion: Int
  /// The run of the machine in which it was saved; 0 where the system does not say.
  package var bootIdentity: UInt64
  /// Whether all records in the state were on stable storage before it was saved.
  package var isStable: Bool
  /// The companion's entry of the last of them; nil if it is unknown.
  package var last: CompanionEntry?

  package init(
    identity: LogIdentity, sequence: Int, stateVersion: Int, bootIdentity: UInt64, isStable: Bool, last: CompanionEntry?
  ) {
    precondition(sequence >= 0, "a snapshot is of 0 records or more")
    self.identity = identity
    self.sequence = sequence
    self.stateVersion = stateVersion
    self.bootIdentity = bootIdentity
    self.isStable = isStable
    self.last = last
  }

  package static var headerSize: Int { 96 }
  private static var version: UInt32 { 1 }
  private static var magic: UInt64 { 0x5041_4E53_4154_4D49 }  // "IMTASNAP", little-endian
  private static var identityRange: Range<Int> { 16..<32 }
  private static var checksumOffset: Int { 92 }
  private static var flagStable: UInt32 { 1 }
  private static var flagLast: UInt32 { 2 }
  private static var flagMade: UInt32 { 4 }

  /// The first bytes of a file.
  package struct Header: Sendable {
    package let snapshot: Snapshot
    /// Bytes of the state, which follow.
    package let length: Int
    /// The state's CRC-32C.
    fileprivate let checksum: UInt32

    /// Whether these bytes are the state.
    package func fits(_ state: [UInt8]) -> Bool {
      state.count == length && Snapshot.checksum(of: state) == checksum
    }
  }

  /// Why a file is not a snapshot.
  package enum Fault: Error, Hashable, Sendable {
    case damaged
    /// A newer program wrote it.
    case unknownVersion(Int)
  }

  package static func header(decoding bytes: UnsafeRawBufferPointer) throws(Fault) -> Header {
    guard bytes.count >= headerSize, unsafe bytes.loadInteger(at: 0, as: UInt64.self) == magic,
      unsafe bytes.loadInteger(at: checksumOffset, as: UInt32.self)
        == crc32c_extend(0, bytes.baseAddress, checksumOffset)
    else { throw .damaged }
    let version: UInt32 = unsafe bytes.loadInteger(at: 8)
    if version != Self.version { throw .unknownVersion(Int(version)) }
    let flags: UInt32 = unsafe bytes.loadInteger(at: 12)
    let (sequence, length): (Int, Int) = unsafe (bytes.loadInteger(at: 32), bytes.loadInteger(at: 80))
    guard let identity = unsafe LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[identityRange])),
      (0...LogFormat.mostRecords).contains(sequence), (0...LogFormat.largestPayload).contains(length)
    else { throw .damaged }
    let last = unsafe CompanionEntry(
      index: bytes.loadInteger(at: 56), time: bytes.loadInteger(at: 64), recordChecksum: bytes.loadInteger(at: 72),
      isMade: flags & flagMade != 0)
    let snapshot = unsafe Snapshot(
      identity: identity, sequence: sequence, stateVersion: bytes.loadInteger(at: 48),
      bootIdentity: bytes.loadInteger(at: 40),
      isStable: flags & flagStable != 0, last: flags & flagLast != 0 ? last : nil)
    return unsafe Header(snapshot: snapshot, length: length, checksum: bytes.loadInteger(at: 76))
  }

  /// The file.
  package func encoded(with state: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.headerSize)
    unsafe bytes.withMutableBytes { bytes in
      unsafe bytes.storeInteger(Self.magic, at: 0)
      unsafe bytes.storeInteger(Self.version, at: 8)
      var flags: UInt32 = isStable ? Self.flagStable : 0
      if let last { flags |= Self.flagLast | (last.isMade ? Self.flagMade : 0) }
      unsafe bytes.storeInteger(flags, at: 12)
      unsafe identity.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[Self.identityRange]))
      unsafe bytes.storeInteger(sequence, at: 32)
      unsafe bytes.storeInteger(bootIdentity, at: 40)
      unsafe bytes.storeInteger(stateVersion, at: 48)
      unsafe bytes.storeInteger(last?.index ?? 0, at: 56)
      unsafe bytes.storeInteger(last?.time ?? 0, at: 64)
      unsafe bytes.storeInteger(last?.recordChecksum ?? 0, at: 72)
      unsafe bytes.storeInteger(Self.checksum(of: state), at: 76)
      unsafe bytes.storeInteger(state.count, at: 80)
      unsafe bytes.storeInteger(crc32c_extend(0, bytes.baseAddress, Self.checksumOffset), at: Self.checksumOffset)
    }
    return bytes + state
  }

  private static func checksum(of state: [UInt8]) -> UInt32 {
    unsafe state.withBytes { unsafe crc32c_extend(0, $0.baseAddress, $0.count) }
  }

  /// Why it does not count for a log; nil if it holds the fold of the log's first records.
  ///
  /// - Parameters:
  ///   - identity: the log's.
  ///   - count: how many records the log has.
  ///   - entry: the companion's present entry of the last record in the state; nil if that record was removed, is damaged, or
  ///     does not exist.
  ///   - run: the run of the machine that lasts.
  package func reasonAgainst(
    _ identity: LogIdentity?, count: Int, stateVersion: Int, entry: CompanionEntry?, run: UInt64
  ) -> String? {
    if self.stateVersion != stateVersion {
      return "it is of version \(self.stateVersion), and version \(stateVersion) is asked for"
    }
    guard let identity else { return "nothing on file says whose log this is" }
    if self.identity != identity { return "it is of the log \(self.identity), and this is the log \(identity)" }
    if sequence > count { return "it is of \(Quantity.records(sequence)), and the log has \(count)" }
    // A power cut may have taken some of them, and others have got their numbers since.
    if !isStable, bootIdentity == 0 || bootIdentity != run {
      return "the machine was restarted, and its records were not known to be on stable storage"
    }
    // A repair may do so, or putting back an older copy of the log.
    if let last, let entry, !last.isOfSameRecord(as: entry) || last.time != entry.time && !last.isMade && !entry.isMade
    {
      return "record \(sequence - 1) is not the one that it was made of"
    }
    return nil
  }
}
