import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// One record at a time, of every kind and size.
@Suite(.timeLimit(.minutes(3))) struct AppendTests {
  enum Source: CaseIterable { case array, slice, data, reversed, chunks, thread }

  static let smallSizes = [0, 1, 7, 8, 9] + Array(4088...4104) + [16_383, 16_384, 16_385, 65_535, 65_536, 65_537]
  static let largeSizes = [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, 8 << 20, 9 << 20]

  private func append(_ bytes: [UInt8], to log: Log, from source: Source) async throws -> Receipt {
    switch source {
    case .array: return try await log.append(bytes)
    case .slice: return try await log.append(([1, 2, 3] + bytes + [4])[3..<bytes.count + 3])
    case .data: return try await log.append(Data(bytes))
    case .reversed: return try await log.append(Array(bytes.reversed()).lazy.reversed())
    case .chunks:
      let (stream, continuation) = AsyncStream<ArraySlice<UInt8>>.makeStream()
      var rest = bytes[...]
      // Pieces on both sides of the line between copying and writing, and empty ones.
      for size in [1, 0, 16_384, 3, 40_000] + Array(repeating: 300_000, count: bytes.count / 300_000 + 1) {
        continuation.yield(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      continuation.finish()
      return try await log.append(stream)
    case .thread: return try await onThread { try log.append(bytes) }
    }
  }

  @Test(arguments: smallSizes, Source.allCases)
  func aSmallRecordComesBackWhole(size: Int, source: Source) async throws {
    try await checkRoundTrip(size, source)
  }

  @Test(arguments: largeSizes, [Source.array, .chunks, .thread])
  func aLargeRecordComesBackWhole(size: Int, source: Source) async throws {
    try await checkRoundTrip(size, source)
  }

  @Test func aLargeCollectionThatIsNotContiguousComesBackWhole() async throws {
    try await checkRoundTrip((1 << 20) + 1, .reversed)
  }

  private func checkRoundTrip(_ size: Int, _ source: Source) async throws {
    let directory = TemporaryDirectory()
    let expected = [pattern(3, seed: 1), pattern(size, seed: 2), pattern(size, seed: 3), pattern(5, seed: 4)]
    func check(_ log: Log) async throws {
      var stream = log.stream()
      for (number, bytes) in expected.enumerated() {
        let streamed = try #require(try stream.nextAtOnce())
        let read = try await log.record(at: number)
        #expect(streamed.sequence == number && streamed.size == bytes.count)
        #expect(holds(streamed.payload, bytes) && holds(read.payload, bytes))
      }
      #expect(try stream.nextAtOnce() == nil)
    }
    do {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      var index = 16
      for (number, bytes) in expected.enumerated() {
        let receipt = try await append(bytes, to: log, from: source)
        #expect(receipt == Receipt(sequence: number, index: index, size: bytes.count))
        index += 8 + bytes.count
      }
      try await check(log)
    }
    #expect(try directory.bytes(of: "log.log") == logBytes(expected))
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await check(log)
    #expect(try await log.verify().bytes == logBytes(expected).count)
  }

  @Test func textIsStoredAsUTF8() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let texts = ["", "plain", "Größe ∑ 🜁", "a\0b", String(repeating: "é", count: 20_000)]
    for text in texts { #expect(try await log.append(text).size == text.utf8.count) }
    try await log.append("abcdef".dropFirst(2))
    try await onThread { _ = try log.append("thread") }
    #expect(try ImmutaTests.texts(log) == texts + ["cdef", "thread"])
  }

  @Test(arguments: [[], [[]], [[], []], [[], [1], []]] as [[[UInt8]]])
  func chunksMayBeEmptyOrNone(chunks: [[UInt8]]) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let receipt = try await log.append(ChunkSource(chunks: chunks))
    #expect(receipt == Receipt(sequence: 0, index: 16, size: chunks.joined().count))
    #expect(try await Array(log.record(at: 0).payload) == Array(chunks.joined()))
    #expect(try await log.verify().records == 1)
  }

  @Test func aRecordsPayloadCanBeAppendedToItsOwnLog() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let sizes = [10, 5_000, 20_000, 1 << 20, 3 << 20]
    for (number, size) in sizes.enumerated() { try await log.append(pattern(size, seed: number)) }
    for number in sizes.indices {
      let record = try await log.record(at: number)
      try await log.append(record.payload)
      try await log.append(record.payload.chunks(ofSize: 70_000))
    }
    for (number, size) in sizes.enumerated() {
      for copy in [sizes.count + 2 * number, sizes.count + 2 * number + 1] {
        #expect(holds(try await log.record(at: copy).payload, pattern(size, seed: number)))
      }
    }
  }

  @Test(arguments: [0, 10, 100_000, 3 << 20, 20 << 20], [Durability.buffered, .synced])
  func aSourceThatFailsHalfWayLeavesNothing(size: Int, durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let kept = [pattern(10), pattern(3_000, seed: 1)]
    try await directory.fill(kept)
    let before = try directory.bytes(of: "log.log")
    let chunk = pattern(min(size, 1 << 20))
    let chunks = chunk.isEmpty ? [] : Array(repeating: chunk, count: size / chunk.count)
    do {
      let storage = try directory.open(durability)
      defer { storage.close() }
      let log = try storage.log("log")
      await #expect(throws: SourceFailed()) {
        try await log.append(ChunkSource(chunks: chunks, failure: SourceFailed()))
      }
      #expect(try payloads(log) == kept)
      var stream = log.stream(from: .skipping(2))
      #expect(try await stream.next(timeout: .zero) == nil)
    }
    #expect(try directory.bytes(of: "log.log") == before)
    let storage = try directory.open(durability)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try payloads(log) == kept)
    await #expect(throws: SourceFailed()) {
      try await log.append(ChunkSource(chunks: chunks, failure: SourceFailed()))
    }
    #expect(try await log.append("next") == Receipt(sequence: 2, index: before.count, size: 4))
    #expect(try await log.verify().records == 3)
  }

  @Test func aSourceThatEndsBecauseItsTaskWasCancelledLeavesNothing() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let (source, continuation) = AsyncStream<[UInt8]>.makeStream()
    continuation.yield([1, 2, 3])
    let append = await startWaiting { try await log.append(source) }
    append.cancel()
    await #expect(throws: CancellationError.self) { try await value(of: append) }
    #expect(log.count == 0)
    #expect(try await log.append("next") == Receipt(sequence: 0, index: 16, size: 4))
  }

  @Test(arguments: [Durability.buffered, .synced, .interval(.milliseconds(3))])
  func appendsOfManyTasksAndThreadsAreAllThereInEachOnesOrder(durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let callers = 64
    let rounds = durability == .synced ? 20 : 100
    let payload: @Sendable (Int, Int) -> [UInt8] = { caller, round in
      littleEndian(caller) + littleEndian(round) + pattern((caller * 131 + round * 17) % 3_000, seed: caller + round)
    }
    do {
      let storage = try directory.open(durability)
      defer { storage.close() }
      let log = try storage.log("log")
      let receipts = try await withinLimit {
        try await withThrowingTaskGroup(of: [Receipt].self) { group in
          for caller in 0..<callers {
            group.addTask {
              if caller % 16 == 0 {
                return try await onThread {
                  try (0..<rounds).map { try log.append(payload(caller, $0)) }
                }
              }
              var receipts: [Receipt] = []
              for round in 0..<rounds {
                if caller % 16 == 1, round % 10 == 0 {
                  receipts.append(try await log.append(ChunkSource(chunks: [payload(caller, round)])))
                } else {
                  receipts.append(try await log.append(payload(caller, round)))
                }
              }
              return receipts
            }
          }
          var all: [[Receipt]] = []
          for try await receipts in group { all.append(receipts) }
          return all
        }
      }
      for own in receipts { #expect(own.map(\.sequence) == own.map(\.sequence).sorted()) }
      let sequences = receipts.joined().map(\.sequence).sorted()
      #expect(sequences == Array(0..<callers * rounds))
    }
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.count == callers * rounds)
    var next = Array(repeating: 0, count: callers)
    for record in try log.records(in: 0..<log.count) {
      let caller = integer(Array(record.payload.prefix(8)), at: 0)
      #expect(holds(record.payload, payload(caller, next[caller])))
      next[caller] += 1
    }
  }
}
