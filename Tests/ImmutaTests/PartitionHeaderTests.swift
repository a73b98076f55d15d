import CImmutaCRC32C
import Immuta
import ImmutaTestSupport
import Testing

/// The length and the checksum before each record of LogStore's layout.
@Suite struct PartitionHeaderTests {
  @Test func theChecksumIsTheOneThatTheFilesHold() {
    let digits = Array("123456789".utf8)
    #expect(digits.withUnsafeBytes { RecordHeader.extend(0, $0) } == 0xFC4F_2BE9)
    #expect([].withUnsafeBytes { RecordHeader.extend(0, $0) } == 0)
    // In pieces, at every length that the tables treat differently.
    let bytes = pattern(100)
    for cut in 0...40 {
      let whole = bytes.withUnsafeBytes { RecordHeader.extend(0, $0) }
      let first = bytes[..<cut].withUnsafeBytes { RecordHeader.extend(0, $0) }
      #expect(bytes[cut...].withUnsafeBytes { RecordHeader.extend(first, $0) } == whole)
    }
  }

  /// One byte at a time, by the definition.
  @Test func theTablesAreThoseOfThePolynomial() {
    for byte in 0...255 as ClosedRange<UInt8> {
      for zeros in 0..<16 {
        let bytes = [byte] + [UInt8](repeating: 0, count: zeros)
        var register: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
          register ^= UInt32(byte)
          for _ in 0..<8 { register = register & 1 == 1 ? register >> 1 ^ 0x04C1_1DB7 : register >> 1 }
        }
        #expect(bytes.withUnsafeBytes { RecordHeader.extend(0, $0) } == ~register)
      }
    }
  }

  @Test(arguments: [-1, 0, 11, Int.min, Int.min + 11, 13]) func aLengthBelowTwelveIsNoRecords(length: Int) {
    let bytes = Array(littleEndian(length).reversed())
    let size = bytes.withUnsafeBytes { RecordHeader.size(in: $0, .bilog) }
    #expect(length == 13 ? size == 1 : size < 0)
  }

  @Test func theHeadersChecksumIsThatOfItsBytes() {
    for format in LogFormat.allCases {
      let header = RecordHeader(format, size: 0x1234_5678_9A, payloadChecksum: 0xDEAD_BEEF)
      header.withBytes { bytes in
        #expect(bytes.count == format.recordHeaderSize)
        #expect(header.checksum == crc32c_extend(0, bytes.baseAddress, bytes.count))
        #expect(RecordHeader.size(in: bytes, format) == header.size)
        if format == .bilog { #expect(RecordHeader.payloadChecksum(in: bytes) == 0xDEAD_BEEF) }
      }
    }
  }
}
