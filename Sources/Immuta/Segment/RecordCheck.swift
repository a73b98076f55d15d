import CImmutaCRC32C

/// Turns stored bytes into records, and refuses records that are not as they were appended.
///
/// A class, so that handing it from call to call for each record copies nothing.
final class RecordCheck: Sendable {
  let path: String
  let format: LogFormat
  /// The format's, at hand: it is asked for at each record.
  let recordHeaderSize: Int
  let verifiesChecksums: Bool
  /// The number of the segment's first record: entries are numbered from there.
  let first: Int
  /// Undoes the codec; nil if there is none.
  let decoder: RecordDecoder?

  init(path: String, first: Int, format: LogFormat, verifiesChecksums: Bool, decoder: RecordDecoder?) {
    self.path = path
    self.first = first
    self.format = format
    recordHeaderSize = format.recordHeaderSize
    self.verifiesChecksums = verifiesChecksums
    self.decoder = decoder
  }

  /// The CRC-32C of a record's header and payload.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    unsafe crc32c_extend(0, bytes.baseAddress, bytes.count)
  }

  /// The same, but for whether checksums are compared.
  func verifyingChecksums(_ verifies: Bool) -> RecordCheck {
    RecordCheck(path: path, first: first, format: format, verifiesChecksums: verifies, decoder: decoder)
  }

  /// The payload size in a record's size field.
  ///
  /// - Parameters:
  ///   - bytes: the log from the record's index on; at least the size field.
  ///   - end: where the record must end, if known (`isExact`), or may end at the latest.
  func size(
    _ number: Int, _ entry: CompanionEntry, in bytes: UnsafeRawBufferPointer, end: Int, isExact: Bool
  ) throws(ImmutaError) -> Int {
    guard bytes.count >= recordHeaderSize else {
      throw corrupted(.cutShort, number, entry.index, "the log ends inside its size field")
    }
    let size = unsafe RecordHeader.size(in: bytes, format)
    let room = end - entry.index - recordHeaderSize
    if size < 0 || size > room || (isExact && size != room) {
      throw corrupted(
        .sizeField, number, entry.index,
        "its size field says \(size) bytes where there \(isExact ? "are" : "is room for") \(room)")
    }
    return size
  }

  /// The record whose size field and payload are `bytes`.
  func record(
    _ number: Int, _ entry: CompanionEntry, _ bytes: UnsafeRawBufferPointer, owner: AnyObject
  ) throws(ImmutaError) -> Record {
    assert(bytes.count >= recordHeaderSize, "a record has a size field")
    if verifiesChecksums {
      let computed = unsafe crc32c_extend(0, bytes.baseAddress, bytes.count)
      if computed != entry.recordChecksum { throw checksumMismatch(number, entry, computed) }
    }
    let payload = unsafe UnsafeRawBufferPointer(rebasing: bytes[recordHeaderSize...])
    let record = unsafe Record(
      sequence: number, index: entry.index, timestamp: Timestamp(nanosecondsSince1970: entry.time),
      payload: Payload(payload, owner: owner))
    return try decoded(record)
  }

  /// A record whose stored bytes are those that were appended, as it is delivered.
  func decoded(_ record: Record) throws(ImmutaError) -> Record {
    guard let decoder else { return record }
    return try decoder.decode(record, path: path)
  }

  /// The entry of record `number` from its bytes.
  func entry(_ number: Int, _ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> CompanionEntry {
    guard let entry = unsafe CompanionEntry(decoding: bytes, number: number - first) else { throw entryDamaged(number) }
    return entry
  }

  func entryDamaged(_ number: Int) -> ImmutaError {
    corrupted(.companionEntry, number, nil, "its entry in the companion (.idx) is damaged, so it cannot be checked")
  }

  func checksumMismatch(_ number: Int, _ entry: CompanionEntry, _ computed: UInt32) -> ImmutaError {
    checksumMismatch(number, index: entry.index, recorded: entry.recordChecksum, computed)
  }

  func checksumMismatch(_ number: Int, index: Int, recorded: UInt32, _ computed: UInt32) -> ImmutaError {
    if recorded == CompanionEntry.checksumOfDamaged(computed) {
      return corrupted(.checksum, number, index, "its payload did not have its checksum when the companion was made")
    }
    return corrupted(
      .checksum, number, index,
      "its bytes have checksum \(hexadecimal(computed)) where \(hexadecimal(recorded)) was recorded")
  }

  func corrupted(_ code: Corruption.Reason.Code, _ number: Int, _ index: Int?, _ reason: String) -> ImmutaError {
    .corrupted(Corruption(code, path: path, sequence: number, index: index, reason: reason))
  }

  private func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
