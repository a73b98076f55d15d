import CImmutaCRC32C
import Testing

@Suite("CRC-32C: every implementation")
struct ChecksumTests {
  /// RFC 3720, appendix B.4, and the customary check value.
  static let vectors: [(bytes: [UInt8], crc: UInt32)] = [
    ([], 0),
    (Array("123456789".utf8), 0xE306_9283),
    (Array(repeating: 0x00, count: 32), 0x8A91_36AA),
    (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
    (Array(0...31), 0x46DD_794E),
    (Array((0...31).reversed()), 0x113F_DB5C),
    (
      [
        0x01, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
        0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      ], 0xD996_3A56
    ),
  ]

  @Test("gives the published values", arguments: Implementation.all)
  func publishedValues(implementation: Implementation) {
    for (bytes, crc) in Self.vectors {
      #expect(implementation.extend(0, bytes) == crc)
      #expect(Reference.extend(0, bytes) == crc)
    }
  }

  @Test("agrees with the definition for every length to 1100 at every alignment", arguments: Implementation.all)
  func everyShortLength(implementation: Implementation) {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let bytes = random.bytes(1100 + 64)
    bytes.withUnsafeBytes { bytes in
      for alignment in [0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 31, 33, 63] {
        let initial = UInt32.random(in: 0 ... .max, using: &random)
        var expected = initial
        for count in 0...1100 {
          let crc = implementation.extend(initial, UnsafeRawBufferPointer(rebasing: bytes[alignment...].prefix(count)))
          if crc != expected {
            Issue.record("\(count) bytes at \(alignment): \(crc), not \(expected); seed \(seed)")
            return
          }
          expected = Reference.extend(expected, bytes[alignment + count])
        }
      }
    }
  }

  @Test("agrees with the definition for large sizes", arguments: Implementation.all)
  func largeSizes(implementation: Implementation) {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let bytes = random.bytes(300_000)
    bytes.withUnsafeBytes { bytes in
      // One walk by the definition serves all sizes: it passes each of them.
      let start = Int.random(in: 0..<64, using: &random)
      let initial = UInt32.random(in: 0 ... .max, using: &random)
      let counts = (0..<200).map { _ in Int.random(in: 1101...(bytes.count - start), using: &random) }.sorted()
      var reached = 0
      var expected = initial
      for count in counts {
        expected = Reference.extend(expected, bytes[(start + reached)..<(start + count)])
        reached = count
        let crc = implementation.extend(initial, UnsafeRawBufferPointer(rebasing: bytes[start...].prefix(count)))
        #expect(crc == expected, "\(count) bytes at \(start), seed \(seed)")
      }
    }
  }

  @Test("gives the same whatever pieces the bytes come in", arguments: Implementation.all)
  func pieces(implementation: Implementation) {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let bytes = random.bytes(20_000)
    let expected = Reference.extend(0, bytes)
    for longest in [1, 7, 30, 100, 300, 5000] {
      var crc: UInt32 = 0
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 0...longest, using: &random))
        crc = implementation.extend(crc, piece)
        rest = rest.dropFirst(piece.count)
      }
      #expect(crc == expected, "pieces of up to \(longest) bytes, seed \(seed)")
    }
  }

  @Test("takes a word as its eight bytes, lowest first", arguments: Implementation.all)
  func words(implementation: Implementation) {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<100 {
      let value = random.next()
      let crc = UInt32.random(in: 0 ... .max)
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      #expect(crc32c_extend_u64_with(implementation.index, crc, value) == Reference.extend(crc, bytes))
      #expect(crc32c_extend_u64(crc, value) == Reference.extend(crc, bytes))
    }
  }

  @Test("takes four words as one after the other", arguments: Implementation.all)
  func fourWords(implementation: Implementation) {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<100 {
      let values = (0..<4).map { _ in random.next() }
      let crc = UInt32.random(in: 0 ... .max)
      let bytes = values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
      let expected = Reference.extend(crc, bytes)
      #expect(
        crc32c_extend_4_u64_with(implementation.index, crc, values[0], values[1], values[2], values[3]) == expected)
      #expect(crc32c_extend_4_u64(crc, values[0], values[1], values[2], values[3]) == expected)
    }
  }

  @Test("reads no byte before or after its input", arguments: Implementation.all)
  func staysInside(implementation: Implementation) {
    let memory = GuardedMemory(pages: 1)
    memory.bytes.copyBytes(from: (0..<memory.bytes.count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    var first: UInt32 = 0
    for count in 0...2500 {
      let prefix = UnsafeRawBufferPointer(memory.prefix(count))
      if implementation.extend(0, prefix) != first {
        Issue.record("\(count) bytes at the start of a page")
        return
      }
      first = Reference.extend(first, memory.bytes[count])
      _ = implementation.extend(0, UnsafeRawBufferPointer(memory.suffix(count)))
    }
  }

  @Test("takes null for no bytes", arguments: Implementation.all)
  func null(implementation: Implementation) {
    #expect(crc32c_extend_with(implementation.index, 0x1234_5678, nil, 0) == 0x1234_5678)
    #expect(crc32c_copy_extend_with(implementation.index, 0x1234_5678, nil, nil, 0) == 0x1234_5678)
  }
}
