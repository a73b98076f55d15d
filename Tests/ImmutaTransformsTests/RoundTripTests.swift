import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// What goes in comes out, whatever the codec, the size and the way.
@Suite("Round trips")
struct RoundTripTests {
  let bench: Workbench

  init() throws {
    bench = try Workbench()
  }

  @Test("Payloads of every size come back", arguments: Codecs.all)
  func sizes(codec: Codec) async throws {
    let payloads = Payloads.sizes.flatMap { [Payloads.random($0), Payloads.repetitive($0)] }
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    for payload in payloads { try await log.append(payload) }
    var stream = log.stream(from: .beginning)
    for payload in payloads {
      let record = try #require(try stream.nextAtOnce())
      #expect(holds(record.payload, payload), "\(record.payload.count) bytes, of \(payload.count)")
      #expect(try await log.record(at: record.sequence).payload == record.payload)
    }
    try await log.verify()
  }

  @Test("A payload that comes in chunks is stored as one that comes whole", arguments: Codecs.all)
  func chunks(codec: Codec) async throws {
    let payload = Payloads.repetitive(1_500_000)
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    try await log.append(Pieces(payload, [0, 1, 100_000, 3, 700_000]))
    try await log.append(Pieces([], []))
    #expect(holds(try await log.record(at: 0).payload, payload))
    #expect(try await log.record(at: 1).payload.isEmpty)
  }

  @Test("Pieces of a large payload are its bytes in order, for each iterator on its own", arguments: Codecs.all)
  func iterating(codec: Codec) async throws {
    let payload = Payloads.repetitive(2_500_000)
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    try await log.append(payload)
    let record = try await log.record(at: 0)
    var first = record.payload.chunks(ofSize: 100_000).makeIterator()
    var pieces: [UInt8] = []
    for _ in 0..<10 { pieces += try #require(nextPiece(&first)) }
    // A copy goes its own way.
    var second = first
    var rest: [UInt8] = pieces
    while let piece = nextPiece(&second) {
      rest += piece
      if let other = nextPiece(&first) { pieces += other }
    }
    #expect(pieces == payload)
    #expect(rest == payload)
    #expect(record.payload[2_499_999] == payload[2_499_999])
  }

  @Test("A transaction, a rollback and a failing source leave the right records behind", arguments: Codecs.all)
  func transactions(codec: Codec) async throws {
    let (storage, log) = try bench.open(codec)
    try await log.append(Payloads.json(0))
    struct Stop: Error {}
    await #expect(throws: Stop.self) {
      try await log.transaction { transaction in
        try await transaction.append("gone")
        throw Stop()
      }
    }
    await #expect(throws: Stop.self) { try await log.append(Pieces(Payloads.random(200_000), [], failing: Stop())) }
    try await log.transaction { transaction in
      for number in 1..<10 { try await transaction.append(Payloads.json(number)) }
    }
    try appendWithoutAwait(log)
    storage.close()
    let (again, reopened) = try bench.open(codec)
    defer { again.close() }
    #expect(reopened.count == 11)
    for record in try reopened.records(in: 0..<10) {
      #expect(record.payload.elementsEqual(Payloads.json(record.sequence)))
    }
    #expect(try await reopened.record(at: 10).text == "without await")
  }

  @Test("Sizes in receipts and records are those of the stored bytes", arguments: Codecs.all)
  func sizesAreStored(codec: Codec) async throws {
    let (storage, log) = try bench.open(codec)
    var receipts: [Receipt] = []
    for size in [0, 10, 5000, 2_000_000] { receipts.append(try await log.append(Payloads.repetitive(size))) }
    for receipt in receipts { #expect(try await log.record(at: receipt.sequence).size == receipt.size) }
    storage.close()
    #expect(try bench.stored().map(\.count) == receipts.map(\.size))
  }

  @Test("Many tasks append through one codec at once", arguments: Codecs.all)
  func manyTasks(codec: Codec) async throws {
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    try await withThrowingTaskGroup { group in
      for task in 0..<8 {
        group.addTask { for number in 0..<50 { try await log.append(Payloads.json(task * 50 + number)) } }
      }
      try await group.waitForAll()
    }
    let payloads = try log.records(in: 0..<log.count).map { Array($0.payload) }
    #expect(Set(payloads) == Set((0..<400).map(Payloads.json)))
  }

  @Test("A reader in read-only access follows the writer", arguments: Codecs.all)
  func following(codec: Codec) async throws {
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    try await log.append("first")
    let (readers, follower) = try bench.open(codec, access: .readOnly)
    defer { readers.close() }
    var stream = follower.stream(from: .beginning)
    #expect(try await stream.next(timeout: .seconds(10))?.text == "first")
    try await log.append("second")
    #expect(try await stream.next(timeout: .seconds(10))?.text == "second")
  }
}

// Where no `await` is possible, the calls that need none are taken.
private func nextPiece(_ iterator: inout Payload.ChunkIterator) -> Payload? { iterator.next() }
private func appendWithoutAwait(_ log: Log) throws { try log.append("without await") }

/// A payload in pieces of these sizes, the rest behind them; may fail at its end.
struct Pieces: AsyncSequence, AsyncIteratorProtocol {
  private var rest: ArraySlice<UInt8>
  private var sizes: [Int]
  private let failure: (any Error)?

  init(_ bytes: [UInt8], _ sizes: [Int], failing failure: (any Error)? = nil) {
    rest = bytes[...]
    self.sizes = sizes.reversed()
    self.failure = failure
  }

  func makeAsyncIterator() -> Pieces { self }

  mutating func next() async throws -> ArraySlice<UInt8>? {
    if rest.isEmpty {
      if let failure { throw failure }
      return nil
    }
    let size = sizes.popLast() ?? rest.count
    defer { rest = rest.dropFirst(size) }
    return rest.prefix(size)
  }
}
