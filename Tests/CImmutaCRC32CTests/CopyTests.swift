import CImmutaCRC32C
import Testing

@Suite("CRC-32C: copying")
struct CopyTests {
  @Test("copies exactly the bytes asked for, and checksums them", arguments: Implementation.all)
  func exactBytes(implementation: Implementation) {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let source = random.bytes(5000)
    let margin = 80
    var destination = [UInt8](repeating: 0, count: source.count + 2 * margin)
    // Every length to 1100, then some about the sizes where the implementations change their ways.
    let counts = Array(0...1100) + (1100...4800).filter { $0 % 64 < 2 || $0 % 97 == 0 }
    for count in counts {
      let from = Int.random(in: 0..<64, using: &random)
      let to = margin + Int.random(in: -63...63, using: &random)
      let guardByte = UInt8(truncatingIfNeeded: count) ^ 0xA5
      let initial = UInt32.random(in: 0 ... .max, using: &random)
      for index in destination.indices { destination[index] = guardByte }
      let input = source[from..<(from + count)]
      let crc = source.withUnsafeBytes { source in
        destination.withUnsafeMutableBytes { destination in
          crc32c_copy_extend_with(
            implementation.index, initial, destination.baseAddress.map { $0 + to },
            source.baseAddress.map { $0 + from }, count)
        }
      }
      let expected = [UInt8](repeating: guardByte, count: to) + input
      if crc != Reference.extend(initial, input) || destination[..<(to + count)] != expected[...]
        || destination[(to + count)...].contains(where: { $0 != guardByte })
      {
        Issue.record("\(count) bytes from \(from) to \(to), seed \(seed)")
        return
      }
    }
  }

  @Test("touches nothing outside of either region", arguments: Implementation.all)
  func staysInside(implementation: Implementation) {
    let source = GuardedMemory(pages: 1)
    let destination = GuardedMemory(pages: 1)
    source.bytes.copyBytes(from: (0..<source.bytes.count).map { UInt8(truncatingIfNeeded: $0 &* 29) })
    for count in 0...2500 {
      let fromStart = UnsafeRawBufferPointer(source.prefix(count))
      let toEnd = destination.suffix(count)
      let forward = crc32c_copy_extend_with(
        implementation.index, 0, toEnd.baseAddress, fromStart.baseAddress, count)
      #expect(toEnd.elementsEqual(fromStart))
      #expect(forward == implementation.extend(0, fromStart))

      let fromEnd = UnsafeRawBufferPointer(source.suffix(count))
      let toStart = destination.prefix(count)
      let backward = crc32c_copy_extend_with(
        implementation.index, 0, toStart.baseAddress, fromEnd.baseAddress, count)
      #expect(toStart.elementsEqual(fromEnd))
      #expect(backward == implementation.extend(0, fromEnd))
    }
  }

  @Test("copies large blocks", arguments: Implementation.all)
  func largeBlocks(implementation: Implementation) {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let source = random.bytes(1 << 18)
    for _ in 0..<20 {
      let count = Int.random(in: 5000...(source.count - 64), using: &random)
      let from = Int.random(in: 0..<64, using: &random)
      let to = Int.random(in: 0..<64, using: &random)
      var destination = [UInt8](repeating: 0xA5, count: count + 128)
      let input = source[from..<(from + count)]
      let crc = source.withUnsafeBytes { source in
        destination.withUnsafeMutableBytes { destination in
          crc32c_copy_extend_with(
            implementation.index, 0, destination.baseAddress.map { $0 + to }, source.baseAddress.map { $0 + from },
            count)
        }
      }
      #expect(crc == implementation.extend(0, input), "\(count) bytes from \(from) to \(to), seed \(seed)")
      #expect(destination[to..<(to + count)] == input, "\(count) bytes from \(from) to \(to), seed \(seed)")
      #expect(destination[..<to].allSatisfy { $0 == 0xA5 })
      #expect(destination[(to + count)...].allSatisfy { $0 == 0xA5 })
    }
  }
}
