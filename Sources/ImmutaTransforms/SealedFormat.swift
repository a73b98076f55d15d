import Crypto
import Immuta

/// The bytes of an encrypted payload.
///
/// ```
/// offset 0         1        5          21        28
/// +---------+--------+----------+---------+---------+-----+---------+-----+-------------+-----+
/// | VERSION | KEY ID |   SALT   | COUNTER | CHUNK 0 | TAG | CHUNK 1 | TAG | … LAST CHUNK| TAG |
/// |    1    |   4    |    16    |    7    | 65,536  | 16  | 65,536  | 16  |  0…65,536   | 16  |
/// +---------+--------+----------+---------+---------+-----+---------+-----+-------------+-----+
/// ```
///
/// Chunks are sealed one by one with a key derived by HKDF-SHA-256 from the key KEY ID and SALT, and the nonce
/// COUNTER ‖ chunk number (4 bytes) ‖ 1 for the last chunk, 0 for others: the STREAM construction of Hoang,
/// Reyhanitabar, Rogaway and Vizár (2015). So chunks cannot be reordered, left out or cut off. Each authenticates the
/// first 28 bytes, the record's number and its namespace's name too, so that a record cannot be put in another's place.
/// Nothing tells apart two records of one key that have the same number in logs of the same name.
///
/// No nonce is used twice with a key. SALT is random, drawn anew by whoever starts to write, COUNTER counts the
/// records it began, those taken back included; the place of a record plays no part. A crash, or a log put back from a
/// backup, may give a record's number to other bytes, but never with the same SALT. The exception is a writer that goes
/// on twice, with the same SALT and COUNTER: a virtual machine that is resumed twice from one snapshot, or a process
/// that calls `fork()` and writes in both.
///
/// Integers are little-endian.
enum SealedFormat {
  static let version: UInt8 = 1
  static let saltSize = 16
  static let headerSize = 28
  static let tagSize = 16
  static let chunkSize = 64 << 10
  /// Records sealed with one SALT, far from COUNTER's end.
  static let mostRecords: UInt64 = 1 << 40

  static func header(key: UInt32, salt: [UInt8], counter: UInt64) -> [UInt8] {
    var bytes = [version]
    bytes += littleEndian(key)
    bytes += salt
    bytes += littleEndian(counter).prefix(7)
    return bytes
  }

  static func keyID(in header: [UInt8]) -> UInt32 {
    header[1..<5].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  static func salt(in header: [UInt8]) -> ArraySlice<UInt8> { header[5..<5 + saltSize] }

  /// What the chunks of a record authenticate besides themselves.
  static func context(header: [UInt8], _ record: RecordContext) -> [UInt8] {
    header + littleEndian(UInt64(record.sequence)) + Array(record.namespace.utf8)
  }

  static func nonce(header: [UInt8], chunk: UInt32, isLast: Bool) -> [UInt8] {
    header[5 + saltSize..<headerSize] + littleEndian(chunk) + [isLast ? 1 : 0]
  }

  static func derivedKey(_ key: EncryptionKey, salt: some Collection<UInt8>, _ algorithm: SealingAlgorithm)
    -> SymmetricKey
  {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key.secret, salt: Array(salt), info: Array("immuta \(algorithm.name) 1".utf8),
      outputByteCount: EncryptionKey.size)
  }

  private static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
  }
}
