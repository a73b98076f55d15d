import Immuta
import ImmutaLocking
import ImmutaTestSupport

@testable import ImmutaCLI

/// A log in a directory that stands for one on a cluster: it knows the id of each record, and can be made to fail.
final class CopiedLog: MirrorTarget {
  struct Killed: Error {}

  let log: Log
  private let state = Lock(State())

  private struct State {
    var ids: [String] = []
    /// Asked before each append of several records: how many are stored before it fails, and with what; nil for none.
    var failure: (@Sendable (Int) -> (stored: Int, error: any Error)?)?
  }

  init(_ log: Log) { self.log = log }

  var ids: [String] { state.withLock { $0.ids } }

  func fail(_ failure: (@Sendable (Int) -> (stored: Int, error: any Error)?)?) {
    state.withLock { $0.failure = failure }
  }

  func end() async throws -> (count: Int, lastID: String?) { state.withLock { ($0.ids.count, $0.ids.last) } }

  func records(from number: Int) -> RecordStream { log.stream(from: .sequence(number)) }

  func append(_ records: [(payload: Payload, id: String)], expecting count: Int) async throws {
    let failure = state.withLock { $0.failure }?(records.count)
    // One by one, as on a cluster: others may come between.
    for (place, record) in records.prefix(failure?.stored ?? records.count).enumerated() {
      try await log.append(record.payload, expecting: count + place)
      state.withLock { $0.ids.append(record.id) }
    }
    if let failure { throw failure.error }
  }
}

extension Log {
  /// All payloads, as text.
  var texts: [String] {
    get throws {
      var (texts, history) = ([String](), history())
      while let record = try history.next() { texts.append(record.text) }
      return texts
    }
  }
}
