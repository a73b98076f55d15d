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
}
