import Immuta
import ImmutaTestSupport
import Testing

/// A payload is a collection of bytes.
@Suite struct PayloadTests {
  private static func payload(of bytes: [UInt8]) async throws -> (Payload, TemporaryDirectory) {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await storage.append("something before", to: "log")
    try await storage.append(bytes, to: "log")
    return (try await storage.log("log").record(at: 1).payload, directory)
  }

  @Test(arguments: [0, 1, 5, 100_000, (1 << 20) + 5]) func itIsARandomAccessCollection(size: Int) async throws {
    let bytes = pattern(size)
    let (payload, _) = try await Self.payload(of: bytes)
    #expect(payload.count == size && payload.isEmpty == bytes.isEmpty)
    #expect(payload.indices == bytes.indices)
    #expect(payload.first == bytes.first && payload.last == bytes.last)
    #expect(Array(payload) == bytes)
    #expect(Array(payload.prefix(3)) == Array(bytes.prefix(3)))
    #expect(Array(payload.suffix(3)) == Array(bytes.suffix(3)))
    #expect(Array(payload.prefix(50).reversed()) == Array(bytes.prefix(50).reversed()))
    if size > 4 {
      #expect(Array(payload[1..<4]) == Array(bytes[1..<4]))
      #expect(payload[2..<5].startIndex == 2)
      #expect(payload[size - 1] == bytes[size - 1])
    }
    #expect(payload.withContiguousStorageIfAvailable { Array($0) == bytes } == true)
    #expect(payload.withBytes { $0.byteCount } == size)
    #expect(payload.withUnsafeBytes { $0.count } == size)
  }

  @Test func itIsEqualToWhatHoldsTheSameBytes() async throws {
    let (one, _) = try await Self.payload(of: [1, 2, 3])
    let (same, _) = try await Self.payload(of: [1, 2, 3])
    let (other, _) = try await Self.payload(of: [1, 2, 4])
    let (shorter, _) = try await Self.payload(of: [1, 2])
    let (empty, _) = try await Self.payload(of: [])
    let (emptyToo, _) = try await Self.payload(of: [])
    #expect(one == same && one.hashValue == same.hashValue)
    #expect(one != other && one != shorter && one != empty)
    #expect(empty == emptyToo && empty.hashValue == emptyToo.hashValue)
    #expect(Set([one, same, other, shorter, empty, emptyToo]).count == 4)
    #expect("\(one)" == "3 bytes")
  }

  @Test func textReplacesWhatIsNotUTF8() async throws {
    let bytes: [UInt8] = [0x61, 0xFF, 0x62, 0xC3, 0xA9, 0xE2, 0x82]
    let (payload, _) = try await Self.payload(of: bytes)
    #expect(payload.text == String(decoding: bytes, as: UTF8.self))
    #expect(payload.text.hasPrefix("a\u{FFFD}bé\u{FFFD}"))
    let (empty, _) = try await Self.payload(of: [])
    #expect(empty.text.isEmpty)
  }

  @Test func bytesAreThoseOfTheRecord() async throws {
    let (payload, _) = try await Self.payload(of: [7, 8, 9])
    let copied = payload.withBytes { bytes in
      (0..<bytes.byteCount).map { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }
    #expect(copied == [7, 8, 9])
    #expect(throws: SourceFailed()) { try payload.withBytes { (_) throws(SourceFailed) in throw SourceFailed() } }
    #expect(throws: SourceFailed()) {
      try payload.withUnsafeBytes { (_) throws(SourceFailed) in throw SourceFailed() }
    }
  }

  @Test(arguments: [0, 1, 999, 1_000, 1_001, (1 << 20) + 1], [1_000, 4_096, 100_000])
  func chunksGoThroughAllOfIt(size: Int, chunkSize: Int) async throws {
    let bytes = pattern(size)
    let (payload, _) = try await Self.payload(of: bytes)
    var joined: [UInt8] = []
    var chunks: [Payload] = []
    for chunk in payload.chunks(ofSize: chunkSize) {
      #expect(chunk.count == min(chunkSize, size - joined.count) && !chunk.isEmpty)
      joined += Array(chunk)
      chunks.append(chunk)
    }
    #expect(joined == bytes)
    // The chunks stay valid behind the iterator, and can be cut again.
    #expect(chunks.reduce(into: []) { $0 += Array($1) } == bytes)
    if let last = chunks.last { #expect(Array(last.chunks(ofSize: 7).joined()) == Array(last)) }
    var asynchronously: [UInt8] = []
    for try await chunk in payload.chunks(ofSize: chunkSize) { asynchronously += Array(chunk) }
    #expect(asynchronously == bytes)
  }
}
