import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Synchronization
import Testing

/// A large payload is decoded when its record is delivered, and once more when it is touched: should that fail, because
/// something changed meanwhile, whoever can be told is told.
@Suite("A payload that cannot be decoded any more")
struct ChangedSinceTests {
  let bench: Workbench
  static let payload = Payloads.repetitive(3_000_000)

  init() throws {
    bench = try Workbench()
  }

  /// Passes bytes on, until it is told to fail.
  private struct Fickle: Transformer {
    let name = "fickle"
    let fault: Fault

    func makeState() -> sending any TransformerState { State(fault) }

    final class State: TransformerState {
      private let fault: Fault

      init(_ fault: Fault) {
        self.fault = fault
      }

      func begin(_ record: RecordContext) {
        fault.begun.add()
      }

      func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
        fault.taken.add(input.byteCount)
        output.append(input)
        if fault.isNow, fault.taken.value > 1_000_000 {
          throw TransformError("the key was taken away")
        }
        return input.byteCount
      }
    }
  }

  /// Which decodings fail half-way, counted from the first on.
  private final class Fault: Sendable {
    let first = Atomic(Int.max)
    let last = Atomic(Int.max)
    var isNow: Bool {
      begun.value >= first.load(ordering: .relaxed) && begun.value <= last.load(ordering: .relaxed)
    }
    let begun = Count()
    let taken = Count()
    var codec: Codec {
      Codec(writing: WholePayloadTransformer(name: "fickle") { bytes, _ in bytes }, reading: Fickle(fault: self))
    }
  }

  /// What an append and two readings gave, and a codec that fails from now on.
  private func delivered(_ fault: Fault) async throws -> (storage: Storage, payload: Payload) {
    let (storage, log) = try bench.open(fault.codec)
    try await log.append(Self.payload)
    let payload = try await log.record(at: 0).payload
    fault.first.store(0, ordering: .relaxed)
    return (storage, payload)
  }

  private func expectUndecodable(_ error: ImmutaError?) {
    guard case .undecodable(let corruption)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(corruption.sequence == 0 && corruption.index == 16 && corruption.path == bench.logPath)
    #expect(corruption.reason.code == .undecodable)
    #expect(corruption.reason.description.contains("the key was taken away"))
  }

  @Test("Whatever can throw throws, and works again when it can be decoded again")
  func throwing() async throws {
    let fault = Fault()
    let (storage, payload) = try await delivered(fault)
    defer { storage.close() }
    expectUndecodable(#expect(throws: ImmutaError.self) { try payload.inMemory() })
    expectUndecodable(#expect(throws: ImmutaError.self) { try payload.forEachChunk { _ in } })
    expectUndecodable(
      await #expect(throws: ImmutaError.self) {
        var iterator = payload.chunks().makeAsyncIterator()
        while try await iterator.next() != nil {}
      })
    let (others, copies) = try bench.open(nil, namespace: "copies")
    defer { others.close() }
    expectUndecodable(await #expect(throws: ImmutaError.self) { try await copies.append(payload.chunks()) })
    #expect(copies.count == 0)
    fault.first.store(.max, ordering: .relaxed)
    var pieces: [UInt8] = []
    try payload.forEachChunk(ofSize: 100_000) { chunk in chunk.withUnsafeBytes { pieces += $0 } }
    #expect(pieces == Self.payload)
    #expect(holds(try payload.inMemory(), Self.payload))
    // What is in memory is decoded no more.
    fault.first.store(0, ordering: .relaxed)
    #expect(holds(payload, Self.payload))
  }

  @Test("An iterator that failed goes on where it was when that is possible again")
  func goingOn() async throws {
    let fault = Fault()
    let (storage, payload) = try await delivered(fault)
    defer { storage.close() }
    fault.first.store(.max, ordering: .relaxed)
    var iterator = payload.chunks(ofSize: 600_000).makeAsyncIterator()
    var pieces: [UInt8] = []
    while let piece = try await iterator.next() {
      piece.withUnsafeBytes { pieces += $0 }
      fault.first.store(0, ordering: .relaxed)
      await #expect(throws: ImmutaError.self) { while try await iterator.next() != nil {} }
      fault.first.store(.max, ordering: .relaxed)
      break
    }
    while let piece = try await iterator.next() { piece.withUnsafeBytes { pieces += $0 } }
    #expect(pieces == Self.payload)
  }

  @Test("What cannot throw traps, and says what to use instead", .timeLimit(.minutes(1)))
  func trapping() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let fault = Fault()
      let tests = try ChangedSinceTests()
      let (storage, payload) = try await tests.delivered(fault)
      defer { storage.close() }
      _ = payload.text
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("try payload.inMemory()") && message.contains("record 0"))
  }

  @Test("Salvaging loses the record that cannot be decoded while it is copied, and no other")
  func salvaging() async throws {
    let fault = Fault()
    let (storage, log) = try bench.open(fault.codec)
    for payload in [Payloads.json(0), Self.payload, Payloads.json(2)] { try await log.append(payload) }
    storage.close()
    // The large one is the second to be decoded, and its copy the third.
    fault.first.store(3, ordering: .relaxed)
    fault.last.store(3, ordering: .relaxed)
    let report = try Storage.salvage(
      Workbench.name, in: bench.directory.path, into: "whole", configuration: bench.configuration(fault.codec))
    #expect(report.sound == 2 && report.lost.map(\.sequences) == [1..<2])
    #expect(report.lost.first?.reason.description.contains("the key was taken away") == true)
    fault.first.store(.max, ordering: .relaxed)
    let (again, whole) = try bench.open(fault.codec, namespace: "whole")
    defer { again.close() }
    #expect(try whole.records(in: 0..<2).map { Array($0.payload) } == [Payloads.json(0), Payloads.json(2)])
  }

  @Test("Copies of an iterator that take turns decode the payload once each, not once a piece")
  func copies() async throws {
    let fault = Fault()
    let (storage, log) = try bench.open(fault.codec)
    defer { storage.close() }
    try await log.append(Self.payload)
    let payload = try await log.record(at: 0).payload
    let before = fault.taken.value
    #expect(Self.takingTurns(payload) == [Self.payload, Self.payload, Self.payload])
    let decoded = fault.taken.value - before
    #expect(decoded <= 3 * Self.payload.count, "\(decoded) bytes were decoded")
  }

  private static func takingTurns(_ payload: Payload) -> [[UInt8]] {
    var iterators = [payload.chunks(ofSize: 10_000).makeIterator()]
    iterators += [iterators[0], iterators[0]]
    var pieces = [[UInt8]](repeating: [], count: 3)
    var isOver = false
    while !isOver {
      isOver = true
      for position in iterators.indices {
        guard let piece = iterators[position].next() else { continue }
        piece.withUnsafeBytes { pieces[position] += $0 }
        isOver = false
      }
    }
    return pieces
  }
}
