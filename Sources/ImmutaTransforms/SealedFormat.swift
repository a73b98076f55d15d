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
/// Chunks are sealed one by one with a key derived by HKDF-SHA-256 from the key KEY ID and SALT, and the nonce COUNTER ‖ chunk
/// number (4 bytes) ‖ 1 for the last chunk, 0 for others: the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár
/// (2015). So chunks cannot be reordered, left out or cut off. Each authenticates the first 28 bytes, the record's number and its
/// namespace's name too, so that a record cannot be put in another's place. Two records of one key that have the same number in
/// logs of the same name cannot be distinguished.
///
/// No nonce is used twice with a key. SALT is random, a new one for each writing state, and COUNTER counts the records that the
/// state began, including those taken back; the place of a record plays no part. A crash, or a log put back from a backup, may
/// give a record's number to other bytes, but never with the same SALT. The exception is a writer that goes on twice, with the
/// same SALT and COUNTER: a virtual machine that is resumed twice from one snapshot, or a process that calls `fork()` and writes
/// in both.
///
/// Integers are little-endian.
enum SealedFormat {
  static let version: UInt8 = 1
  static let saltSize = 16
  static let headerSize = 28
  static let nonceSize = 12
  static let tagSize = 16
  static let chunkSize = 64 << 10
  /// Records sealed with one SALT, far from COUNTER's end.
  static let mostRecords: UInt64 = 1 << 40

  // These work in memory that their callers keep: a small record is sealed and opened without allocating any here.

  static func appendHeader(key: UInt32, salt: [UInt8], counter: UInt64, to bytes: inout [UInt8]) {
    bytes.append(version)
    append(UInt64(key), size: 4, to: &bytes)
    bytes.append(contentsOf: salt)
    append(counter, size: 7, to: &bytes)
  }

  static func keyID(in header: [UInt8]) -> UInt32 {
    (1..<5).reversed().reduce(0) { $0 << 8 | UInt32(header[$1]) }
  }

  static func salt(in header: [UInt8]) -> ArraySlice<UInt8> { header[5..<5 + saltSize] }

  /// Appends what the chunks of a record authenticate after its header, besides themselves.
  static func append(_ record: RecordContext, to context: inout [UInt8]) {
    append(UInt64(record.sequence), size: 8, to: &context)
    context.append(contentsOf: record.namespace.utf8)
  }

  /// Sets all bytes of a chunk's nonce; `header` begins with the record's.
  static func setNonce(_ nonce: inout [UInt8], header: [UInt8], chunk: UInt32, isLast: Bool) {
    for position in 0..<7 { nonce[position] = header[5 + saltSize + position] }
    for position in 0..<4 { nonce[7 + position] = UInt8(truncatingIfNeeded: chunk >> (8 * position)) }
    nonce[11] = isLast ? 1 : 0
  }

  static func derivedKey(_ key: EncryptionKey, salt: some Collection<UInt8>, _ algorithm: SealingAlgorithm)
    -> SymmetricKey
  {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key.secret, salt: Array(salt), info: Array("immuta \(algorithm.name) 1".utf8),
      outputByteCount: EncryptionKey.size)
  }

  /// Appends the lowest bytes of a number, the lowest first.
  private static func append(_ value: UInt64, size: Int, to bytes: inout [UInt8]) {
    for position in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * position))) }
  }
}
