import CImmutaCRC32C

/// A record too large to be read into memory whole: mapped, and checked piece by piece before anyone sees it.
final class LargeRecord: MappedPayload {
  private let window: MappedWindow
  private let payloadOffset: Int

  /// Memory that checking takes.
  private static let pieceSize = 4 << 20

  private init(window: MappedWindow, payloadOffset: Int) {
    self.window = window
    self.payloadOffset = payloadOffset
  }

  /// Maps and checks the record, whose size field was read and fits the file. Where files cannot be mapped it
  /// is read in pieces, when they are asked for.
  static func read(
    _ number: Int, _ entry: CompanionEntry, size: Int, from descriptor: Descriptor, _ check: RecordCheck
  ) throws(ImmutaError) -> Record {
    let range = entry.index..<entry.index + check.recordHeaderSize + size
    guard try io(descriptor.size >= range.upperBound) else {
      throw check.corrupted(.cutShort, number, entry.index, "the log ends inside its payload")
    }
    guard let window = try map(range, of: descriptor) else {
      return try FilePayload.record(number, entry, size: size, from: descriptor, check)
    }
    if check.verifiesChecksums {
      var crc: UInt32 = 0
      var position = range.lowerBound
      while position < range.upperBound {
        let piece = position..<min(position + pieceSize, range.upperBound)
        try io(window.populateForReading(piece))
        let bytes = unsafe window.bytes(piece)
        unsafe crc = crc32c_extend(crc, bytes.baseAddress, bytes.count)
        window.forget(piece)
        position = piece.upperBound
      }
      if crc != entry.recordChecksum { throw check.checksumMismatch(number, entry, crc) }
    }
    let payload = entry.index + check.recordHeaderSize
    let bytes = unsafe UnsafeRawBufferPointer(window.bytes(payload..<range.upperBound))
    let record = unsafe Record(
      sequence: number, index: entry.index, timestamp: Timestamp(nanosecondsSince1970: entry.time),
      payload: Payload(bytes, owner: LargeRecord(window: window, payloadOffset: payload)))
    return try check.decoded(record)
  }

  /// Reads and checks a record, into memory of its own.
  static func readWhole(
    _ number: Int, _ entry: CompanionEntry, size: Int, from descriptor: Descriptor, _ check: RecordCheck
  ) throws(ImmutaError) -> Record {
    let whole = Chunk(first: number, base: check.first, entryCapacity: 1, logCapacity: check.recordHeaderSize + size)
    let bytes = unsafe whole.logBytes
    guard try unsafe io(descriptor.read(into: bytes, at: entry.index) == bytes.count) else {
      throw check.corrupted(.cutShort, number, entry.index, "the log ends inside its payload")
    }
    return try unsafe check.record(number, entry, UnsafeRawBufferPointer(bytes), owner: whole.owner)
  }

  /// Nil where files cannot be mapped.
  private static func map(_ range: Range<Int>, of descriptor: Descriptor) throws(ImmutaError) -> MappedWindow? {
    do {
      return try MappedWindow(descriptor, range, writable: false)
    } catch {
      if ErrorNumber.cannotMap(error.errorNumber) { return nil }
      throw ImmutaError(error)
    }
  }

  /// Gives back the memory of the payload's bytes `range`, which stay readable.
  func forgetPayload(_ range: Range<Int>) {
    window.forget(payloadOffset + range.lowerBound..<payloadOffset + range.upperBound)
  }
}
