import CImmutaCRC32C
import ImmutaLocking

/// The payload of a record too large for memory, in a file that another program may cut short: read in pieces on demand, and as a
/// whole only for a caller that wants the bytes in one piece.
///
/// The record was checked when it was delivered. If the file was changed since, reading throws.
final class FilePayload: DeferredPayload {
  let count: Int
  private let descriptor: Descriptor
  private let sequence: Int
  private let index: Int
  /// Where the payload begins in the file.
  private let offset: Int
  /// The record's checksum, and that of its header alone.
  private let checksum: UInt32
  private let headerChecksum: UInt32
  private let check: RecordCheck
  private let whole = Lock<Payload?>(nil)

  private static let pieceSize = 1 << 20

  private init(
    _ number: Int, _ entry: CompanionEntry, size: Int, headerChecksum: UInt32, from descriptor: Descriptor,
    _ check: RecordCheck
  ) {
    precondition(size >= 0 && entry.index >= 0, "its size field was read")
    count = size
    self.descriptor = descriptor
    sequence = number
    index = entry.index
    offset = entry.index + check.recordHeaderSize
    checksum = entry.recordChecksum
    self.headerChecksum = headerChecksum
    self.check = check
  }

  /// Checks the record, whose size field was read and fits the file.
  static func record(
    _ number: Int, _ entry: CompanionEntry, size: Int, from descriptor: Descriptor, _ check: RecordCheck
  ) throws(ImmutaError) -> Record {
    var header = [UInt8](repeating: 0, count: check.recordHeaderSize)
    let headerChecksum = try unsafe header.withMutableBytes { (bytes) throws(ImmutaError) in
      guard try unsafe io(descriptor.read(into: bytes, at: entry.index) == bytes.count) else {
        throw check.corrupted(.cutShort, number, entry.index, "the log ends inside its size field")
      }
      return unsafe RecordCheck.checksum(UnsafeRawBufferPointer(bytes))
    }
    let payload = FilePayload(
      number, entry, size: size, headerChecksum: headerChecksum, from: descriptor, check)
    if check.verifiesChecksums {
      let session = FilePayloadSession(payload)
      var position = 0
      while position < size {
        position += try session.read(from: position, size: min(pieceSize, size - position)).count
      }
    }
    return try check.decoded(
      Record(
        sequence: number, index: entry.index, timestamp: Timestamp(nanosecondsSince1970: entry.time),
        payload: Payload(payload)))
  }

  func inMemory() throws(ImmutaError) -> Payload {
    try whole.withLock { (whole) throws(ImmutaError) in
      if let whole { return whole }
      let payload = try FilePayloadSession(self).read(from: 0, size: count)
      whole = payload
      return payload
    }
  }

  func begin() -> any PayloadSession { FilePayloadSession(self) }

  fileprivate func read(from position: Int, size: Int) throws(ImmutaError) -> Payload {
    precondition(position >= 0 && size >= 0 && position + size <= count, "a piece lies in the payload")
    return try unsafe PayloadMemory.payload(count: size) { (memory) throws(ImmutaError) in
      guard try unsafe io(descriptor.read(into: memory, at: offset + position) == size) else {
        throw check.corrupted(.cutShort, sequence, index, "the log ends inside its payload")
      }
    }
  }

  /// Throws unless the payload has a checksum such that the record has its own.
  fileprivate func compare(_ payload: UInt32) throws(ImmutaError) {
    guard check.verifiesChecksums else { return }
    let found = crc32c_combine(headerChecksum, payload, count)
    guard found != checksum else { return }
    throw check.checksumMismatch(sequence, index: index, recorded: checksum, found)
  }
}

/// Reads a payload from its start to its end, and compares its checksum there. A session that is asked for another place
/// than the next one compares nothing.
private final class FilePayloadSession: PayloadSession {
  private let payload: FilePayload
  /// How far the checksum goes.
  private let progress = Lock<(position: Int, checksum: UInt32)>((0, 0))

  init(_ payload: FilePayload) {
    self.payload = payload
  }

  func next(from position: Int, size: Int) throws(ImmutaError) -> Payload? {
    try read(from: position, size: size)
  }

  func read(from position: Int, size: Int) throws(ImmutaError) -> Payload {
    let piece = try payload.read(from: position, size: size)
    let checksum = unsafe piece.withUnsafeBytes { bytes in
      progress.withLock { progress -> UInt32? in
        guard progress.position == position else { return nil }
        unsafe progress.checksum = crc32c_extend(progress.checksum, bytes.baseAddress, bytes.count)
        progress.position += size
        return progress.position == payload.count ? progress.checksum : nil
      }
    }
    if let checksum { try payload.compare(checksum) }
    return piece
  }
}
