import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// Nothing is called sound of which nothing is known.
@Suite struct VerifiableTests {
  let directory = TemporaryDirectory()

  private func verify(_ access: Storage.Access) async throws -> VerificationReport {
    let storage = try directory.open(access: access)
    defer { storage.close() }
    let report = try await storage.verify("log")
    #expect(try storage.details(of: "log").verifiable == report.verifiable)
    return report
  }

  @Test func recordsWhoseChecksumsWereMadeLaterAreReadableAndNotVerifiable() async throws {
    try await directory.fill([Array("one".utf8), Array("two".utf8), Array("three".utf8)])
    #expect(try await verify(.readOnly).verifiable == 3)
    try directory.remove("log.idx")
    var bytes = try directory.bytes(of: "log.log")
    bytes[24] ^= 1
    try FileBytes.write(bytes, to: directory.file("log.log"))
    for access in [Storage.Access.readOnly, .readWrite, .readWrite, .readOnly] {
      let report = try await verify(access)
      #expect(report.records == 3 && report.verifiable == 0)
      #expect(report.description.contains("3 records") && report.description.contains("none verifiable"))
    }
    // What is appended from now on has its own.
    try await directory.fill([Array("four".utf8)])
    for access in [Storage.Access.readOnly, .readWrite] {
      let report = try await verify(access)
      #expect(report.records == 4 && report.verifiable == 1)
      #expect(report.description.contains("1 are what was appended, 3 are readable"))
    }
    let repair = try Storage.repair("log", in: directory.path)
    #expect(repair.isHealthy && repair.sound == 4 && repair.verifiable == 1)
    #expect(repair.description.contains("not verifiable: 3"))
  }

  @Test func recordsOfAnotherProgramAreNotVerifiableAndOursStayVerifiable() async throws {
    try await directory.fill([Array("ours".utf8)])
    var bytes = try directory.bytes(of: "log.log")
    appendAsGo(Array("theirs".utf8), to: &bytes)
    try FileBytes.write(bytes, to: directory.file("log.log"))
    #expect(try await verify(.readOnly).verifiable == 1)
    try await directory.fill([Array("ours again".utf8)])
    for access in [Storage.Access.readOnly, .readWrite] {
      let report = try await verify(access)
      #expect(report.records == 3 && report.verifiable == 2)
    }
    // Repair, too, tells them apart, and so does a companion whose header is gone.
    var companion = try directory.bytes(of: "log.idx")
    companion.replaceSubrange(0..<4096, with: [UInt8](repeating: 0, count: 4096))
    try FileBytes.write(companion, to: directory.file("log.idx"))
    #expect(try await verify(.readOnly).verifiable == 2)
    #expect(try Storage.repair("log", in: directory.path, applying: true).verifiable == 2)
    #expect(try await verify(.readOnly).verifiable == 2)
  }

  @Test func entriesThatWereMadeStayMadeAfterACrash() async throws {
    try await directory.fill([Array("one".utf8), Array("two".utf8)])
    try directory.remove("log.idx")
    let storage = try directory.open()
    try await storage.append("three", to: "log")
    let copies = try directory.allFiles()
    storage.close()
    for (name, bytes) in copies { try FileBytes.write(bytes, to: directory.file(name)) }
    let report = try await verify(.readWrite)
    #expect(report.records == 3 && report.verifiable == 1)
  }

  @Test func aPartitionsRecordsCarryTheirOwnChecksums() async throws {
    let storage = try directory.open(format: .bilog)
    try await storage.append("one", to: "log")
    storage.close()
    try directory.remove("log.bilog.companion")
    let again = try directory.open(format: .bilog)
    defer { again.close() }
    #expect(try await again.verify("log").verifiable == 1)
    #expect(try again.details(of: "log").verifiable == 1)
  }

  @Test(arguments: [1, 2, 4095, 4096, 4097, 10_000]) func listsOfEntriesGiveBackWhatWasAdded(_ count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let list = EntryList()
    let empty = RecordHeader(.v2, size: 0, payloadChecksum: 0).checksum
    var expected: [CompanionEntry?] = []
    var index = 16
    while expected.count < count {
      let isRun = generator.oneIn(3)
      for _ in 0..<Int.random(in: 1...20, using: &generator) where expected.count < count {
        let size = isRun ? 0 : 1
        expected.append(
          generator.oneIn(9)
            ? nil
            : CompanionEntry(
              index: index, time: 5, recordChecksum: isRun ? empty : 77, endsCommit: !generator.oneIn(5),
              isMade: isRun || generator.oneIn(2)))
        index += 8 + size
      }
    }
    for entry in expected { list.append(entry) }
    #expect(list.count == count && list.madeCount == expected.filter { $0?.isMade == true }.count)
    for _ in 0..<200 {
      let first = Int.random(in: 0..<count, using: &generator)
      var bytes = [UInt8](repeating: 0, count: CompanionEntry.size * Int.random(in: 1...30, using: &generator))
      let read = bytes.withUnsafeMutableBytes { list.read($0, from: first) }
      #expect(read == min(count - first, bytes.count / CompanionEntry.size))
      for position in 0..<read {
        let start = position * CompanionEntry.size
        let entry = bytes.withUnsafeBytes {
          CompanionEntry(
            decoding: UnsafeRawBufferPointer(rebasing: $0[start..<start + CompanionEntry.size]),
            number: first + position)
        }
        #expect(entry == expected[first + position])
      }
    }
  }
}
