import Immuta
import ImmutaTestSupport
import Testing

/// A companion, or a piece of one, that belongs to another log.
@Suite(.timeLimit(.minutes(1))) struct ForeignCompanionTests {
  /// Entries that are whole and another log's lead nowhere, backwards, or into other records.
  @Test(arguments: [10..<15, 0..<20, 3..<4, 19..<20])
  func aPieceOfAnotherLogsCompanionIsDamageThatIsMended(_ numbers: Range<Int>) async throws {
    let (directory, other) = (TemporaryDirectory(), TemporaryDirectory())
    try await directory.fill((0..<20).map { [UInt8](repeating: UInt8($0), count: 1000) })
    try await other.fill((0..<20).map { [UInt8](repeating: UInt8($0), count: 37 + $0) })
    var companion = try directory.bytes(of: "log.idx")
    let foreign = try other.bytes(of: "log.idx")
    let range =
      CompanionHeader.size + numbers.lowerBound * CompanionEntry.size..<CompanionHeader.size
      + numbers.upperBound * CompanionEntry.size
    companion.replaceSubrange(range, with: foreign[range])
    try directory.write(companion, to: "log.idx")
    if let storage = try? directory.open(access: .readOnly) {
      let log = try storage.log("log")
      for number in 0..<20 {
        var stream = log.stream(from: .skipping(number))
        // What cannot be told throws; nothing else comes in its place.
        guard let record = try? stream.nextAtOnce() else { continue }
        #expect(record.payload.first == UInt8(number) && record.payload.count == 1000)
      }
      storage.close()
    }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == 20 && report.lost.isEmpty)
    let mended = try directory.open()
    defer { mended.close() }
    #expect(try await mended.verify("log").records == 20)
  }

  @Test(arguments: [Int.min, -8, Int.max, Int.max - 16])
  func anEntryThatLeadsOutOfTheFileIsDamage(_ index: Int) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<20).map { [UInt8](repeating: UInt8($0), count: 100) })
    var companion = try directory.bytes(of: "log.idx")
    for number in [0, 7] {
      let start = CompanionHeader.size + number * CompanionEntry.size
      companion.withUnsafeMutableBytes { bytes in
        CompanionEntry(index: index, time: 1, recordChecksum: 1)
          .encode(
            into: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + CompanionEntry.size]), number: number)
      }
    }
    try directory.write(companion, to: "log.idx")
    do {
      let storage = try directory.open(access: .readOnly)
      defer { storage.close() }
      await #expect(throws: ImmutaError.self) { try await storage.verify("log") }
      await #expect(throws: ImmutaError.self) { try await storage.log("log").record(at: 7) }
      #expect(try await storage.log("log").record(at: 8).payload.first == 8)
    }
    _ = try Storage.repair("log", in: directory.path, applying: true)
    let mended = try directory.open()
    defer { mended.close() }
    #expect(try await mended.verify("log").records == 20)
  }
}
