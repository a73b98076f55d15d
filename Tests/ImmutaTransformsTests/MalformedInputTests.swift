import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// Readers of any bytes at all: they answer, or throw; they never crash, hang, or take memory without bound.
///
/// `IMMUTA_ROUNDS` says how many rounds of 1,000 inputs each reader gets.
@Suite("Malformed input", .serialized)
struct MalformedInputTests {
  private static let inputsPerRound = 1000
  private static let recordsPerRound = 200
  private static let limit = 1 << 20

  @Test("Whatever the bytes, a reader answers or throws", arguments: readers)
  func anyBytes(reader: Codec) async throws {
    let samples = try Self.samples(reader)
    try await Rounds.run(default: 2, "malformed input to \(reader.name)") { seed in
      var generator = SeededGenerator(seed: seed)
      let bench = TransformBench(reader.reading, limit: Self.limit)
      for _ in 0..<Self.inputsPerRound {
        let input = Self.malformed(samples, &generator)
        let pieces = Int.random(in: 1...4, using: &generator)
        do {
          _ = try bench.run(input, pieces: pieces)
        } catch let finding as Finding {
          throw finding
        } catch {
          // It said that it cannot be read.
        }
      }
    }
  }

  @Test("Bytes that were damaged before they were encrypted are authentic, and answered or refused all the same")
  func authenticBytes() async throws {
    let ring = KeyRing(Codecs.key)
    let samples = try Self.samples(.deflate())
    try await Rounds.run(default: 2, "damaged before encryption") { seed in
      var generator = SeededGenerator(seed: seed)
      let sealing = TransformBench(Codec.aes256GCM(ring).writing, limit: .max)
      let bench = TransformBench(Codec.deflate().then(.aes256GCM(ring)).reading, limit: Self.limit)
      for _ in 0..<Self.inputsPerRound {
        _ = try sealing.run(Self.malformed(samples, &generator), pieces: 1)
        do {
          _ = try bench.run(sealing.output, pieces: Int.random(in: 1...4, using: &generator))
        } catch let finding as Finding {
          throw finding
        } catch {
          // It said that it cannot be read.
        }
      }
    }
  }

  @Test("Whatever bytes a log holds, each record is read, alike in every way of reading, or throws", arguments: readers)
  func anyLog(reader: Codec) async throws {
    let samples = try Self.samples(reader, andLarge: true)
    try await Rounds.run(default: 1, "a log of malformed records, of \(reader.name)") { seed in
      var generator = SeededGenerator(seed: seed)
      let stored = (0..<Self.recordsPerRound).map { _ in
        generator.oneIn(4)
          ? samples[Int.random(in: 0..<samples.count, using: &generator)] : Self.malformed(samples, &generator)
      }
      let bench = try Workbench()
      try bench.writeStored(stored)
      let (storage, log) = try bench.open(reader, limit: 4 << 20, access: .readOnly)
      defer { storage.close() }
      for number in stored.indices {
        guard let payload = try await Self.payload(of: number, log) else { continue }
        var pieces: [UInt8] = []
        for piece in payload.chunks(ofSize: Int.random(in: 1000...200_000, using: &generator)) {
          piece.withUnsafeBytes { pieces += $0 }
        }
        if !holds(payload, pieces) { throw Finding("record \(number) differs in pieces") }
      }
    }
  }

  /// Nil when the record says that it cannot be decoded.
  private static func payload(of number: Int, _ log: Log) async throws -> Payload? {
    do {
      return try await log.record(at: number).payload
    } catch ImmutaError.undecodable {
      return nil
    }
  }

  private static var readers: [Codec] {
    var codecs = [Codec.deflate()] + Codecs.encrypting
    codecs.append(.deflate().then(.aes256GCM(KeyRing(Codecs.key))))
    #if Zstd
      codecs.append(.zstd())
    #endif
    #if LZ4
      codecs.append(.lz4())
    #endif
    return codecs
  }

  /// Well-formed inputs of a few kinds, to be damaged.
  private static func samples(_ codec: Codec, andLarge: Bool = false) throws -> [[UInt8]] {
    var payloads = [
      [], Payloads.json(1), Payloads.repetitive(3000), Payloads.random(500), [UInt8](repeating: 0, count: 300_000),
      Payloads.repetitive(100_000),
    ]
    // Larger than what is decoded when it is delivered.
    if andLarge { payloads += [[UInt8](repeating: 0, count: 2 << 20), Payloads.repetitive(1_500_000)] }
    let bench = TransformBench(codec.writing, limit: .max)
    return try payloads.map { payload in
      _ = try bench.run(payload, pieces: 1)
      return bench.output
    }
  }

  private static func malformed(_ samples: [[UInt8]], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = samples[Int.random(in: 0..<samples.count, using: &generator)]
    switch Int.random(in: 0..<6, using: &generator) {
    case 0:
      return (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    case 1: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
    case 2:
      bytes += (0..<Int.random(in: 1...20, using: &generator)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    case 3:
      let start = Int.random(in: 0...bytes.count, using: &generator)
      bytes.removeSubrange(start..<min(bytes.count, start + Int.random(in: 1...30, using: &generator)))
    default: break
    }
    if bytes.isEmpty { return bytes }
    // Most of the structure is at the beginning.
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let end = generator.oneIn(2) ? min(bytes.count, 40) : bytes.count
      bytes[Int.random(in: 0..<end, using: &generator)] = UInt8(truncatingIfNeeded: generator.next())
    }
    return bytes
  }
}

/// Runs a transformer by itself, as the engine does.
final class TransformBench {
  private let transformer: any Transformer
  private let limit: Int
  private var state: (any TransformerState)?
  private(set) var output: [UInt8] = []
  /// Bytes that a state may leave in its output: what makes it full, and a piece of work more. A chain's state, asked
  /// for by itself, takes its input whole, which here is small.
  private static let mostInOutput = 1 << 20

  init(_ transformer: any Transformer, limit: Int) {
    self.transformer = transformer
    self.limit = limit
  }

  /// Transforms a payload that comes in so many pieces; returns how many bytes it became. They are kept if the limit is
  /// none.
  func run(_ input: [UInt8], pieces: Int) throws -> Int {
    let state = try self.state ?? transformer.makeState()
    self.state = nil
    let target = TransformOutput()
    output = []
    var made = 0
    func drain() throws {
      if limit < .max, target.count > Self.mostInOutput {
        throw Finding("a state made \(target.count) bytes before it returned")
      }
      made += target.count
      if made > limit { throw TransformError("too much") }
      if limit == .max { target.withBytes { bytes in bytes.withUnsafeBytes { output += $0 } } }
      target.removeAll()
    }
    try state.begin(RecordContext(namespace: "events", sequence: 0, limit: limit))
    let size = max(1, (input.count + pieces - 1) / pieces)
    for start in stride(from: 0, to: input.count, by: size) {
      var rest = input[start..<min(input.count, start + size)]
      var isFull = false
      repeat {
        let taken = try rest.withUnsafeBytes { try state.transform(RawSpan(_unsafeBytes: $0), into: target) }
        rest = rest.dropFirst(taken)
        isFull = target.isFull
        if taken == 0, target.count == 0, !rest.isEmpty { throw Finding("a state does not get on") }
        try drain()
      } while isFull || !rest.isEmpty
    }
    while try !state.finish(into: target) {
      if target.count == 0 { throw Finding("a state does not end") }
      try drain()
    }
    try drain()
    self.state = state
    return made
  }
}
