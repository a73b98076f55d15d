import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Logs of the layout that Immuta had before its header grew, and how they are told from the others.
@Suite struct FormatOneTests {
  private func goFile() throws -> [UInt8] { try fixture("single.log", of: "immuta-v1") }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func whatGoWroteIsReadAndVerified(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(), to: "log.log")
    let storage = try directory.open(access: access)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try payloads(log) == (0..<40).map(goPayload))
    #expect(try await log.verify().records == 40)
    #expect(try await log.record(at: 0).index == 8)
    #expect(try log.details.format == .v1)
  }

  @Test func whatGoWroteIsExtendedInPlace() async throws {
    let directory = TemporaryDirectory()
    var expected = try goFile()
    try directory.write(expected, to: "log.log")
    for text in ["appended", ""] {
      let storage = try directory.open()
      defer { storage.close() }
      #expect(try await storage.append(text, to: "log").index == expected.count)
      expected += littleEndian(text.utf8.count) + Array(text.utf8)
      store(integer(expected, at: 0) + 1, at: 0, in: &expected)
    }
    #expect(try directory.bytes(of: "log.log") == expected)
  }

  @Test func aNewLogOfThatFormatIsWhatGoWrites() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try directory.open(format: .v1)
      defer { storage.close() }
      for number in 0..<40 { try await storage.append(goPayload(number), to: "log") }
    }
    #expect(try directory.bytes(of: "log.log") == goFile())
    // Nobody need say so again.
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try storage.details(of: "log").format == .v1)
  }

  @Test func whatGoAppendsBetweenTwoOpeningsIsThere() async throws {
    let directory = TemporaryDirectory()
    var bytes = littleEndian(0)
    try directory.write(bytes, to: "log.log")
    do {
      let storage = try directory.open(format: .v1)
      defer { storage.close() }
      try await storage.append("one", to: "log")
    }
    bytes = try directory.bytes(of: "log.log") + littleEndian(3) + Array("two".utf8)
    store(2, at: 0, in: &bytes)
    try directory.write(bytes, to: "log.log")
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try texts(storage.log("log")) == ["one", "two"])
  }

  @Test func withoutACompanionTheBytesTellTheFormat() throws {
    for (name, program, format) in [
      ("single.log", "immuta-v1", LogFormat.v1), ("plain.log", "immuta-v2", .v2), ("crashed.log", "immuta-v2", .v2),
    ] {
      let directory = TemporaryDirectory()
      try directory.write(try fixture(name, of: program), to: "log.log")
      let storage = try directory.open(access: .readOnly)
      defer { storage.close() }
      #expect(try storage.details(of: "log").format == format, "\(name)")
    }
  }

  @Test func anEmptyFileIsTheNewFormatUnlessSaid() throws {
    for bytes in [[], littleEndian(0) + littleEndian(0)] {
      for (stated, found) in [(nil, LogFormat.v2), (LogFormat.v1, .v1)] {
        let directory = TemporaryDirectory()
        try directory.write(bytes, to: "log.log")
        let storage = try directory.open(format: stated)
        defer { storage.close() }
        #expect(try storage.details(of: "log").format == found)
        #expect(try storage.log("log").count == 0)
      }
    }
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func aLogWithoutRecordsIsRecognised(access: Storage.Access) throws {
    let directory = TemporaryDirectory()
    try directory.write(littleEndian(0), to: "log.log")
    let storage = try directory.open(access: access)
    defer { storage.close() }
    #expect(try storage.details(of: "log").format == .v1 && storage.log("log").count == 0)
  }

  enum Harm: Hashable, Sendable {
    case cut(Int)
    case flip(byte: Int, UInt8)

    /// Cut short, or with a flipped bit in its header or a size field.
    static let all: [Harm] = [
      .cut(61), .cut(100), .cut(300), .cut(400), .cut(700), .cut(1700), .flip(byte: 7, 0x80), .flip(byte: 9, 0x40),
      .flip(byte: 15, 1), .flip(byte: 24, 8), .flip(byte: 29, 1),
    ]
  }

  /// Nothing but the size fields tells such a log from a damaged one of v2, of which nothing would be left.
  @Test(arguments: Harm.all) func whatIsLeftOfALogIsNotTakenForTheNewFormat(harm: Harm) async throws {
    let directory = TemporaryDirectory()
    var bytes = try goFile()
    switch harm {
    case .cut(let size): bytes.removeLast(bytes.count - size)
    case .flip(let byte, let bit): bytes[byte] ^= bit
    }
    try directory.write(bytes, to: "log.log")
    for access in [Storage.Access.readWrite, .readOnly] {
      #expect(await corruption { try directory.open(access: access) }?.possibleFormat == .v1)
    }
    #expect(await corruption { try Storage.repair("log", in: directory.path, applying: true) }?.possibleFormat == .v1)
    #expect(try directory.allFiles() == ["log.log": bytes])
    let report = try Storage.repair("log", in: directory.path, format: .v1, applying: true)
    #expect(report.promised == 40)
    if report.sound < 40 {
      #expect(report.lost.first?.sequences.lowerBound == report.sound && report.lost.last?.sequences.upperBound == 40)
    }
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try payloads(storage.log("log")) == (0..<report.sound).map(goPayload))
  }

  @Test func aCutLogOfTheNewFormatIsNotTakenForTheOld() async throws {
    for size in stride(from: 17, to: 400, by: 13) {
      let directory = TemporaryDirectory()
      try directory.write(Array(try fixture("plain.log", of: "immuta-v2")[..<size]), to: "log.log")
      #expect(await corruption { try directory.open() }?.possibleFormat == nil, "\(size)")
    }
  }

  /// One record of 16 bytes at 8, or one at 16 that has the file's last bytes, or not all of them.
  @Test(arguments: [8, 3], [Storage.Access.readWrite, .readOnly])
  func aFileThatFitsBothIsRefusedUnlessSaidOrExplainedToItsLastByte(size: Int, access: Storage.Access) throws {
    let bytes = [1, 16, size].flatMap(littleEndian) + Array("12345678".utf8)
    for stated in [nil, LogFormat.v1, .v2] {
      let directory = TemporaryDirectory()
      try directory.write(bytes, to: "log.log")
      if stated == nil, size != 8 {
        #expect {
          try directory.open(access: access)
        } throws: { error in
          if case ImmutaError.invalidConfiguration(let text) = error { text.contains("v1") } else { false }
        }
        #expect(try directory.bytes(of: "log.log") == bytes)
        continue
      }
      let storage = try directory.open(access: access, format: stated)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(try storage.details(of: "log").format == stated ?? .v2)
      #expect(try log.records(in: 0..<log.count).map(\.size) == [stated == .v1 ? 16 : size])
    }
  }

  @Test(arguments: [1, 3]) func bytesBehindTheLastRecordAreRefusedWithAHintUnlessSaid(count: Int) throws {
    let records = (0..<count).flatMap { _ in littleEndian(20) + Array("twenty bytes of text".utf8) }
    let committed = littleEndian(count) + records
    let bytes = committed + littleEndian(7) + Array("unsaved".utf8)
    let directory = TemporaryDirectory()
    try directory.write(bytes, to: "log.log")
    for access in [Storage.Access.readWrite, .readOnly] {
      #expect {
        try directory.open(access: access)
      } throws: { error in
        if case ImmutaError.corrupted(let damage) = error { damage.possibleFormat == .v1 } else { false }
      }
    }
    // Repair, too, cuts nothing off before it is told.
    #expect(try Storage.repair("log", in: directory.path).possibleFormat == .v1)
    #expect(throws: ImmutaError.self) { try Storage.repair("log", in: directory.path, applying: true) }
    #expect(try directory.bytes(of: "log.log") == bytes)
    #expect(try directory.allFiles().count == 1)
    let storage = try directory.open(format: .v1)
    #expect(try texts(storage.log("log")) == Array(repeating: "twenty bytes of text", count: count))
    storage.close()
    #expect(try directory.bytes(of: "log.log") == committed)
  }

  @Test func aLogThatIsCertainlyOfAnotherFormatIsRefused() throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(), to: "log.log")
    for _ in 0..<2 {
      #expect {
        try directory.open(format: .v2)
      } throws: { error in
        if case ImmutaError.invalidConfiguration = error { true } else { false }
      }
      // The bytes told the first time, the companion tells the second.
      try directory.open().close()
    }
    #expect(try directory.bytes(of: "log.log") == goFile())
  }

  @Test func aDamagedCompanionHeaderLeavesTheFormatToTheFirstEntry() async throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(), to: "log.log")
    try directory.open().close()
    var companion = try directory.bytes(of: "log.idx")
    for offset in [40, 2048 + 40] { companion[offset] ^= 1 }
    try directory.write(companion, to: "log.idx")
    // Ambiguous by itself: COUNT is gone.
    var bytes = try directory.bytes(of: "log.log")
    store(0, at: 0, in: &bytes)
    try directory.write(bytes, to: "log.log")
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    #expect(try storage.details(of: "log").format == .v1)
  }

  @Test func aTransactionIsTakenBackAndCommitted() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(format: .v1)
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    try await transaction.append("ghost")
    transaction.rollBack()
    try await log.transaction { transaction in
      try await transaction.append("one")
      try await transaction.append(ChunkSource(chunks: [pattern(20_000), pattern(3)]))
    }
    #expect(try payloads(log) == [Array("one".utf8), pattern(20_000) + pattern(3)])
    storage.close()
    let bytes = try directory.bytes(of: "log.log")
    #expect(integer(bytes, at: 0) == 2 && bytes.count == 8 + 8 + 3 + 8 + 20_003)
  }

  @Test func repairMendsItsHeader() async throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(), to: "log.log")
    try directory.open().close()
    var bytes = try goFile()
    store(39, at: 0, in: &bytes)
    try directory.write(bytes, to: "log.log")
    await #expect(corruption { try directory.open() } != nil)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.isApplied && report.lost.isEmpty)
    #expect(try directory.bytes(of: "log.log") == goFile())
  }
}
