import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// What another user puts beside a log, in a directory where everybody may make files: it is not believed, nothing is written
/// to it, and it takes nothing away.
@Suite(.timeLimit(.minutes(2))) struct ForeignFilesTests {
  /// A directory in which everybody may make files, with a closed log of these payloads.
  private func shared(_ payloads: [[UInt8]], format: LogFormat? = nil) async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory()
    try #require(chmod(directory.path, 0o1777) == 0)
    let storage = try directory.open(format: format)
    for payload in payloads { try await storage.append(payload, to: "log") }
    try storage.closeReporting()
    return directory
  }

  private func give(_ name: String, in directory: TemporaryDirectory) throws {
    let other = try #require(OtherUser.number)
    try #require(chown(directory.file(name), other, other) == 0)
  }

  /// A folder of another user, in which that one has made files.
  private func makeFolder(
    _ name: String, with files: [String: [UInt8]] = [:], in directory: TemporaryDirectory
  ) throws {
    _ = try directory.subdirectory(name)
    for (file, bytes) in files {
      try directory.write(bytes, to: "\(name)/\(file)")
      try give("\(name)/\(file)", in: directory)
    }
    try give(name, in: directory)
  }

  // MARK: Companions

  private static let names: [LogFormat: (log: String, companion: String)] = [
    .v1: ("log.log", "log.idx"), .bilog: ("log.bilog", "log.bilog.companion"),
  ]

  /// A record that looks as if it had another one in it, and another user's companion that says that this is the record.
  private func lied(_ format: LogFormat) async throws -> (directory: TemporaryDirectory, payload: [UInt8]) {
    let inner = Array("invented".utf8)
    let header: [UInt8] =
      format == .v1
      ? littleEndian(inner.count)
      : littleEndian(12 + inner.count).reversed()
        + littleEndian(Int(inner.withUnsafeBytes { RecordHeader.extend(0, $0) }))[..<4].reversed()
    let payload = Array("what was appended: ".utf8) + header + inner
    let directory = try await shared([payload], format: format)
    let names = try #require(Self.names[format])
    var companion = try directory.bytes(of: names.companion)
    let index = try directory.bytes(of: names.log).count - header.count - inner.count
    let log = try Directory(opening: directory.path).open(names.log, .read)
    var scanner = LogScanner(log, format, end: try log.size)
    let checksum = try #require(try scanner.checksum(at: index, size: inner.count))
    companion.withUnsafeMutableBytes { bytes in
      CompanionEntry(index: index, time: 1, recordChecksum: checksum, endsCommit: true).encode(
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[CompanionHeader.size...]), number: 0)
    }
    try directory.write(companion, to: names.companion)
    return (directory, payload)
  }

  @Test(arguments: [LogFormat.v1, .bilog]) func aCompanionInventsNoRecord(format: LogFormat) async throws {
    guard OtherUser.number != nil else { return }
    let (directory, payload) = try await lied(format)
    let names = try #require(Self.names[format])
    func delivered(_ configuration: Storage.Configuration) throws -> [[UInt8]] {
      let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      defer { storage.close() }
      return try payloads(storage.log("log"))
    }
    var configuration = Storage.Configuration()
    (configuration.access, configuration.format) = (.readOnly, format)
    // Of somebody who is trusted it is believed.
    #expect(try delivered(configuration) == [Array("invented".utf8)])
    try give(names.companion, in: directory)
    #expect(try delivered(configuration) == [payload])
    let before = try directory.allFiles()
    #expect(performing: { try directory.open(format: format) }, throws: OtherUser.owns(names.companion))
    #expect(
      performing: { try Storage.repair("log", in: directory.path, format: format, applying: true) },
      throws: OtherUser.owns(names.companion))
    #expect(try Storage.repair("log", in: directory.path, format: format).sound == 1)
    configuration.access = .readWrite
    #expect(
      performing: {
        try Storage.salvage("log", in: directory.path, into: "new", configuration: configuration)
      }, throws: OtherUser.owns(names.companion))
    #expect(try directory.allFiles() == before)
    (configuration.access, configuration.acceptsFilesOfOthers) = (.readOnly, true)
    #expect(try delivered(configuration) == [Array("invented".utf8)])
  }

  /// Whoever follows goes on with the records that come, by the log's own header.
  @Test func aLogIsFollowedWithoutACompanionThatIsNotBelieved() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[1], [2]])
    try give("log.idx", in: directory)
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    var stream = try reading.log("log").stream(from: .beginning)
    #expect(try await stream.next()?.payload.first == 1)
    #expect(try await stream.next()?.payload.first == 2)
    var configuration = Storage.Configuration()
    configuration.acceptsFilesOfOthers = true
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    try await storage.append([3], to: "log")
    #expect(try await stream.next()?.payload.first == 3)
  }

  @Test func aCompanionDoesNotSayThatThereWasALog() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[1]])
    try directory.write(try directory.bytes(of: "log.idx"), to: "new.idx")
    try give("new.idx", in: directory)
    #expect(
      performing: { try Storage(directory: directory.path, namespaces: ["new"]) }, throws: OtherUser.owns("new.idx"))
  }

  // MARK: Folders

  /// Three segments; closed.
  private func rolled() async throws -> TemporaryDirectory {
    let directory = try await shared([[0]])
    let storage = try directory.open()
    for number in 1..<3 as Range<UInt8> {
      try await storage.log("log").roll()
      try await storage.append([number], to: "log")
    }
    try storage.closeReporting()
    return directory
  }

  @Test func aFolderOfThatNameRemovesNoLog() async throws {
    guard OtherUser.number != nil else { return }
    for directory in [try await shared([[0]]), try await rolled()] {
      let before = try directory.bytes(of: "log.log")
      try makeFolder("log.segments.removed", in: directory)
      let storage = try directory.open()
      #expect(try payloads(storage.log("log")).first == [0])
      try storage.closeReporting()
      let reading = try directory.open(access: .readOnly)
      #expect(try payloads(reading.log("log")).first == [0])
      reading.close()
      #expect(try directory.bytes(of: "log.log") == before)
    }
  }

  @Test func segmentsAreNotTakenOver() async throws {
    guard OtherUser.number != nil else { return }
    let (directory, other) = (try await shared([[0]]), try await rolled())
    let second = "00000000000000000001"
    try makeFolder(
      "log.segments",
      with: [
        "\(second).log": try other.bytes(of: "log.segments/\(second).log"),
        "\(second).idx": try other.bytes(of: "log.segments/\(second).idx"),
      ], in: directory)
    for access in [Storage.Access.readOnly, .readWrite] {
      #expect(performing: { try directory.open(access: access) }, throws: OtherUser.owns("log.segments"))
    }
    #expect(performing: { try Storage.repair("log", in: directory.path) }, throws: OtherUser.owns("log.segments"))
    #expect(
      performing: { try Storage.salvage("log", in: directory.path, into: "new") },
      throws: OtherUser.owns("log.segments"))
  }

  /// The meta file of a log that has rolled is beside the folder, not in it.
  @Test func aMetaFileOfALogThatHasRolledSaysNothing() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await rolled()
    let identity = try #require(LogIdentity("00112233445566778899aabbccddeeff"))
    let meta = LogMeta(identity: identity, codecName: "", removedCount: 2, namespace: nil).encoded(generation: 9)
    try directory.write(meta + [UInt8](repeating: 0, count: 2048), to: "log.meta")
    try give("log.meta", in: directory)
    let reading = try directory.open(access: .readOnly)
    #expect(try payloads(reading.log("log")) == [[0], [1], [2]])
    #expect(try reading.log("log").identity != identity)
    reading.close()
    #expect(performing: { try directory.open() }, throws: OtherUser.owns("log.meta"))
    #expect(directory.exists("log.log"))
  }

  @Test func aConsumersPositionIsNotTakenOver() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[0], [1]])
    try makeFolder("log.consumers", in: directory)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(performing: { try log.consumer("billing") }, throws: OtherUser.owns("log.consumers"))
    #expect(performing: { try log.workQueue("jobs") }, throws: OtherUser.owns("log.consumers"))
  }

  @Test func anIntentIsNotWrittenIntoAnothersFolder() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[0]])
    try makeFolder(".intents", with: ["log": Array("no intent".utf8)], in: directory)
    let storage = try Storage(directory: directory.path, namespaces: ["log", "more"])
    defer { storage.close() }
    await #expect(
      performing: {
        try await storage.transaction(in: ["log", "more"]) { step in
          try await step.append("x", to: "log")
          try await step.append("x", to: "more")
        }
      }, throws: OtherUser.owns(".intents"))
    #expect(try storage.log("log").count == 1 && storage.log("more").count == 0)
    try await storage.append("goes on", to: "log")
  }

  @Test func keysAreNotReadFromAnothersFolder() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await rolled()
    do {
      let storage = try directory.open()
      defer { storage.close() }
      let keys = try storage.log("log").keyed("first") { $0.first.map { "\($0)" } }
      #expect(try await keys.count(of: "1") == 1)
      keys.finishFiles()
    }
    // Of the same segments, and of other keys.
    try give("log.keys", in: directory)
    let storage = try directory.open()
    defer { storage.close() }
    let keys = try storage.log("log").keyed("first") { $0.first.map { "\($0 + 1)" } }
    #expect(try await keys.count(of: "2") == 1)
    #expect(try await keys.count(of: "0") == 0)
  }

  @Test func aSnapshotIsNotWrittenIntoAnothersFolder() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[0]])
    try makeFolder("log.projections", in: directory)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let file = try log.snapshot(named: "sum")
    await #expect(
      performing: {
        try await file.save(
          [1], stateVersion: 1, at: #require(log.position(of: 1)), after: nil)
      }, throws: OtherUser.owns("log.projections"))
  }

  /// A salvage removes what an unfinished one left, and nothing else.
  @Test func whatASalvageLeftIsOnlyClearedAwayWhereItIsItsOwn() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[0]])
    let whole = try directory.bytes(of: "log.log")
    try makeFolder("new.log.salvage", with: ["new.log": whole, "complete": []], in: directory)
    try directory.write(Array("precious".utf8), to: "new.idx")
    #expect(
      performing: { try Storage.salvage("log", in: directory.path, into: "new") },
      throws: OtherUser.owns("new.log.salvage"))
    #expect(try directory.bytes(of: "new.idx") == Array("precious".utf8))
  }

  /// Whoever only looks does not wait for another user's lock, and writes nothing into it.
  @Test func anothersLockDoesNotKeepFromLooking() async throws {
    guard OtherUser.number != nil else { return }
    let directory = try await shared([[0]])
    try directory.write(Array("text".utf8), to: "log.lock")
    try give("log.lock", in: directory)
    let lock = Foundation.open(directory.file("log.lock"), O_RDWR)
    defer { close(lock) }
    #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
    #expect(try Storage.repair("log", in: directory.path).isHealthy)
    #expect(try directory.bytes(of: "log.lock") == Array("text".utf8))
  }
}
