import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Synchronization
import Testing

/// What cannot be decoded is an error at its record, and only there.
@Suite("Undecodable records")
struct UndecodableTests {
  let bench: Workbench

  init() throws {
    bench = try Workbench()
  }

  @Test(
    "The records around one that cannot be decoded stay readable; a stream goes on behind it", arguments: Codecs.all)
  func around(codec: Codec) async throws {
    // Level 0 of DEFLATE stores bytes as they are: there the block's header is what can be damaged.
    try bench.write((0..<5).map(Payloads.json), codec)
    var stored = try bench.stored()
    stored[2] = Array(stored[2].dropLast(stored[2].count / 2))
    try bench.writeStored(stored)
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    var stream = log.stream(from: .beginning)
    for number in [0, 1] { #expect(try stream.nextAtOnce()?.sequence == number) }
    for _ in 0..<2 {
      let error = #expect(throws: ImmutaError.self) { try stream.nextAtOnce() }
      guard case .undecodable(let corruption)? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(corruption.sequence == 2 && corruption.path == bench.logPath)
      #expect(corruption.index == 16 + stored[0].count + stored[1].count + 16)
      #expect(error?.description.contains("record 2") == true)
    }
    stream.position += 1
    for number in [3, 4] { #expect(try stream.nextAtOnce()?.payload.elementsEqual(Payloads.json(number)) == true) }
    await #expect(throws: ImmutaError.self) { try await log.record(at: 2) }
    await #expect(throws: ImmutaError.self) { try await log.verify() }
    #expect(throws: ImmutaError.self) { try log.records(in: 0..<5) }
    // Appending goes on, too.
    try await log.append("more")
    #expect(try await log.record(at: 5).text == "more")
  }

  @Test("A damaged record is told by its checksum before anything is decoded")
  func checksumFirst() async throws {
    try bench.write([Payloads.json(0)], .deflate())
    var log = try #require(try FileBytes.read(bench.logPath))
    log[30] ^= 1
    try FileBytes.write(log, to: bench.logPath)
    let (storage, opened) = try bench.open(.deflate())
    defer { storage.close() }
    let error = await #expect(throws: ImmutaError.self) { try await opened.record(at: 0) }
    guard case .corrupted? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    "A few bytes that claim to be many stop at the limit, and the limit itself is allowed",
    arguments: Codecs.compressing)
  func bombs(codec: Codec) async throws {
    let size = 5_000_000
    try bench.write([[UInt8](repeating: 0, count: size), Payloads.json(1)], codec)
    for (limit, isEnough) in [(size, true), (size - 1, false), (100_000, false), (200, false)] {
      let (storage, log) = try bench.open(codec, limit: limit)
      defer { storage.close() }
      if isEnough {
        #expect(try await log.record(at: 0).payload.count == size)
      } else {
        let error = await #expect(throws: ImmutaError.self) { try await log.record(at: 0) }
        #expect(error?.description.contains("more than \(limit) bytes") == true)
      }
      #expect(try await log.record(at: 1).payload.elementsEqual(Payloads.json(1)))
    }
  }

  /// Makes gigabytes, of whatever it is given.
  private struct Flood: Transformer {
    let name = "flood"
    let size: Int
    let limits: Limits

    func makeState() -> sending any TransformerState { State(size, limits) }

    final class State: TransformerState {
      private let size: Int
      private let limits: Limits
      private var made = 0

      init(_ size: Int, _ limits: Limits) {
        self.size = size
        self.limits = limits
      }

      func begin(_ record: RecordContext) {
        limits.note(record.limit)
        made = 0
      }

      func transform(_ input: RawSpan, into output: TransformOutput) -> Int { input.byteCount }

      func finish(into output: TransformOutput) -> Bool {
        while !output.isFull, made < size {
          let before = made
          output.append { memory in
            let count = min(memory.count, size - before)
            memory[..<count].initializeMemory(as: UInt8.self, repeating: 0)
            made += count
            return count
          }
        }
        return made == size
      }
    }
  }

  /// Takes whatever comes, and makes nothing of it.
  private struct Sink: Transformer {
    let name = "sink"
    let limits: Limits

    func makeState() -> sending any TransformerState { State(limits) }

    final class State: TransformerState {
      private let limits: Limits

      init(_ limits: Limits) {
        self.limits = limits
      }

      func begin(_ record: RecordContext) {
        limits.note(record.limit)
      }

      func transform(_ input: RawSpan, into output: TransformOutput) -> Int { input.byteCount }
    }
  }

  /// What the states of a chain were told, in order.
  private final class Limits: Sendable {
    private let noted = Mutex<[Int]>([])
    var all: [Int] { noted.withLock { $0 } }
    func note(_ limit: Int) { noted.withLock { $0.append(limit) } }
  }

  @Test("What one transformer hands to the next is limited, too, to what the context says; on the way in and out")
  func betweenTransformers() async throws {
    let limit = 80_000
    let between = limit + limit / 8 + 64 << 10
    let plain = WholePayloadTransformer(name: "x") { bytes, _ in bytes }
    for (size, isAllowed) in [(between, true), (between + 1, false), (4 << 30, false)] {
      let bench = try Workbench()
      let limits = Limits()
      let reading = Flood(size: size, limits: limits).then(Sink(limits: limits))
      let (storage, log) = try bench.open(Codec(name: "x", writing: plain, reading: reading), limit: limit)
      defer { storage.close() }
      try await log.append("small")
      if isAllowed {
        #expect(try await log.record(at: 0).payload.isEmpty)
      } else {
        let error = await #expect(throws: ImmutaError.self) { try await log.record(at: 0) }
        #expect(error?.description.contains("more than \(between) bytes between") == true)
      }
      #expect(limits.all == [between, limit])

      let writing = Flood(size: size, limits: limits).then(Sink(limits: limits))
      let (others, other) = try bench.open(
        Codec(name: "x", writing: writing, reading: plain), limit: limit, namespace: "other")
      defer { others.close() }
      if isAllowed {
        try await other.append("small")
      } else {
        await #expect(throws: ImmutaError.self) { try await other.append("small") }
      }
      #expect(other.count == (isAllowed ? 1 : 0))
      #expect(limits.all == [between, limit, between, .max])
    }
  }

  @Test("A payload that could not be read back is not appended", arguments: Codecs.all)
  func tooLarge(codec: Codec) async throws {
    let (storage, log) = try bench.open(codec, limit: 1000)
    defer { storage.close() }
    try await log.append(Payloads.random(1000))
    await #expect(throws: ImmutaError.self) { try await log.append(Payloads.random(1001)) }
    await #expect(throws: ImmutaError.self) { try await log.append(Pieces(Payloads.random(1001), [600])) }
    try await log.transaction { transaction in
      await #expect(throws: ImmutaError.self) { try await transaction.append(Payloads.random(1001)) }
      try await transaction.append(Payloads.random(999))
    }
    #expect(try log.records(in: 0..<2).map(\.payload.count) == [1000, 999])
    #expect(log.count == 2)
  }

  #if Zstd || LZ4
    @Test("A frame that decoders skip is no record, in how many pieces it ever comes")
    func skippable() async throws {
      var codecs: [Codec] = []
      #if Zstd
        codecs.append(.zstd())
      #endif
      #if LZ4
        codecs.append(.lz4())
      #endif
      for codec in codecs {
        for kind in [0x50, 0x5F] as [UInt8] {
          for content in [0, 4, 40] as [UInt8] {
            let frame = [kind, 0x2A, 0x4D, 0x18, content, 0, 0, 0] + [UInt8](repeating: 1, count: Int(content))
            for pieces in [1, 3, frame.count] {
              let error = #expect(throws: TransformError.self) {
                try TransformBench(codec.reading, limit: .max).run(frame, pieces: pieces)
              }
              #expect(error?.description.contains("skip") == true)
            }
            let bench = try Workbench()
            try bench.writeStored([frame])
            let (storage, log) = try bench.open(codec, access: .readOnly)
            defer { storage.close() }
            await #expect(throws: ImmutaError.self) { try await log.record(at: 0) }
          }
        }
      }
    }
  #endif
}
