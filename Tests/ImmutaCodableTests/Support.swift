import Foundation
import Immuta
import ImmutaCodable
import ImmutaLocking
import ImmutaTestSupport
import Logging
import Testing

/// What most of these tests append.
enum OrderEvent: Codable, Hashable {
  case placed(id: Int)
  case shipped(id: Int, at: Date)
  case cancelled
}

extension TemporaryDirectory {
  func open(_ configuration: Storage.Configuration = .init(), _ namespace: String = "orders") throws -> Storage {
    try Storage(directory: path, namespaces: [namespace], configuration: configuration)
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: file(name)) }
}

/// What a logger was told.
final class Notes: Sendable {
  private let lines = Lock<[String]>([])
  var all: [String] { lines.withLock { $0 } }

  /// A configuration whose logger these are.
  var configuration: Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.logger = Logger(label: "test") { _ in Handler(notes: self) }
    return configuration
  }

  private struct Handler: LogHandler {
    let notes: Notes
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { notes.lines.withLock { $0.append("\(event.message)") } }
  }
}

/// The error that `body` throws.
func thrown(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async throws -> ImmutaError {
  do {
    try await body()
  } catch let error as ImmutaError {
    return error
  }
  Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  throw CancellationError()
}

/// A state that depends on each text, on their order and on how often each came.
struct Trail: Codable, Hashable, Sendable {
  var count = 0
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ text: String) {
    count += 1
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  /// Of all records that there are.
  static func fresh(_ log: Log) throws -> Trail {
    var trail = Trail()
    var history = log.history()
    while let record = try history.next() { trail.add(record.text) }
    return trail
  }
}

extension Log {
  /// How often a record was added is counted.
  func trail(
    version: Int = 1, saving: SnapshotPolicy = .onDemand, calls: Calls = Calls()
  ) throws -> Projection<Trail> {
    try projection(named: "trail", initial: Trail(), version: version, saving: saving) { trail, record in
      calls.add()
      trail.add(record.text)
    }
  }
}

final class Calls: Sendable {
  private let number = Lock(0)
  var count: Int { number.withLock { $0 } }
  func add() { number.withLock { $0 += 1 } }
}
