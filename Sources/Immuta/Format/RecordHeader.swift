import CImmutaCRC32C

/// The header before a payload: see ``LogFormat`` for its bytes.
package struct RecordHeader: Hashable, Sendable {
  package let format: LogFormat
  /// Bytes of payload.
  package let size: Int
  /// The payload's checksum, where the format has room for one; 0 elsewhere.
  package let payloadChecksum: UInt32

  @inline(__always)
  package init(_ format: LogFormat, size: Int, payloadChecksum: UInt32) {
    self.format = format
    self.size = size
    self.payloadChecksum = payloadChecksum
  }

  /// The header of a payload that is given whole. O(1), or O(bytes) where the format has a checksum.
  @inline(__always)
  package init(_ format: LogFormat, of payload: UnsafeRawBufferPointer) {
    self.init(
      format, size: payload.count,
      payloadChecksum: unsafe format.hasPayloadChecksum ? Self.extend(0, payload) : 0)
  }

  /// LogStore's checksum of the bytes so far, 0 to begin with, and some more.
  ///
  /// CRC-32 with initial value and final xor 0xFFFFFFFF, by a table that takes 0x04C11DB7 for the reflected polynomial,
  /// which it is not: the quirk is the file format's.
  @inline(never)
  package static func extend(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    unsafe logstore_crc_extend(checksum, bytes.baseAddress, bytes.count)
  }

  /// The payload size that a record's header gives, negative where it is no record's. `bytes` holds at least the
  /// header.
  @inline(__always)
  package static func size(in bytes: UnsafeRawBufferPointer, _ format: LogFormat) -> Int {
    let field: Int = unsafe bytes.loadInteger(at: 0)
    if format != .bilog { return field }
    let length = field.byteSwapped
    return length < format.recordHeaderSize ? -1 : length - format.recordHeaderSize
  }

  /// The payload's checksum that a record's header gives, in a format that has one.
  package static func payloadChecksum(in bytes: UnsafeRawBufferPointer) -> UInt32 {
    unsafe bytes.loadInteger(at: 8, as: UInt32.self).byteSwapped
  }

  /// The size field, as the eight bytes would be read from memory on a little-endian machine.
  @inline(__always)
  private var field: UInt64 {
    format == .bilog ? UInt64(size + format.recordHeaderSize).byteSwapped : UInt64(size)
  }

  /// The CRC-32C of the header's bytes.
  @inline(__always)
  package var checksum: UInt32 {
    let ofField = crc32c_extend_u64(0, field)
    return format == .bilog ? extended(ofField) : ofField
  }

  @inline(never)
  private func extended(_ ofField: UInt32) -> UInt32 {
    var second = payloadChecksum.bigEndian
    return unsafe withUnsafeBytes(of: &second) { unsafe crc32c_extend(ofField, $0.baseAddress, $0.count) }
  }

  /// Stores the header's `format.recordHeaderSize` bytes.
  @inline(__always)
  package func store(to memory: UnsafeMutableRawPointer) {
    unsafe memory.storeBytes(of: field.littleEndian, as: UInt64.self)
    if format == .bilog { unsafe memory.storeBytes(of: payloadChecksum.bigEndian, toByteOffset: 8, as: UInt32.self) }
  }

  /// Calls `body` with the header's bytes.
  @inline(never)
  package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    var bytes = InlineArray<12, UInt8>(repeating: 0)
    let count = format.recordHeaderSize
    return try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(E) in
      guard let memory = bytes.baseAddress else { preconditionFailure("an inline array has memory") }
      unsafe store(to: memory)
      return try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
  }
}
