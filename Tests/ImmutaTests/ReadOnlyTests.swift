import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Opened for reading only: follows a writer, changes nothing.
@Suite(.timeLimit(.minutes(3))) struct ReadOnlyTests {
  @Test func whatWritesIsRefused() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2]])
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    await #expect(throws: ImmutaError.readOnly) { try await storage.append("x", to: "log") }
    await #expect(throws: ImmutaError.readOnly) { try await log.append(pattern(2 << 20)) }
    await #expect(throws: ImmutaError.readOnly) { try await log.append(ChunkSource(chunks: [])) }
    await #expect(throws: ImmutaError.readOnly) { try await log.transaction { try await $0.append("x") } }
    await #expect(throws: ImmutaError.readOnly) { try await log.sync() }
    #expect(try payloads(log) == [[1], [2]])
  }

  @Test func aNamespaceOrDirectoryThatIsNotThereIsNotMade() throws {
    let directory = TemporaryDirectory()
    #expect(throws: ImmutaError.namespaceNotFound("log")) { try directory.open(access: .readOnly) }
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    #expect(throws: ImmutaError.io(errno: ENOENT, operation: "open", path: directory.file("no"))) {
      try Storage(directory: directory.file("no"), namespaces: ["log"], configuration: configuration)
    }
    #expect(try directory.allFiles().isEmpty)
  }

  private struct State: Equatable {
    var bytes: [UInt8]
    var modified: Date?
  }

  private func state(of directory: TemporaryDirectory) throws -> [String: State] {
    var states: [String: State] = [:]
    for (name, bytes) in try directory.allFiles() {
      let attributes = try FileManager.default.attributesOfItem(atPath: directory.file(name))
      states[name] = State(bytes: bytes, modified: attributes[.modificationDate] as? Date)
    }
    return states
  }

  enum Files: CaseIterable { case whole, withoutCompanion, staleCompanion, damagedCompanion, uncommittedTail }

  @Test(arguments: Files.allCases) func noFileIsChanged(files: Files) async throws {
    let directory = TemporaryDirectory()
    let stored = (0..<30).map { pattern($0 * 100, seed: $0) }
    try await directory.fill(Array(stored[..<20]))
    let old = try directory.bytes(of: "log.idx")
    do {
      let storage = try directory.open()
      defer { storage.close() }
      for payload in stored[20...] { try await storage.append(payload, to: "log") }
    }
    switch files {
    case .whole: break
    case .withoutCompanion: try directory.remove("log.idx")
    case .staleCompanion: try directory.write(old, to: "log.idx")
    case .damagedCompanion: try directory.write(pattern(5_000), to: "log.idx")
    case .uncommittedTail: try directory.write(directory.bytes(of: "log.log") + pattern(11), to: "log.log")
    }
    let before = try state(of: directory)
    do {
      let storage = try directory.open(access: .readOnly)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(try payloads(log) == stored)
      #expect(try await log.verify().records == 30)
      #expect(try log.details.count == 30)
      var stream = log.stream(from: .latest)
      #expect(try await stream.next(timeout: .milliseconds(5)) == nil)
      #expect(try await log.record(at: 29).size == 2_900)
    }
    #expect(try state(of: directory) == before)
  }

  @Test(arguments: [false, true]) func itFollowsAWriter(hasCompanion: Bool) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([Array("0".utf8)])
    if !hasCompanion { try directory.remove("log.idx") }
    let follower = try directory.open(access: .readOnly)
    defer { follower.close() }
    let followed = try follower.log("log")
    let count = 2_000
    let reading = (0..<4).map { reader in
      Task<Int, any Error> {
        var stream = reader % 2 == 0 ? followed.stream() : followed.stream(from: .skipping(reader * 100))
        while stream.position < count {
          let position = stream.position
          let record = try await stream.next(timeout: .seconds(20))
          guard let record, record.sequence == position, record.payload.starts(with: Array("\(position)".utf8)) else {
            Issue.record("reader \(reader) got a wrong record \(position)")
            return position
          }
        }
        return stream.position
      }
    }
    for round in 0..<2 {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      while log.count < count * (round + 1) / 2 {
        if log.count % 7 == 3 {
          try await log.transaction { transaction in
            let first = log.count
            for number in first..<min(first + 10, count) {
              try await transaction.append(Array("\(number)".utf8) + pattern(number * 5, seed: number))
            }
          }
          let ghost = try await log.beginTransaction()
          try await ghost.append("ghost")
          ghost.rollBack()
        } else {
          try await log.append(Array("\(log.count)".utf8) + pattern(log.count * 5, seed: log.count))
        }
      }
    }
    for task in reading { #expect(try await value(of: task) == count) }
    #expect(followed.count == count)
    #expect(try await followed.verify().records == count)
  }

  @Test func itFollowsAProgramThatKeepsNoCompanion() async throws {
    let directory = TemporaryDirectory()
    try directory.write(try fixture("plain.log"), to: "log.log")
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream(from: .latest)
    #expect(try await stream.next(timeout: .zero) == nil)
    var bytes = try directory.bytes(of: "log.log")
    for number in 40..<45 {
      let before = bytes.count
      appendAsGo(goPayload(number), to: &bytes)
      let file = try FileHandle(forUpdating: URL(filePath: directory.file("log.log")))
      try file.seek(toOffset: UInt64(before))
      try file.write(contentsOf: Data(bytes[before...]))
      try file.seek(toOffset: 0)
      try file.write(contentsOf: Data(bytes[..<16]))
      try file.close()
      #expect(try await stream.next(timeout: .seconds(10)).map { Array($0.payload) } == goPayload(number))
    }
    #expect(log.count == 45)
    #expect(try payloads(log) == (0..<45).map(goPayload))
  }

  @Test func aStreamThatWaitsIsCancelledTimedAndClosedAsAnyOther() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    let storage = try directory.open(access: .readOnly)
    let log = try storage.log("log")
    let cancelled = await startWaiting {
      var stream = log.stream(from: .latest)
      return try await stream.next()?.sequence
    }
    let closed = await startWaiting {
      var stream = log.stream(from: .latest)
      return try await stream.next()?.sequence
    }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await value(of: cancelled) }
    var stream = log.stream(from: .latest)
    #expect(try await stream.next(timeout: .milliseconds(3)) == nil)
    storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: closed) }
    await #expect(throws: ImmutaError.storageClosed) { try await stream.next() }
    await #expect(throws: ImmutaError.storageClosed) { try await log.append("x") }
  }

  /// Records of a range are whole once they are given out, whatever becomes of the file.
  @Test(arguments: [10_000, 3 << 20]) func recordsOfALargeRangeStayWhenTheFileIsCut(size: Int) async throws {
    let directory = TemporaryDirectory()
    let count = (9 << 20) / size
    try await directory.fill((0..<count).map { pattern(size, seed: $0) })
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let records = try storage.log("log").records(in: 0..<count)
    #expect(truncate(directory.file("log.log"), 100) == 0)
    var number = 0
    for record in records {
      #expect(Array(record.payload) == pattern(size, seed: number))
      number += 1
    }
    #expect(number == count)
  }
}
