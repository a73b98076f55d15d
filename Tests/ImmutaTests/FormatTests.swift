import CImmutaCRC32C
import Immuta
import ImmutaTestSupport
import Testing

/// The bytes of the two files' headers and of an entry, written down by hand.
@Suite struct FormatTests {
  private func decodedHeader(_ bytes: [UInt8]) -> LogHeader {
    bytes.withUnsafeBytes { LogHeader(decoding: $0, format: .v2) }
  }

  @Test func theLogsHeaderIsTwoLittleEndianIntegers() {
    let bytes: [UInt8] = [3, 1, 0, 0, 0, 0, 0, 0, 0x10, 0x32, 0x54, 0, 0, 0, 0, 0]
    let header = LogHeader(count: 259, lastIndex: 0x543210)
    #expect(decodedHeader(bytes) == header)
    var encoded = [UInt8](repeating: 0xFF, count: 16)
    encoded.withUnsafeMutableBytes { header.encode(into: $0, format: .v2) }
    #expect(encoded == bytes)
    #expect(LogFormat.v2.headerSize == 16 && LogFormat.v2.recordHeaderSize == 8 && LogHeader.lastIndexOffset == 8)
  }

  @Test func anEmptyLogsHeaderIsAllZeros() {
    #expect(decodedHeader(Array(repeating: 0, count: 16)) == LogHeader())
  }

  @Test(arguments: [
    (-1, 16, 100), (5, 16, 40), (3, 16, 16), (1, 0, 100), (1, 15, 100), (1, 93, 100), (1, -8, 100), (1, Int.max, 100),
    (Int.max, 16, 100), (Int.min, 0, 100),
  ])
  func aHeaderThatNoLogCanHaveIsAContradiction(count: Int, lastIndex: Int, fileSize: Int) {
    #expect(LogHeader(count: count, lastIndex: lastIndex).contradiction(format: .v2, fileSize: fileSize) != nil)
  }

  @Test(arguments: [(0, 0, 16), (0, 0, 1000), (1, 16, 24), (3, 32, 40), (1, 92, 100)])
  func aHeaderThatALogCanHaveIsNone(count: Int, lastIndex: Int, fileSize: Int) {
    #expect(LogHeader(count: count, lastIndex: lastIndex).contradiction(format: .v2, fileSize: fileSize) == nil)
  }

  private func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { crc32c_extend(0, $0.baseAddress, $0.count) }
  }

  private func bytes(of value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  private func encoded(_ entry: CompanionEntry, number: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: CompanionEntry.size)
    bytes.withUnsafeMutableBytes { entry.encode(into: $0, number: number) }
    return bytes
  }

  private func decoded(_ bytes: [UInt8], number: Int) -> CompanionEntry? {
    bytes.withUnsafeBytes { CompanionEntry(decoding: $0, number: number) }
  }

  @Test(arguments: [0, 1, 0x1_0000_0002], [true, false])
  func anEntryIsIndexTimeAndChecksums(number: Int, endsCommit: Bool) {
    let entry = CompanionEntry(
      index: 0x0102_0304_0506, time: 1_700_000_000_123_456_789, recordChecksum: 0xDEAD_BEEF, endsCommit: endsCommit)
    let first = littleEndian(0x0102_0304_0506) + littleEndian(1_700_000_000_123_456_789) + bytes(of: 0xDEAD_BEEF)
    let own = checksum(first + littleEndian(number))
    let expected = first + bytes(of: endsCommit ? own : ~own)
    #expect(encoded(entry, number: number) == expected)
    #expect(decoded(expected, number: number) == entry)
    #expect(CompanionEntry.size == 24)
  }

  @Test func anEntryIsNotTakenForAnothersNorWhenAnyBitIsFlipped() {
    let entry = CompanionEntry(index: 16, time: 5, recordChecksum: 7)
    let whole = encoded(entry, number: 3)
    for number in [0, 2, 4, 3 + (1 << 32)] { #expect(decoded(whole, number: number) == nil) }
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(decoded(bytes, number: 3) == nil)
    }
    for number in 0..<1_000 { #expect(decoded(Array(repeating: 0, count: 24), number: number) == nil) }
  }

  private var header: CompanionHeader {
    var header = CompanionHeader(format: .v2, codecName: "né")
    header.generation = 5
    header.mark = .closed
    header.stableCount = 259
    header.bootIdentity = 0x0807_0605_0403_0201
    header.tornCount = 7
    header.recoveryTime = 1_000
    return header
  }

  @Test func aCompanionsHeaderIsASlotWithAChecksum() {
    var expected: [UInt8] =
      Array("IMTAIDX1".utf8) + [1, 0, 0, 0, 2, 1, 3, 0] + littleEndian(5) + littleEndian(259)
      + [1, 2, 3, 4, 5, 6, 7, 8] + littleEndian(7) + littleEndian(1_000) + Array("né".utf8)
    expected += [UInt8](repeating: 0, count: 2044 - expected.count)
    expected += bytes(of: checksum(expected))
    #expect(header.encoded() == expected)
    #expect(header.slotOffset == 2048 && CompanionHeader.size == 4096 && CompanionHeader.slotSize == 2048)
  }

  private func current(_ first: [UInt8], _ second: [UInt8]) -> CompanionHeader? {
    (first + second).withUnsafeBytes { CompanionHeader.current(in: $0) }
  }

  /// A file that claims the highest of all generations has one after it, too.
  @Test(arguments: [0, 1, 5, UInt64.max - 1, .max, 1 << 63, (1 << 63) - 1]) func generationsWrapAround(_ last: UInt64) {
    var (older, newer) = (header, header)
    older.generation = last
    newer.generation = TwoSlots.next(after: last)
    #expect(older.slotOffset != newer.slotOffset)
    let slots = older.slotOffset == 0 ? [older, newer] : [newer, older]
    #expect(current(slots[0].encoded(), slots[1].encoded()) == newer)
  }

  @Test func numbersThatNoLogHasAreDamage() {
    let blank = [UInt8](repeating: 0, count: 2048)
    let numbers: [WritableKeyPath<CompanionHeader, Int>] = [
      \.stableCount, \.tornCount, \.firstSequence, \.removedCount, \.madeCount,
    ]
    var header = header
    header.identity = .random()
    header.generation = 4
    for number in numbers {
      for value in [-1, Int.min, Int.max, LogFormat.mostRecords + 1] {
        var hostile = header
        hostile[keyPath: number] = value
        #expect(current(hostile.encoded(), blank) == nil)
      }
      header[keyPath: number] = LogFormat.mostRecords
      #expect(current(header.encoded(), blank) == header)
      header.noteTorn(3)
      #expect(header.tornCount <= LogFormat.mostRecords)
    }
  }

  @Test func theNewestWholeSlotCounts() {
    let blank = [UInt8](repeating: 0, count: 2048)
    var newer = header
    newer.generation = 6
    newer.stableCount = 300
    #expect(current(blank, blank) == nil)
    #expect(current(blank, header.encoded()) == header)
    #expect(current(newer.encoded(), header.encoded()) == newer)
    // One that lies in the other's place was written by nobody.
    #expect(current(blank, newer.encoded()) == nil && current(header.encoded(), newer.encoded()) == nil)
    // Torn anywhere, the newer one leaves the older.
    for cut in stride(from: 1, to: 2048, by: 13) {
      let torn = Array(newer.encoded()[..<cut]) + Array(blank[cut...])
      // Behind the name all is zero but the checksum, so a cut there changes nothing but that.
      #expect(current(torn, header.encoded()) == header)
    }
    for byte in [0, 8, 12, 13, 14, 16, 24, 32, 40, 48, 56, 500, 2043, 2044, 2047] {
      var damaged = newer.encoded()
      damaged[byte] ^= 0x20
      #expect(current(damaged, header.encoded()) == header)
    }
  }

  @Test(arguments: ["", "deflate", String(repeating: "x", count: 1024)]) func codecNamesComeBack(name: String) {
    let header = CompanionHeader(format: .v2, codecName: name)
    #expect(header.encoded().count == 2048)
    #expect(current(header.encoded(), [UInt8](repeating: 0, count: 2048))?.codecName == name)
  }

  @Test func filesHoldWhatTheseSay() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try directory.open()
      defer { storage.close() }
      try await storage.append("ab", to: "log")
      try await storage.transaction(in: "log") { transaction in
        try await transaction.append("c")
        try await transaction.append("")
      }
    }
    let log = try directory.bytes(of: "log.log")
    let companion = try directory.bytes(of: "log.idx")
    #expect(log == logBytes([[0x61, 0x62], [0x63], []]))
    #expect(companion.count == 4096 + 3 * 24)
    let header = try #require(companion.withUnsafeBytes { CompanionHeader.current(in: $0) })
    #expect(header.isClean && header.stableCount == 3 && header.format == .v2 && header.codecName?.isEmpty == true)
    var ends: [Bool] = []
    for (number, index) in indices(of: log).enumerated() {
      let bytes = Array(companion[(4096 + number * 24)..<(4096 + number * 24 + 24)])
      let entry = try #require(decoded(bytes, number: number))
      #expect(entry.index == index)
      #expect(entry.recordChecksum == checksum(Array(log[index..<index + 8 + integer(log, at: index)])))
      ends.append(entry.endsCommit)
    }
    #expect(ends == [true, false, true])
  }
}
