import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// What becomes of a log whose companion is lost, damaged or old: nothing but the ability to tell damage can be lost.
@Suite(.timeLimit(.minutes(3))) struct CompanionTests {
  static let stored = (0..<40).map { pattern(($0 * 53) % 97, seed: $0) }
  static let entrySize = 24
  static let headerSize = 4096
  static let whole = headerSize + 40 * entrySize

  /// Checks that all records are there and whole, now and after closing and opening once more.
  private func expectWhole(
    _ directory: TemporaryDirectory, _ expected: [[UInt8]] = Self.stored,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    for _ in 0..<2 {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(try payloads(log) == expected, sourceLocation: sourceLocation)
      #expect(try await log.verify().records == expected.count, sourceLocation: sourceLocation)
    }
    #expect(try directory.bytes(of: "log.log") == logBytes(expected), sourceLocation: sourceLocation)
  }

  private func filled() async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory()
    try await directory.fill(Self.stored)
    return directory
  }

  @Test func aCompanionThatWasDeletedIsMadeAnew() async throws {
    let directory = try await filled()
    let companion = try directory.bytes(of: "log.idx")
    try directory.remove("log.idx")
    try await expectWhole(directory)
    #expect(try directory.bytes(of: "log.idx").count == companion.count)
  }

  @Test(arguments: [
    0, 1, 100, 2047, 2048, 2049, 4095, 4096, 4097, 4096 + 23, 4096 + 24, 4096 + 20 * 24, 4096 + 20 * 24 + 7,
    4096 + 39 * 24, 4096 + 40 * 24 - 1,
  ])
  func aCompanionThatWasCutShortIsMadeAnew(length: Int) async throws {
    let directory = try await filled()
    try directory.write(Array(directory.bytes(of: "log.idx")[..<length]), to: "log.idx")
    try await expectWhole(directory)
  }

  @Test(arguments: [1, 4096, 10_000]) func aCompanionOfGarbageIsMadeAnew(length: Int) async throws {
    let directory = try await filled()
    try directory.write(pattern(length), to: "log.idx")
    try await expectWhole(directory)
  }

  @Test func aCompanionOfAnotherVersionIsMadeAnew() async throws {
    let directory = try await filled()
    var bytes = try directory.bytes(of: "log.idx")
    for slot in [0, 2048] where bytes[slot] != 0 { bytes[slot + 8] = 2 }
    try directory.write(bytes, to: "log.idx")
    try await expectWhole(directory)
  }

  @Test(arguments: [0, 2048], [false, true])
  func oneDamagedHeaderSlotLosesNothing(slot: Int, isExtended: Bool) async throws {
    let directory = try await filled()
    if isExtended {
      // Opened and closed once more, the newest header lies in the other slot.
      let storage = try directory.open()
      try await storage.append("more", to: "log")
      storage.close()
    }
    var bytes = try directory.bytes(of: "log.idx")
    bytes[slot + 30] ^= 0x40
    try directory.write(bytes, to: "log.idx")
    try await expectWhole(directory, Self.stored + (isExtended ? [Array("more".utf8)] : []))
  }

  @Test func timestampsThatSurviveInAShortenedCompanionAreKept() async throws {
    let directory = try await filled()
    let before: [Timestamp]
    do {
      let storage = try directory.open()
      defer { storage.close() }
      before = try storage.log("log").records(in: 0..<40).map(\.timestamp)
    }
    try directory.write(Array(directory.bytes(of: "log.idx").dropLast(10 * Self.entrySize)), to: "log.idx")
    let storage = try directory.open()
    defer { storage.close() }
    let after = try storage.log("log").records(in: 0..<40).map(\.timestamp)
    #expect(after[..<30] == before[..<30])
    #expect(after == after.sorted())
  }

  @Test func damageIsFoundWhereTheEntrySurvivedARebuilding() async throws {
    let directory = try await filled()
    var log = try directory.bytes(of: "log.log")
    let index = indices(of: log)[5]
    log[index + 8] ^= 1
    try directory.write(log, to: "log.log")
    try directory.write(Array(directory.bytes(of: "log.idx").dropLast(10 * Self.entrySize)), to: "log.idx")
    for _ in 0..<2 {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      let damage = await corruption { try await log.record(at: 5) }
      #expect(damage?.sequence == 5 && damage?.index == index)
      #expect((await corruption { try await log.verify() })?.sequence == 5)
      for number in 0..<40 where number != 5 {
        #expect(try await Array(log.record(at: number).payload) == Self.stored[number])
      }
    }
  }

  /// The entries carry checksums of their own: they need no header to be believed.
  @Test func damageIsFoundAlsoWhenTheCompanionLostItsHeader() async throws {
    let directory = try await filled()
    var log = try directory.bytes(of: "log.log")
    log[indices(of: log)[5] + 8] ^= 1
    try directory.write(log, to: "log.log")
    var companion = try directory.bytes(of: "log.idx")
    companion.replaceSubrange(0..<Self.headerSize, with: repeatElement(0xA5, count: Self.headerSize))
    try directory.write(companion, to: "log.idx")
    let storage = try directory.open()
    defer { storage.close() }
    #expect((await corruption { try await storage.log("log").record(at: 5) })?.sequence == 5)
  }

  @Test(arguments: [0, 1, 17, 38]) func aDamagedEntryHidesNoOtherRecord(damaged: Int) async throws {
    let directory = try await filled()
    var companion = try directory.bytes(of: "log.idx")
    companion[Self.headerSize + damaged * Self.entrySize + 9] ^= 4
    try directory.write(companion, to: "log.idx")
    for access in [Storage.Access.readWrite, .readOnly] {
      let storage = try directory.open(access: access)
      defer { storage.close() }
      let log = try storage.log("log")
      for number in 0..<40 where number != damaged {
        #expect(try await Array(log.record(at: number).payload) == Self.stored[number])
      }
      let damage = await corruption { try await log.record(at: damaged) }
      #expect(damage?.sequence == damaged && damage?.reason.code == .companionEntry)
      #expect((await corruption { try await log.verify() })?.sequence == damaged)
      // A stream stops there, and goes on when it is told to.
      var stream = log.stream()
      while stream.position < damaged { _ = try await stream.next() }
      #expect((await corruption { try await stream.next() })?.sequence == damaged)
      #expect(stream.position == damaged)
      stream.position += 1
      while let record = try stream.nextAtOnce() {
        #expect(Array(record.payload) == Self.stored[record.sequence])
      }
      #expect(stream.position == 40)
    }
  }

  @Test(arguments: [0, 7, 38])
  func entriesMadeBetweenOthersHaveTimesBetweenTheirs(damaged: Int) async throws {
    let directory = try await filled()
    var companion = try directory.bytes(of: "log.idx")
    companion[Self.headerSize + damaged * Self.entrySize + 9] ^= 4
    try directory.write(Array(companion.dropLast(1)), to: "log.idx")
    // The time that an entry without a better one gets.
    try FileManager.default.setAttributes(
      [.modificationDate: Date.now + 60], ofItemAtPath: directory.file("log.log"))
    try await expectWhole(directory)
  }

  @Test func aCompanionFromAnOlderCopyIsExtended() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Array(Self.stored[..<25]))
    let old = try directory.bytes(of: "log.idx")
    let storage = try directory.open()
    for payload in Self.stored[25...] { try await storage.append(payload, to: "log") }
    storage.close()
    try directory.write(old, to: "log.idx")
    try await expectWhole(directory)
  }

  @Test func aCompanionOfALongerLogIsNoReasonToBelieveTheShorterOne() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Array(Self.stored[..<25]))
    let old = try directory.bytes(of: "log.log")
    let storage = try directory.open()
    for payload in Self.stored[25...] { try await storage.append(payload, to: "log") }
    storage.close()
    try directory.write(old, to: "log.log")
    let damage = await corruption { try directory.open() }
    #expect(damage?.reason.description.contains("40") == true)
    #expect(try directory.bytes(of: "log.log") == old)
  }
}
