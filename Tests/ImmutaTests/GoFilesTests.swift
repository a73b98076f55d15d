import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The Go program's files, in both directions.
@Suite struct GoFilesTests {
  struct Fixture: Sendable, CustomTestStringConvertible {
    let name: String
    let payloads: [[UInt8]]?
    let count: Int
    var testDescription: String { name }
  }

  static let fixtures = [
    Fixture(name: "plain.log", payloads: (0..<40).map(goPayload), count: 40),
    Fixture(name: "batched.log", payloads: (Array(0..<30) + Array(40..<50)).map(goPayload), count: 40),
    Fixture(name: "crashed.log", payloads: (0..<8).map(goPayload), count: 8),
    // Compressed: what the payloads are is the codec's business.
    Fixture(name: "deflated.log", payloads: nil, count: 20),
  ]

  @Test(arguments: fixtures, [Storage.Access.readWrite, .readOnly])
  func whatGoWroteIsReadAndVerified(fixture file: Fixture, access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    try directory.write(try fixture(file.name), to: "log.log")
    let storage = try directory.open(access: access)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.count == file.count)
    #expect(try await log.verify().records == file.count)
    if let expected = file.payloads { #expect(try payloads(log) == expected) }
    var stream = log.stream()
    while stream.position < file.count { _ = try await stream.next() }
    #expect(try await stream.next(timeout: .zero) == nil)
    #expect(try log.details.format == .v2)
  }

  @Test(arguments: fixtures) func whatGoWroteIsExtendedAsGoWould(fixture file: Fixture) async throws {
    let directory = TemporaryDirectory()
    var expected = try fixture(file.name)
    try directory.write(expected, to: "log.log")
    do {
      let storage = try directory.open()
      defer { storage.close() }
      #expect(try await storage.append("appended", to: "log").sequence == file.count)
      try await storage.append([] as [UInt8], to: "log")
    }
    // Bytes that were never committed are gone, nothing else.
    let end = indices(of: expected).last.map { $0 + 8 + integer(expected, at: $0) } ?? 16
    expected.removeLast(expected.count - end)
    appendAsGo(Array("appended".utf8), to: &expected)
    appendAsGo([], to: &expected)
    #expect(try directory.bytes(of: "log.log") == expected)
  }

  @Test func oneAppendEachWritesWhatGoWrites() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<40).map(goPayload))
    #expect(try directory.bytes(of: "log.log") == fixture("plain.log"))
  }

  @Test func batchesOfWhichOneIsRolledBackWriteWhatGoWrites() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try directory.open()
      defer { storage.close() }
      for batch in 0..<5 {
        let transaction = try await storage.log("log").beginTransaction()
        for number in batch * 10..<batch * 10 + 10 { try await transaction.append(goPayload(number)) }
        if batch == 3 { transaction.rollBack() } else { try await transaction.commit() }
      }
    }
    #expect(try directory.bytes(of: "log.log") == fixture("batched.log"))
  }

  @Test func whatGoAppendsBetweenTwoOpeningsIsThere() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2, 2]])
    let before = try directory.open()
    let times = try before.log("log").records(in: 0..<2).map(\.timestamp)
    before.close()
    let oldCompanion = try directory.bytes(of: "log.idx")

    var bytes = try directory.bytes(of: "log.log")
    appendAsGo([3, 3, 3], to: &bytes)
    appendAsGo([], to: &bytes)
    try directory.write(bytes, to: "log.log")

    for round in 0..<2 {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(try payloads(log) == [[1], [2, 2], [3, 3, 3], []])
      let records = Array(try log.records(in: 0..<4))
      #expect(records[..<2].map(\.timestamp) == times)
      #expect(records[2].timestamp >= times[1] && records[3].timestamp >= records[2].timestamp)
      #expect(try await log.verify().records == 4)
      if round == 1 { #expect(try await log.append([5]).sequence == 4) }
    }
    #expect(try directory.bytes(of: "log.idx").count == oldCompanion.count + 3 * 24)
    appendAsGo([5], to: &bytes)
    #expect(try directory.bytes(of: "log.log") == bytes)
  }
}
