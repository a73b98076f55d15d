import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Whoever is called while a log waits for them cannot append to that log: they would wait for each other.
@Suite("Appending from within an append", .timeLimit(.minutes(1)))
struct OwnTurnTests {
  /// A log that is known only after the codec or the source that uses it was made.
  private final class Later: Sendable {
    private let log = Mutex<Log?>(nil)

    func set(_ log: Log) {
      self.log.withLock { $0 = log }
    }

    func append(_ text: String) throws {
      try log.withLock { $0 }?.append(text)
    }
  }

  private static func calling(_ body: @escaping @Sendable (Int) throws -> Void) -> Codec {
    let plain = WholePayloadTransformer(name: "calling") { bytes, _ in bytes }
    let writing = WholePayloadTransformer(name: "calling") { bytes, record in
      try body(record.sequence)
      return bytes
    }
    return Codec(writing: writing, reading: plain)
  }

  @Test("A transformer that appends to its own log is told so, and the log goes on")
  func transformer() async throws {
    let later = Later()
    let bench = try Workbench()
    let (storage, log) = try bench.open(Self.calling { number in if number == 0 { try later.append("inner") } })
    defer { storage.close() }
    later.set(log)
    do {
      try await log.append("outer")
      Issue.record("it was appended")
    } catch ImmutaError.untransformable(let text, _) {
      #expect(text.contains("a transformer appends to the log") && text.contains("events.log"))
    }
    #expect(log.count == 0)
  }

  @Test("A transformer may append to another log")
  func transformerOfAnotherLog() async throws {
    let bench = try Workbench()
    let later = Later()
    let (storage, log) = try bench.open(Self.calling { number in try later.append("before \(number)") })
    defer { storage.close() }
    let (others, other) = try bench.open(nil, namespace: "other")
    defer { others.close() }
    later.set(other)
    try await log.append("outer")
    try await log.append(Pieces(Payloads.random(200_000), []))
    #expect(try other.records(in: 0..<2).map(\.text) == ["before 0", "before 1"])
  }

  /// Chunks of which each is made with a call.
  private struct Source: AsyncSequence, AsyncIteratorProtocol {
    let call: () async throws -> Void
    var left = 2

    func makeAsyncIterator() -> Source { self }

    mutating func next() async throws -> [UInt8]? {
      if left == 0 { return nil }
      left -= 1
      try await call()
      return [1, 2, 3]
    }
  }

  @Test("A source may append to the log that its payload is for: nobody waits for it")
  func source() async throws {
    let bench = try Workbench()
    let (storage, log) = try bench.open(nil)
    defer { storage.close() }
    try await log.append(Source { try await log.append("inner") })
    #expect(try log.records(in: 0..<3).map(\.text) == ["inner", "inner", "\u{1}\u{2}\u{3}\u{1}\u{2}\u{3}"])
  }

  @Test("In a transaction it is told that it waits for itself")
  func sourceInATransaction() async throws {
    let bench = try Workbench()
    let (storage, log) = try bench.open(nil)
    defer { storage.close() }
    let source = Source { try await log.append("inner") }
    do {
      try await log.transaction { try await $0.append(source) }
      Issue.record("it was appended")
    } catch ImmutaError.wouldDeadlock(let text) {
      #expect(text.contains("events.log"))
    }
    #expect(log.count == 0)
  }

  @Test("A source may append to another log, and let another task append to its own")
  func sourceOfAnotherLog() async throws {
    let bench = try Workbench()
    let (storage, log) = try bench.open(nil)
    defer { storage.close() }
    let (others, other) = try bench.open(nil, namespace: "other")
    defer { others.close() }
    let tasks = Mutex<[Task<Void, any Error>]>([])
    try await log.append(
      Source {
        try await other.append(Source { try await Task.sleep(for: .zero) })
        let task = Task { _ = try await log.append("behind") }
        tasks.withLock { $0.append(task) }
        await Task.yield()
      })
    for task in tasks.withLock({ $0 }) { try await task.value }
    #expect(log.count == 3 && other.count == 2)
    #expect(try log.records(in: 0..<3).map(\.payload.count) == [6, 6, 6])
  }
}
