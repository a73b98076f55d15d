import Foundation
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// Raw DEFLATE is what others read and write.
@Suite("DEFLATE")
struct DeflateTests {
  let bench: Workbench

  init() throws {
    bench = try Workbench()
  }

  @Test("A log that the Go program compressed is read record by record, and extended")
  func goLog() async throws {
    let fixture = try #require(Bundle.module.url(forResource: "Fixtures/deflated", withExtension: "log"))
    try FileBytes.write(Array(try Data(contentsOf: fixture)), to: bench.logPath)
    let (storage, log) = try bench.open(.deflate())
    defer { storage.close() }
    #expect(log.count == 20)
    for record in try log.records(in: 0..<20) {
      #expect(record.payload.elementsEqual(goPayload(record.sequence)), "record \(record.sequence)")
    }
    try await log.append("one more")
    #expect(try await log.record(at: 20).text == "one more")
    try await log.verify()
  }

  @Test(
    "Another DEFLATE decoder reads each record",
    .enabled(if: hasPython, "the other decoder is python3's: it is not here"),
    arguments: [0, 1, 6, 9])
  func otherDecoder(level: Int) throws {
    let payloads = Payloads.sizes.filter { $0 < 200_000 }.map(Payloads.repetitive) + [Payloads.random(50_000)]
    try bench.write(payloads, .deflate(level: level))
    let (status, text) = try Self.python(Self.script, bench.logPath)
    #expect(status == 0)
    #expect(text.split(separator: "\n").map(String.init) == payloads.map { "\($0.count) \(Self.adler($0))" })
  }

  /// Not every machine that builds Swift has it.
  private static let hasPython = (try? python("import zlib"))?.status == 0

  private static func python(_ script: String, _ arguments: String...) throws -> (status: Int32, text: String) {
    let interpreter = Process()
    interpreter.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    interpreter.arguments = ["python3", "-c", script] + arguments
    let output = Pipe()
    interpreter.standardOutput = output
    try interpreter.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    interpreter.waitUntilExit()
    return (interpreter.terminationStatus, text)
  }

  private static let script = """
    import struct, sys, zlib
    data = open(sys.argv[1], 'rb').read()
    count, index = struct.unpack('<q', data[:8])[0], 16
    for _ in range(count):
      size = struct.unpack('<q', data[index:index + 8])[0]
      stream = zlib.decompressobj(-15)
      payload = stream.decompress(data[index + 8:index + 8 + size])
      assert stream.eof and not stream.unused_data
      print(len(payload), zlib.adler32(payload))
      index += 8 + size
    """

  /// Adler-32, as RFC 1950 defines it.
  private static func adler(_ bytes: [UInt8]) -> UInt32 {
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in bytes {
      a = (a + UInt32(byte)) % 65_521
      b = (b + a) % 65_521
    }
    return b << 16 | a
  }

  @Test("A higher level makes no more bytes, and compression is real")
  func levels() throws {
    let payload = (0..<2000).flatMap(Payloads.json)
    let sizes = try [0, 1, 6, 9].map { level in
      let bench = try Workbench()
      try bench.write([payload], .deflate(level: level))
      return try bench.stored()[0].count
    }
    #expect(sizes == sizes.sorted(by: >))
    #expect(sizes[0] > payload.count && sizes[1] < payload.count / 3)
  }

  @Test("Records of one level are read with another")
  func otherLevel() async throws {
    try bench.write([Payloads.json(1)], .deflate(level: 1))
    try bench.write([Payloads.json(2)], .deflate(level: 9))
    let (storage, log) = try bench.open(.deflate())
    defer { storage.close() }
    #expect(try log.records(in: 0..<2).map { Array($0.payload) } == [Payloads.json(1), Payloads.json(2)])
  }

  @Test("A large payload is read in pieces though much that stands for nothing follows its last byte")
  func emptyBlocks() async throws {
    // Its last byte fills the decoder's output.
    let payload = [UInt8](repeating: 0, count: 2 << 20)
    var stored = Self.zeros(payload.count)
    // More than is handed to the decoder at a time.
    for _ in 0..<60_000 { stored += [0, 0, 0, 0xFF, 0xFF] }
    stored += [1, 0, 0, 0xFF, 0xFF]
    try bench.writeStored([stored])
    let (storage, log) = try bench.open(.deflate())
    defer { storage.close() }
    let record = try await log.record(at: 0)
    #expect(record.payload.chunks().flatMap { $0.withUnsafeBytes { Array($0) } } == payload)
    #expect(holds(record.payload, payload))
  }

  /// A block of so many zeros in fixed codes (RFC 1951, section 3.2.6), not the last one, and an empty one, which
  /// begins at a bit and ends at a byte.
  private static func zeros(_ count: Int) -> [UInt8] {
    let (zero, repeated258Times, end) = ("00110000", "11000101" + "00000", "0000000")
    var bits = "010" + zero + String(repeating: repeated258Times, count: (count - 1) / 258)
    bits += String(repeating: zero, count: (count - 1) % 258) + end + "000"
    var bytes = [UInt8](repeating: 0, count: (bits.utf8.count + 7) / 8)
    for (position, bit) in bits.utf8.enumerated() where bit == UInt8(ascii: "1") {
      bytes[position / 8] |= 1 << (position % 8)
    }
    return bytes + [0, 0, 0xFF, 0xFF]
  }
}
