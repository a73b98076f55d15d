import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// A log without companion that is open for reading: its entries are made whenever they are asked for.
@Suite(.timeLimit(.minutes(3))) struct WalkedEntriesTests {
  let directory = TemporaryDirectory()

  private func randomPayloads(_ count: Int, _ generator: inout SeededGenerator) -> [[UInt8]] {
    (0..<count).map { number in
      let size =
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<30: 0
        case 30..<90: Int.random(in: 1...40, using: &generator)
        case 90..<99: Int.random(in: 100...9_000, using: &generator)
        default: Int.random(in: 60_000...300_000, using: &generator)
        }
      return pattern(size, seed: number)
    }
  }

  /// A closed log of these payloads, without companion.
  private func makeLog(_ payloads: [[UInt8]], _ format: LogFormat) async throws {
    let storage = try directory.open(format: format)
    try await storage.transaction(in: "log") { transaction in
      for payload in payloads { try await transaction.append(payload) }
    }
    storage.close()
    try directory.remove(format == .bilog ? "log.bilog.companion" : "log.idx")
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog], [1, 63, 64, 65, 700])
  func theyAreTheSameWhereverReadingBegins(format: LogFormat, count: Int) async throws {
    var generator = SeededGenerator(seed: UInt64(count) + UInt64(format.rawValue) << 32)
    let stored = randomPayloads(count, &generator)
    try await makeLog(stored, format)
    let storage = try directory.open(access: .readOnly, format: format)
    defer { storage.close() }
    let log = try storage.log("log")
    let reader = log.reader
    #expect(reader.hasOwnEntries)
    let all = try reader.entries(0..<count)
    #expect(all.count == count)
    for _ in 0..<100 {
      let first = Int.random(in: 0..<count, using: &generator)
      let end = min(count, first + Int.random(in: 1...100, using: &generator))
      #expect(try reader.entries(first..<end) == Array(all[first..<end]))
      #expect(try await holds(log.record(at: first).payload, stored[first]))
      #expect(try reader.timestamp(of: first).nanosecondsSince1970 == all[first]?.time)
    }
    #expect(try payloads(log) == stored)
    #expect(try await log.verify().records == count)
  }

  @Test(arguments: [1, 2, 3]) func thoseOfADamagedCompanionThatAreWholeStay(seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let count = 500
    try await directory.fill((0..<count).map { pattern($0 % 30, seed: $0) })
    var companion = try directory.bytes(of: "log.idx")
    for number in 0..<count where number == count - 1 || generator.oneIn(3) {
      companion[4096 + 24 * number + 9] ^= 1
    }
    try directory.write(companion, to: "log.idx")
    let log = try Descriptor(opening: directory.file("log.log"), .read)
    let descriptor = try Descriptor(opening: directory.file("log.idx"), .read)
    var reconciliation = try Reconciliation(log: log, companion: descriptor, format: .v2)
    let outcome = try reconciliation.run()
    var expected: [CompanionEntry?] = []
    try reconciliation.entries(of: outcome) { expected.append($0) }
    let entries = try reconciliation.walkedEntries(of: outcome)
    #expect(expected.count == count && entries.count == count)
    #expect(entries.madeCount == expected.filter { $0?.isMade == true }.count)
    for number in 0..<count {
      var bytes = [UInt8](repeating: 0, count: CompanionEntry.size * 3)
      let read = try bytes.withUnsafeMutableBytes { try entries.read($0, from: number) }
      #expect(read == min(3, count - number))
      let found = bytes.withUnsafeBytes { CompanionEntry(decoding: $0, number: number) }
      #expect(found == expected[number])
    }
  }

  /// Bytes that are not what they were are not taken for records, however well they would do.
  @Test func aLogThatIsOverwrittenUnderItsReaderGivesNoRecordThatNobodyAppended() async throws {
    let stored = (0..<1_000).map { pattern(20, seed: $0) }
    try await makeLog(stored, .v2)
    let storage = try directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try await holds(log.record(at: 900).payload, stored[900]))
    // As long, as many records, the same last one; all others begin elsewhere.
    let others = [pattern(21, seed: 0)] + stored[1..<998] + [pattern(19, seed: 1), stored[999]]
    let bytes = logBytes(others)
    let handle = try FileHandle(forUpdating: URL(filePath: directory.file("log.log")))
    try handle.write(contentsOf: bytes)
    try handle.close()
    for number in [1, 63, 64, 500, 900, 997] {
      // Once it is noticed, the log is opened again.
      do {
        let record = try await log.record(at: number)
        #expect(holds(record.payload, others[number]), "record \(number)")
      } catch ImmutaError.corrupted {}
    }
  }

  /// The entry of a record that was known without a companion stays what it is, whatever a companion says that comes later.
  @Test func aCompanionThatAppearsWhileTheLogGrowsHasNoSayInWhatWasKnownBefore() throws {
    let payloads = (0..<6).map { pattern(10 + $0, seed: $0) }
    let log = try file("log.log", logBytes(payloads))
    let entries = WalkedEntries(
      log, .v2, kept: 0, of: nil, count: 0, end: 16, madeCount: 0,
      companion: WalkedEntries.Known(file: nil, numbers: 0..<0))
    let size = try log.size
    func grow(to count: Int, _ companion: Descriptor?) throws {
      let growth = try #require(
        try entries.growth(log.status(), through: count, companion, after: .min))
      entries.take(growth)
    }
    try grow(to: 2, nil)
    let known = try (0..<2).map { try entry($0, entries) }
    // A writer that came later has entries of all records, with times of its own; that of record 3 is missing.
    let places = try places(size, log)
    let companion = try file(
      "first.idx",
      companionBytes(
        places.map { place in
          place.number == 3
            ? nil : CompanionEntry(index: place.index, time: Int64(1_000 + place.number), recordChecksum: 7)
        }))
    try grow(to: 5, companion)
    // Those that were known stay; those that were found with an entry have it.
    #expect(try (0..<2).map { try entry($0, entries) } == known)
    #expect(try entry(2, entries).time == 1_002 && !entry(2, entries).isMade)
    #expect(try entry(3, entries).isMade && entry(4, entries).time == 1_004)
    // Another one, and the entry that was missing.
    let other = try file(
      "second.idx",
      companionBytes(
        places.map { CompanionEntry(index: $0.index, time: Int64(2_000 + $0.number), recordChecksum: 8) }))
    try grow(to: 6, other)
    #expect(try (0..<2).map { try entry($0, entries) } == known)
    #expect(try [2, 4, 5].map { try entry($0, entries).time } == [1_002, 1_004, 2_005])
    #expect(try entry(3, entries).isMade)
    #expect(try (0..<6).map { try entries.time(of: $0) }.last == 2_005)
  }

  /// However long the range is that somebody goes through.
  @Test(arguments: [LogFormat.v2, .bilog]) func recordsOfAFollowedLogAreReadInPieces(format: LogFormat) async throws {
    let count = 12_000
    let stored = (0..<count).map { pattern($0 == 5_000 ? 3 << 20 : $0 % 7 == 0 ? 4_000 : 30, seed: $0) }
    try await makeLog(stored, format)
    let storage = try directory.open(access: .readOnly, format: format)
    defer { storage.close() }
    let reader = try storage.log("log").reader
    var number = 0
    var largest = 0
    while number < count {
      switch try reader.read(number, count: count, most: count - number, reader: 0) {
      case .single(let record, _):
        // A large one is read when it is asked for, a piece at a time.
        var chunks = record.payload.chunks().makeIterator()
        var payload: [UInt8] = []
        while let chunk = try chunks.nextOrThrow() {
          largest = max(largest, chunk.count)
          chunk.withUnsafeBytes { payload += $0 }
        }
        #expect(payload == stored[number])
        number += 1
      case .chunk(let chunk, _, _):
        #expect(chunk.logCount <= Chunk.size)
        let first = number
        while number < count, let record = try chunk.record(number, reader.check) {
          #expect(holds(record.payload, stored[number]))
          number += 1
        }
        try #require(number > first)
        // No more entries are read than those of a chunk of the log.
        let last = try #require(chunk.entry(at: chunk.entryCount - 1))
        #expect(last.index - chunk.start <= Chunk.size)
      }
    }
    #expect(largest <= 1 << 20)
  }

  private func file(_ name: String, _ bytes: [UInt8]) throws -> Descriptor {
    try directory.write(bytes, to: name)
    return try Descriptor(opening: directory.file(name), .read)
  }

  private func entry(_ number: Int, _ entries: WalkedEntries) throws -> CompanionEntry {
    var bytes = [UInt8](repeating: 0, count: CompanionEntry.size)
    #expect(try bytes.withUnsafeMutableBytes { try entries.read($0, from: number) } == 1)
    return try #require(bytes.withUnsafeBytes { CompanionEntry(decoding: $0, number: number) })
  }

  private func places(_ size: Int, _ log: Descriptor) throws -> [RecordPlace] {
    var scanner = LogScanner(log, .v2, end: size)
    var walk = RecordWalk(.v2)
    var places: [RecordPlace] = []
    while let place = try walk.next(in: &scanner) { places.append(place) }
    return places
  }

  private func companionBytes(_ entries: [CompanionEntry?]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: CompanionEntry.offset(of: entries.count))
    bytes.withUnsafeMutableBytes { bytes in
      for (number, entry) in entries.enumerated() {
        entry?.encode(
          into: UnsafeMutableRawBufferPointer(rebasing: bytes[CompanionEntry.offset(of: number)...]), number: number)
      }
    }
    return bytes
  }

  @Test func marksAreFewAndCloseToEachRecord() {
    var marks = EntryMarks()
    let count = 30_000_000
    var number = 0
    while number < count {
      marks.append(EntryMarks.Mark(number: number, index: 28 * number, time: 0, trace: 0))
      number = marks.next.number
    }
    #expect(marks.marks.count < EntryMarks.most)
    for number in stride(from: 0, to: count, by: 10_007) {
      let position = marks.position(before: number)
      #expect(position.map { number - marks.marks[$0].number < 1_024 } == true)
    }
  }

  /// A log that grows a record at a time has a mark for each, until they are too many.
  @Test func marksOfSingleRecordsGoBeforeOthersDo() {
    var marks = EntryMarks()
    for number in 0..<1_000_000 {
      marks.append(EntryMarks.Mark(number: number, index: 28 * number, time: Int64(number), trace: 0))
    }
    #expect(marks.marks.count < EntryMarks.most)
    #expect(marks.position(before: 999_999).map { marks.marks[$0].number } == 999_999)
    for (one, next) in zip(marks.marks, marks.marks.dropFirst()) where next.number - one.number > 128 {
      Issue.record("\(next.number) follows \(one.number)")
    }
    marks.cut(to: 500_000)
    #expect(marks.marks.last.map { $0.number < 500_000 } == true)
  }

  @Test(arguments: [LogFormat.v2, .bilog]) func recordsThatAnotherProgramAppendsAreFollowed(format: LogFormat)
    async throws
  {
    let name = format == .bilog ? "log.bilog" : "log.log"
    let other = TemporaryDirectory()
    let stored = (0..<5_000).map { pattern($0 % 50, seed: $0) }
    // What the other program has, at several times.
    var states: [[UInt8]] = []
    for count in [10, 11, 300, 5_000] {
      let storage = try other.open(format: format)
      let log = try storage.log("log")
      while log.count < count { try await log.append(stored[log.count]) }
      storage.close()
      states.append(try other.bytes(of: name))
    }
    try directory.write(states[0], to: name)
    let storage = try directory.open(access: .readOnly, format: format)
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream()
    for (state, count) in zip(states, [10, 11, 300, 5_000]) {
      let handle = try FileHandle(forUpdating: URL(filePath: directory.file(name)))
      let header = format.headerSize
      let size = Int(try handle.seekToEnd())
      try handle.write(contentsOf: state[max(size, header)...])
      try handle.seek(toOffset: 0)
      try handle.write(contentsOf: state[..<header])
      try handle.close()
      while stream.position < count {
        let number = stream.position
        let record = try await stream.next(timeout: .seconds(10))
        guard let record, holds(record.payload, stored[number]) else {
          Issue.record("record \(number) is not what was appended")
          return
        }
      }
    }
    #expect(try await log.verify().records == 5_000)
    #expect(try log.details.verifiable == (format == .bilog ? 5_000 : 0))
  }
}
