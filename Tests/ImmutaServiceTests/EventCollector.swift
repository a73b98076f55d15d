import Immuta
import ImmutaLocking
import Logging

/// Keeps what is logged.
final class EventCollector: Sendable {
  /// A line.
  struct Line: Sendable {
    let level: Logger.Level
    let message: String
    let metadata: [String: String]

    /// The event's name.
    var event: String? { metadata[StorageEvent.metadataKey] }
  }

  private let lines = Lock<[Line]>([])

  var logger: Logger { Logger(label: "test") { _ in Handler(collector: self) } }

  /// All lines.
  var all: [Line] { lines.withLock { $0 } }

  /// The lines of an event.
  func lines(of event: StorageEvent) -> [Line] { all.filter { $0.event == event.rawValue } }

  /// The first line of an event, once there is one; nil if there is none for ten seconds.
  func line(of event: StorageEvent) async -> Line? {
    _ = await eventually { !self.lines(of: event).isEmpty }
    return lines(of: event).first
  }

  private struct Handler: LogHandler {
    let collector: EventCollector
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
      collector.lines.withLock { $0.append(Line(level: event.level, message: "\(event.message)", metadata: metadata)) }
    }
  }
}

/// Whether something becomes true within ten seconds.
func eventually(_ condition: () async throws -> Bool) async rethrows -> Bool {
  for _ in 0..<2000 {
    if try await condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return try await condition()
}
