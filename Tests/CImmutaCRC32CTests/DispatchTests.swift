import CImmutaCRC32C
import Testing

@Suite("CRC-32C: choosing an implementation")
struct DispatchTests {
  @Test("knows each implementation once, and the table last")
  func names() {
    let names = Implementation.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.last == "table")
    #expect(Set(names).isSubset(of: ["vpclmulqdq", "sse4.2", "armv8-pmull", "armv8", "table"]))
  }

  @Test("computes the same from many tasks at once")
  func manyTasks() async {
    let bytes = Array("immutable".utf8)
    let expected = Reference.extend(0, bytes)
    await withTaskGroup(of: [UInt32].self) { group in
      for _ in 0..<16 {
        group.addTask {
          var copy = [UInt8](repeating: 0, count: bytes.count)
          return [
            bytes.withUnsafeBytes { crc32c_extend(0, $0.baseAddress, $0.count) },
            bytes.withUnsafeBytes { source in
              copy.withUnsafeMutableBytes {
                crc32c_copy_extend(0, $0.baseAddress, source.baseAddress, source.count)
              }
            },
            crc32c_extend_u64(0, 1),
            crc32c_extend_4_u64(0, 1, 2, 3, 4),
          ]
        }
      }
      for await results in group {
        let words = (1...4).map { word in [UInt8(word), 0, 0, 0, 0, 0, 0, 0] }
        #expect(
          results == [
            expected, expected, Reference.extend(0, words[0]), Reference.extend(0, Array(words.joined())),
          ])
      }
    }
  }

  @Test("an implementation that is not there is the caller's error")
  func wrongIndex() async {
    await #expect(processExitsWith: .failure) { _ = crc32c_implementation_name(crc32c_implementation_count()) }
    await #expect(processExitsWith: .failure) { _ = crc32c_power_at(crc32c_power_count()) }
  }
}
