import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Files that claim far more bytes than they have: holes are not read where nobody asks what is in them.
@Suite(.timeLimit(.minutes(1))) struct SparseLogTests {
  private let directory = TemporaryDirectory()
  private static let hole = 1 << 38

  private func makeHole(from offset: Int) throws {
    #expect(truncate(directory.file("log.log"), off_t(offset + Self.hole)) == 0)
  }

  @Test func aHoleBehindTheLastRecordIsCutOff() async throws {
    try await directory.fill([[1], [2], [3]])
    var bytes = try directory.bytes(of: "log.log")
    bytes[0] = 77
    try directory.write(bytes, to: "log.log")
    try directory.remove("log.idx")
    try makeHole(from: bytes.count)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.isApplied && report.sound == 3)
    let saved = try #require(report.saved.first { $0.contains(".tail.") })
    #expect(try FileManager.default.attributesOfItem(atPath: saved)[.size] as? Int == Self.hole)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try payloads(storage.log("log")) == [[1], [2], [3]])
  }

  @Test(arguments: [Storage.Access.readOnly, .readWrite]) func aRecordThatIsAHoleIsNotReadToOpenItsLog(
    access: Storage.Access
  ) async throws {
    try await directory.fill([[1], [2]])
    try directory.remove("log.idx")
    var bytes = try directory.bytes(of: "log.log")
    let index = bytes.count
    bytes += littleEndian(Self.hole)
    store(3, at: 0, in: &bytes)
    store(index, at: 8, in: &bytes)
    try directory.write(bytes, to: "log.log")
    try makeHole(from: bytes.count)
    let storage = try directory.open(access: access)
    defer { storage.close() }
    #expect(try storage.log("log").count == 3)
    #expect(try await storage.log("log").record(at: 1).payload.elementsEqual([2]))
  }

  /// What is computed for a hole is what reading it gives.
  @Test(arguments: [1 << 20, (3 << 20) + 1, 5_000_001]) func theChecksumOfAHoleIsThatOfItsZeros(
    size: Int
  ) async throws {
    var bytes = littleEndian(1) + littleEndian(16) + littleEndian(size + 4) + [9, 9]
    try directory.write(bytes, to: "log.log")
    #expect(truncate(directory.file("log.log"), off_t(bytes.count + size + 2)) == 0)
    bytes = try directory.bytes(of: "log.log")
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try await storage.verify("log").records == 1)
    #expect(try await storage.log("log").record(at: 0).payload.elementsEqual(bytes[24...]))
  }

  @Test func recordsWithoutBytesThatAHoleClaimsAreNobodys() async throws {
    let count = Self.hole / 8
    try directory.write(littleEndian(count) + littleEndian(16 + Self.hole - 8), to: "log.log")
    try makeHole(from: 16)
    for access in [Storage.Access.readOnly, .readWrite] {
      let damage = await corruption { try directory.open(access: access).close() }
      #expect(damage?.reason.code == .hole)
    }
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.promised == count && report.sound <= 4096)
    #expect(report.lost.reduce(report.sound) { $0 + $1.sequences.count } == count)
  }

  /// A few of them, as a copying program leaves them.
  @Test func recordsWithoutBytesMayLieInAHole() async throws {
    let count = 100_000
    try directory.write(littleEndian(count) + littleEndian(16 + count * 8 - 8), to: "log.log")
    #expect(truncate(directory.file("log.log"), off_t(16 + count * 8)) == 0)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try await storage.verify("log").records == count)
  }
}
