import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Another log's companion that fits: as many records, of the same sizes. Only checksums tell.
@Suite(.timeLimit(.minutes(1))) struct AnotherLogsCompanionTests {
  private let directory = TemporaryDirectory()
  private static let count = 10

  private func words(_ name: String, _ count: Int = count) -> [[UInt8]] {
    (0..<count).map { Array("\(name)\(String($0 + 1000))".utf8) }
  }

  /// Two logs of one shape, with the second one's companion beside the first.
  private func swapped(
    _ own: [[UInt8]], _ other: [[UInt8]], _ change: (inout CompanionHeader) -> Void = { _ in }
  ) async throws {
    let elsewhere = TemporaryDirectory()
    try await directory.fill(own)
    try await elsewhere.fill(other)
    try directory.write(try changed(try elsewhere.bytes(of: "log.idx"), change), to: "log.idx")
  }

  /// A companion with another header.
  private func changed(_ companion: [UInt8], _ change: (inout CompanionHeader) -> Void) throws -> [UInt8] {
    var header = try #require(
      companion.withUnsafeBytes { CompanionHeader.current(in: UnsafeRawBufferPointer(rebasing: $0[..<4096])) })
    change(&header)
    header.generation = 0
    return header.encoded() + [UInt8](repeating: 0, count: CompanionHeader.slotSize)
      + companion[CompanionHeader.size...]
  }

  /// Opening refuses, whoever opens, and changes nothing; repair makes a companion that belongs to the log.
  private func expectRefusal(of own: [[UInt8]], sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let before = try directory.allFiles()
    for access in [Storage.Access.readWrite, .readOnly] {
      let damage = await corruption(sourceLocation: sourceLocation) { try directory.open(access: access).close() }
      #expect(damage?.path.hasSuffix("log.idx") == true, sourceLocation: sourceLocation)
      #expect(damage?.reason.code == .companionOfAnotherLog, sourceLocation: sourceLocation)
    }
    #expect(try directory.allFiles() == before, sourceLocation: sourceLocation)
    let looked = try Storage.repair("log", in: directory.path)
    #expect(looked.sound == own.count && looked.lost.isEmpty, sourceLocation: sourceLocation)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == own.count && report.lost.isEmpty && report.verifiable == 0, sourceLocation: sourceLocation)
    #expect(report.actions.contains(.setCompanionAside), sourceLocation: sourceLocation)
    #expect(report.saved.contains { $0.contains("log.idx.saved-") }, sourceLocation: sourceLocation)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try payloads(storage.log("log")) == own, sourceLocation: sourceLocation)
    #expect(try await storage.verify("log").verifiable == 0, sourceLocation: sourceLocation)
  }

  @Test(arguments: [2, 3, 10, 500]) func aCompanionOfTheSameShapeIsNotTakenForTheLogsOwn(count: Int) async throws {
    let own = words("a", count)
    try await swapped(own, words("b", count))
    try await expectRefusal(of: own)
  }

  @Test func twoLogsThatBeginAlikeAreTwoLogs() async throws {
    let own = words("a")
    try await swapped(own, [own[0]] + words("b").dropFirst())
    try await expectRefusal(of: own)
  }

  /// Not closed, in this run of the machine or in another: what is cut off as torn would be all of it.
  @Test(arguments: [0, 1, 10], [true, false]) func aCompanionThatWasNotClosedIsNotEither(
    stable: Int, isSameBoot: Bool
  ) async throws {
    let own = words("a")
    let boot = BootIdentity.current
    try await swapped(own, words("b")) { header in
      (header.mark, header.stableCount) = (.open, stable)
      header.bootIdentity = isSameBoot ? boot : boot &+ 1
    }
    try await expectRefusal(of: own)
  }

  @Test func salvageCopiesEveryRecord() async throws {
    let own = words("a")
    try await swapped(own, words("b"))
    let report = try Storage.salvage("log", in: directory.path, into: "new")
    #expect(report.sound == own.count && report.lost.isEmpty)
    let storage = try Storage(directory: directory.path, namespaces: ["new"])
    defer { storage.close() }
    #expect(try payloads(storage.log("new")) == own)
  }

  @Test func aFollowerIsNotFooledByOneThatComesLater() async throws {
    let elsewhere = TemporaryDirectory()
    try await directory.fill(words("a"))
    try await elsewhere.fill(words("b"))
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try payloads(log) == words("a"))
    try directory.write(try elsewhere.bytes(of: "log.idx"), to: "log.idx")
    // For a second it may be that files are being put back.
    let end = ContinuousClock.now + .seconds(30)
    var failure: Corruption?
    while failure == nil, .now < end {
      do {
        _ = try log.records(in: 0..<10).map { Array($0.payload) }
      } catch ImmutaError.corrupted(let damage) where damage.path.hasSuffix("log.idx") {
        failure = damage
      } catch {}
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(failure?.reason.code == .companionOfAnotherLog)
  }

  /// Records at both ends are damaged, and some between: the companion is right, and stays.
  @Test(arguments: [[0], [9], [0, 9], [0, 1], [8, 9], [0, 5, 9], [0, 1, 2, 9]]) func damagedRecordsAreDamage(
    _ numbers: [Int]
  ) async throws {
    try await directory.fill(words("a"))
    let companion = try directory.bytes(of: "log.idx")
    var log = try directory.bytes(of: "log.log")
    for number in numbers { log[16 + number * 13 + 9] ^= 1 }
    try directory.write(log, to: "log.log")
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.sound == 10 - numbers.count && report.lost.reduce(0) { $0 + $1.sequences.count } == numbers.count)
    #expect(!report.actions.contains(.setCompanionAside))
    for access in [Storage.Access.readWrite, .readOnly] {
      let storage = try directory.open(access: access)
      defer { storage.close() }
      for number in 0..<10 {
        if numbers.contains(number) {
          let damage = await corruption { try await storage.log("log").record(at: number) }
          #expect(damage?.sequence == number)
        } else {
          #expect(try await Array(storage.log("log").record(at: number).payload) == words("a")[number])
        }
      }
    }
    #expect(try directory.bytes(of: "log.idx").dropFirst(4096) == companion.dropFirst(4096))
  }

  /// Nobody can tell whose the companion of a single record is: it is called damaged, as before.
  @Test func ofOneRecordNobodyCanTell() async throws {
    try await swapped(words("a", 1), words("b", 1))
    let storage = try directory.open()
    defer { storage.close() }
    #expect(await corruption { try await storage.log("log").record(at: 0) }?.sequence == 0)
  }
}
