import ImmutaLocking

/// The reader of the segment that is appended to, which is another one when the log has rolled. An object of its own: a caller
/// that reads one record at a time need not hold the writer for it.
final class NewestSegment: Sendable {
  private let current: Lock<LogReader>

  init(_ reader: LogReader) {
    current = Lock(reader)
  }

  var reader: LogReader { current.withLock { $0 } }

  func roll(to next: LogReader) {
    current.withLock { $0 = next }
  }
}
