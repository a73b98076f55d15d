import Immuta
import ImmutaTestSupport
import Testing

/// A storage's logs share what transforms their payloads, so that what waits for the next record does not grow with
/// their number.
@Suite("States shared between logs")
struct SharedStateTests {
  let directory: TemporaryDirectory

  init() throws {
    directory = TemporaryDirectory(inMemory: true)
  }

  /// Counts its states.
  private struct Counted: Transformer {
    let name = "counted"
    let made = Count()
    let alive = Count()

    func makeState() -> sending any TransformerState {
      made.add()
      return State(alive)
    }

    final class State: TransformerState {
      private let alive: Count

      init(_ alive: Count) {
        self.alive = alive
        alive.add()
      }

      deinit {
        alive.add(-1)
      }

      func transform(_ input: RawSpan, into output: TransformOutput) -> Int {
        output.append(input)
        return input.byteCount
      }
    }
  }

  private func open(_ count: Int, _ written: Counted, _ read: Counted) throws -> (storage: Storage, logs: [Log]) {
    var configuration = Storage.Configuration()
    configuration.codec = Codec(writing: written, reading: read)
    let names = (0..<count).map { "log-\($0)" }
    let storage = try Storage(directory: directory.path, namespaces: names, configuration: configuration)
    return (storage, try names.map { try storage.log($0) })
  }

  @Test("Logs used one after the other use one state each way")
  func oneAfterTheOther() async throws {
    let (written, read) = (Counted(), Counted())
    let (storage, logs) = try open(50, written, read)
    defer { storage.close() }
    for log in logs { try await log.append("of \(log.namespace)") }
    let late = try storage.log("late", creating: true)
    try await late.append("of late")
    for log in logs + [late] { #expect(try await log.record(at: 0).text == "of \(log.namespace)") }
    #expect(written.made.value == 1 && read.made.value == 1)
  }

  @Test("However many logs were read at once, few states are kept; and none when the storage is gone")
  func atOnce() async throws {
    let (written, read) = (Counted(), Counted())
    do {
      let (storage, logs) = try open(40, written, read)
      defer { storage.close() }
      for log in logs { try await log.append(Payloads.repetitive(2_000_000)) }
      let payloads = try logs.map { log in try log.records(in: 0..<1).map(\.payload)[0] }
      #expect(Self.readAtOnce(payloads) { read.alive.value } == 40)
      #expect(read.alive.value <= 8)
    }
    #expect(read.alive.value == 0 && written.alive.value == 0)
  }

  /// The states that live while all of the payloads are half read.
  private static func readAtOnce(_ payloads: [Payload], _ count: () -> Int) -> Int {
    var iterators = payloads.map { $0.chunks(ofSize: 100_000).makeIterator() }
    for position in iterators.indices { _ = iterators[position].next() }
    let most = count()
    for position in iterators.indices { while iterators[position].next() != nil {} }
    return most
  }
}
