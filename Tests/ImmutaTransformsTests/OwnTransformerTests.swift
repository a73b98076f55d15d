import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Synchronization
import Testing

/// Transformers that a program brings itself.
@Suite("Own transformers")
struct OwnTransformerTests {
  let bench: Workbench

  init() throws {
    bench = try Workbench()
  }

  /// Ten lines, as the documentation shows.
  struct Mask: Transformer {
    let name = "mask"

    func makeState() -> sending any TransformerState { State() }

    final class State: TransformerState {
      func transform(_ input: RawSpan, into output: TransformOutput) -> Int {
        input.withUnsafeBytes { bytes in for byte in bytes { output.append(byte ^ 0x5A) } }
        return input.byteCount
      }
    }
  }

  static let mask = Codec(writing: Mask(), reading: Mask())
  /// Says whose turn it is.
  static func tagged(_ tag: String) -> Codec {
    Codec(
      writing: WholePayloadTransformer(name: tag) { bytes, _ in bytes + Array(tag.utf8) },
      reading: WholePayloadTransformer(name: tag) { bytes, _ in
        guard bytes.suffix(tag.utf8.count).elementsEqual(tag.utf8) else { throw TransformError("not \(tag)") }
        return bytes.dropLast(tag.utf8.count)
      })
  }

  @Test("One of ten lines works, for payloads of every size")
  func mask() async throws {
    let (storage, log) = try bench.open(Self.mask)
    for size in [0, 1, 1000, 300_000, 2_000_000] { try await log.append(Payloads.random(size)) }
    for (number, size) in [0, 1, 1000, 300_000, 2_000_000].enumerated() {
      #expect(holds(try await log.record(at: number).payload, Payloads.random(size)))
    }
    storage.close()
    #expect(try bench.stored()[2] == Payloads.random(1000).map { $0 ^ 0x5A })
  }

  @Test("A chain applies in order, and a codec's reading order is reversed by itself")
  func order() async throws {
    let codec = Self.tagged("a").then(Self.tagged("b")).then(Self.tagged("c"))
    #expect(codec.name == "a + b + c" && codec.writing.name == "a + b + c" && codec.reading.name == "c + b + a")
    try bench.write([Array("x".utf8)], codec)
    #expect(try bench.stored() == [Array("xabc".utf8)])
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    #expect(try await log.record(at: 0).text == "x")
  }

  @Test("A chain's state is one transformer like any other")
  func chainState() throws {
    let writing = TransformBench(Mask().then(Codec.deflate().writing.then(Mask())), limit: .max)
    let reading = TransformBench(Mask().then(Codec.deflate().reading).then(Mask()), limit: .max)
    for size in [0, 10, 500_000] {
      _ = try writing.run(Payloads.repetitive(size), pieces: 3)
      _ = try reading.run(writing.output, pieces: 2)
      #expect(reading.output == Payloads.repetitive(size))
    }
  }

  @Test("A transformer that throws leaves nothing behind, and is not used again half-way")
  func throwing() async throws {
    let codec = Codec(
      writing: WholePayloadTransformer(name: "picky") { bytes, record in
        if bytes.first == 0 { throw TransformError("no zeros, record \(record.sequence) of \(record.namespace)") }
        return bytes
      }, reading: WholePayloadTransformer(name: "picky") { bytes, _ in bytes })
    let (storage, log) = try bench.open(codec.then(.deflate()))
    defer { storage.close() }
    try await log.append("one")
    let error = await #expect(throws: ImmutaError.self) { try await log.append([0, 1] as [UInt8]) }
    #expect(error == .untransformable("no zeros, record 1 of events"))
    await #expect(throws: ImmutaError.self) { try await log.append(Pieces([0, 1, 2], [1])) }
    try await log.append("two")
    #expect(try log.records(in: 0..<2).map(\.text) == ["one", "two"])
    #expect(log.count == 2)
  }

  @Test("A transformer that gets nowhere is an error, not a hang")
  func standstill() async throws {
    struct Stuck: Transformer {
      let name = "stuck"
      func makeState() -> sending any TransformerState { State() }
      final class State: TransformerState {
        func transform(_ input: RawSpan, into output: TransformOutput) -> Int { 0 }
        func finish(into output: TransformOutput) -> Bool { false }
      }
    }
    let (storage, log) = try bench.open(Codec(writing: Stuck(), reading: Stuck()))
    defer { storage.close() }
    await #expect(throws: ImmutaError.self) { try await log.append("x") }
    await #expect(throws: ImmutaError.self) { try await log.append("") }
    #expect(log.count == 0)
  }

  @Test("A payload too large to be held whole is an error")
  func whole() async throws {
    let small = WholePayloadTransformer(name: "small", largest: 1000) { bytes, _ in bytes }
    let (storage, log) = try bench.open(Codec(writing: small, reading: small))
    defer { storage.close() }
    try await log.append(Payloads.random(1000))
    await #expect(throws: ImmutaError.self) { try await log.append(Payloads.random(1001)) }
  }

  @Test("What is made is bounded as what is taken: whatever was appended is read back")
  func wholeBothWays() async throws {
    let codec = Codec(
      writing: WholePayloadTransformer(name: "one more", largest: 1000) { bytes, _ in bytes + [1] },
      reading: WholePayloadTransformer(name: "one more", largest: 1000) { bytes, _ in bytes.dropLast() })
    let (storage, log) = try bench.open(codec)
    defer { storage.close() }
    try await log.append(Payloads.random(999))
    await #expect(throws: ImmutaError.self) { try await log.append(Payloads.random(1000)) }
    #expect(log.count == 1)
    #expect(holds(try await log.record(at: 0).payload, Payloads.random(999)))
    #expect(try log.records(in: 0..<1).map(\.size) == [1000])
  }

  @Test("A state that keeps a tail, and adds nothing to a full output, is read in pieces to its end")
  func tail() async throws {
    struct Tail: Transformer {
      let name = "tail"
      func makeState() -> sending any TransformerState { State() }
      final class State: TransformerState {
        private var kept: [UInt8] = []
        private var passed = 0
        func begin(_ record: RecordContext) { (kept, passed) = ([], 0) }
        func transform(_ input: RawSpan, into output: TransformOutput) -> Int {
          input.withUnsafeBytes { kept += $0 }
          return input.byteCount
        }
        func finish(into output: TransformOutput) -> Bool {
          while !output.isFull {
            if passed == kept.count { return true }
            let piece = kept[passed...].prefix(64 << 10)
            output.append(piece)
            passed += piece.count
          }
          return false
        }
      }
    }
    // Its last piece fills the output.
    let payload = Payloads.random(2 << 20)
    let writing = WholePayloadTransformer(name: "tail") { bytes, _ in bytes }
    let (storage, log) = try bench.open(Codec(writing: writing, reading: Tail()))
    defer { storage.close() }
    try await log.append(payload)
    let record = try await log.record(at: 0)
    #expect(record.payload.chunks().flatMap { $0.withUnsafeBytes { Array($0) } } == payload)
    #expect(holds(record.payload, payload))
  }

  @Test("States are made once and used again, record after record")
  func reuse() async throws {
    struct Counted: Transformer {
      let name = "counted"
      let count: Count
      func makeState() -> sending any TransformerState {
        count.add()
        return Mask.State()
      }
    }
    let (written, read) = (Count(), Count())
    let (storage, log) = try bench.open(Codec(writing: Counted(count: written), reading: Counted(count: read)))
    defer { storage.close() }
    for number in 0..<100 { try await log.append(Payloads.json(number)) }
    for number in 0..<100 { _ = try await log.record(at: number) }
    #expect(written.value == 1 && read.value == 1)
  }
}

final class Count: Sendable {
  private let atomic = Atomic(0)
  var value: Int { atomic.load(ordering: .relaxed) }
  func add(_ more: Int = 1) { atomic.add(more, ordering: .relaxed) }
}
