import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// Several records at once.
@Suite(.timeLimit(.minutes(3))) struct BatchTests {
  private func randomPayloads(_ count: Int, _ generator: inout SeededGenerator) -> [[UInt8]] {
    (0..<count).map { number in
      let size =
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<10: 0
        case 10..<90: Int.random(in: 1...200, using: &generator)
        case 90..<98: Int.random(in: 1_000...20_000, using: &generator)
        case 98: Int.random(in: 200_000...300_000, using: &generator)
        default: (1 << 20) + Int.random(in: 0...2, using: &generator)
        }
      return pattern(size, seed: number)
    }
  }

  /// All batches that need no waiting.
  private func batches(_ stream: RecordStream) throws -> [RecordBatch] {
    var source = stream.batches()
    var found: [RecordBatch] = []
    while let batch = try source.nextAtOnce() { found.append(batch) }
    return found
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly], [LogFormat.v1, .v2, .bilog])
  func theyHaveEachRecordOnceAsAStreamHas(access: Storage.Access, format: LogFormat) async throws {
    try await Rounds.run(default: 2, "batches") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let payloads = randomPayloads(Int.random(in: 1...1_000, using: &generator), &generator)
      do {
        let storage = try directory.open(format: format)
        defer { storage.close() }
        try await storage.append(contentsOf: payloads, to: "log")
        if generator.oneIn(2) { try await storage.log("log").roll() }
        // While it is new its end is in the writer's windows.
        try check(try batches(storage.stream("log")), payloads, storage.log("log"))
      }
      let storage = try directory.open(access: access, format: format)
      let log = try storage.log("log")
      let first = Int.random(in: 0..<payloads.count, using: &generator)
      let found = try batches(log.stream(from: .skipping(first)))
      try check(found, Array(payloads[first...]), log)
      let average = payloads.reduce(0) { $0 + $1.count } / payloads.count
      guard payloads.count - first < 100 || average > 10_000 || found.count * 2 < payloads.count - first else {
        throw Finding("\(found.count) batches of \(payloads.count - first) records")
      }
      // They are as good as before once the storage is closed and others have been read.
      let large = try found.map { try $0.map { try $0.payload.inMemory() } }
      storage.close()
      guard zip(large.joined(), payloads[first...]).allSatisfy({ holds($0, $1) }) else {
        throw Finding("a batch changed after its storage was closed")
      }
      guard large.map(\.count).reduce(0, +) == payloads.count - first else { throw Finding("a batch got shorter") }
    }
  }

  private func check(_ batches: [RecordBatch], _ payloads: [[UInt8]], _ log: Log) throws {
    var next = log.count - payloads.count
    let begin = next
    for batch in batches {
      guard batch.sequences.lowerBound == next, !batch.isEmpty, batch.count == batch.sequences.count else {
        throw Finding("a batch of \(batch.sequences) comes after \(next)")
      }
      guard batch.dropLast().reduce(0, { $0 + $1.payload.count }) <= 1 << 20 else { throw Finding("a batch is large") }
      for record in batch {
        let same: Record = try log.record(at: next)
        guard record.sequence == next, holds(record.payload, payloads[next - begin]), record.size == same.size,
          record.index == same.index, record.timestamp == same.timestamp
        else { throw Finding("record \(next) is another") }
        next += 1
      }
      var number = batch.sequences.lowerBound
      try batch.forEachPayload { sequence, bytes in
        guard sequence == number, bytes.byteCount == payloads[number - begin].count,
          bytes.withUnsafeBytes({ $0.elementsEqual(payloads[number - begin]) })
        else { throw Finding("the payload of record \(number) is another") }
        number += 1
      }
      guard number == batch.sequences.upperBound else { throw Finding("a payload was left out") }
    }
    guard next == log.count else { throw Finding("\(next) of \(log.count) records came") }
  }

  @Test func recordsThatAreDecodedComeInBatches() async throws {
    let directory = TemporaryDirectory()
    var configuration = Storage.Configuration()
    let flip = WholePayloadTransformer(name: "flip") { bytes, _ in bytes.map { ~$0 } }
    configuration.codec = Codec(writing: flip, reading: flip)
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let payloads = (0..<500).map { pattern($0, seed: $0) }
    try await storage.append(contentsOf: payloads, to: "log")
    let found = try batches(storage.stream("log"))
    try check(found, payloads, storage.log("log"))
    #expect(found.count < 10)
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func aBatchEndsBeforeADamagedRecordWhichIsThrownNext(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<100).map { Array("record \($0)".utf8) })
    var bytes = try directory.bytes(of: "log.log")
    let index = try #require(Data(bytes).range(of: Data("record 50".utf8))).lowerBound
    bytes[index] ^= 1
    try directory.write(bytes, to: "log.log")
    let storage = try directory.open(access: access)
    defer { storage.close() }
    var source = try storage.log("log").stream().batches()
    var count = 0
    while count < 50 {
      let batch = try #require(try source.nextAtOnce())
      #expect(batch.sequences.lowerBound == count)
      count = batch.sequences.upperBound
    }
    #expect(count == 50)
    for _ in 0..<2 {
      #expect {
        try source.nextAtOnce()
      } throws: { error in
        guard case ImmutaError.corrupted(let corruption) = error else { return false }
        return corruption.sequence == 50
      }
      #expect(source.stream.position == 50)
    }
    source.stream.position = 51
    #expect(try source.nextAtOnce()?.first?.text == "record 51")
  }

  @Test func theyAreWaitedFor() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    let log = open.log
    var source = log.stream(from: .sequence(1)).batches()
    #expect(try await source.next()?.map(\.text) == ["1", "2"])
    #expect(try source.nextAtOnce() == nil)
    #expect(try await source.next(timeout: .milliseconds(1)) == nil)
    #expect(source.stream.position == 3)
    let waiting = await startWaiting { [source] in
      var source = source
      return try await source.next()?.sequences
    }
    try await log.append(contentsOf: ["3", "4"])
    #expect(try await value(of: waiting) == 3..<5)
    var seen: [String] = []
    for try await batch in log.stream().batches() {
      seen += batch.map(\.text)
      if seen.count == 5 { break }
    }
    #expect(seen == ["0", "1", "2", "3", "4"])
    let cancelled = await startWaiting { try await log.reader(from: .latest).nextBatch() }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await value(of: cancelled) }
    open.close()
    #expect(throws: ImmutaError.storageClosed) { try source.nextAtOnce() }
  }

  @Test func aReaderGivesThemAndSingleRecordsInTurn() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    try await log.append(contentsOf: (0..<2_000).map { "\($0)" })
    let reader = log.reader()
    #expect(try await reader.next()?.text == "0")
    let batch = try #require(try await reader.nextBatch())
    #expect(batch.sequences.lowerBound == 1 && reader.position == batch.sequences.upperBound)
    #expect(try reader.nextAtOnce()?.sequence == batch.sequences.upperBound)
    reader.position = 1_999
    #expect(try await reader.nextBatch(timeout: .zero)?.sequences == 1_999..<2_000)
    #expect(try await reader.nextBatch(timeout: .zero) == nil)
    #expect(try reader.nextBatchAtOnce() == nil)
    let waiting = await startWaiting { try await reader.nextBatch() }
    try await log.append("2000")
    #expect(try await value(of: waiting)?.sequences == 2_000..<2_001)
  }

  @Test func ofTasksThatShareAReaderEachBatchGoesToOne() async throws {
    let open = try await OpenLog(0)
    open.close()
    let storage = try open.directory.open()
    try await storage.append(contentsOf: (0..<20_000).map { "record \($0)" }, to: "log")
    storage.close()
    let again = try open.directory.open()
    defer { again.close() }
    let reader = try again.log("log").reader()
    let found = try await withThrowingTaskGroup(of: [Int].self) { group in
      for _ in 0..<4 {
        group.addTask {
          var found: [Int] = []
          while let batch = try await reader.nextBatch(timeout: .zero) { found += batch.map(\.sequence) }
          return found
        }
      }
      return try await group.reduce([], +)
    }
    #expect(found.sorted() == Array(0..<20_000))
  }

  @Test func aRecordThatWasReadAheadIsNotDeliveredOnceTheStorageIsClosed() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<100).map { [$0] })
    let storage = try directory.open()
    var stream = storage.stream("log")
    _ = try stream.nextAtOnce()
    storage.close()
    var source = stream.batches()
    #expect(throws: ImmutaError.storageClosed) { try source.nextAtOnce() }
  }
}
