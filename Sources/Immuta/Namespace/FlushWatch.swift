import Logging

/// Says how long a log's flushes take: to an observer each time, to the logger where one takes long. Without both, no clock is
/// read.
struct FlushWatch: Sendable {
  let namespace: String
  let path: String
  let observer: (any LogObserver)?
  let logger: Logger?
  /// How long a flush must take to be logged.
  let threshold: Duration

  /// When a flush begins; nil where nobody wants to know.
  func start() -> ContinuousClock.Instant? { observer == nil && logger == nil ? nil : .now }

  /// A flush that began then has succeeded.
  func note(since start: ContinuousClock.Instant?) {
    guard let start else { return }
    let time = ContinuousClock.now - start
    observer?.flushed(in: time)
    if time < threshold { return }
    logger?.tellBeside(
      .slowFlush, .warning, "a flush took \(time.tenths): the disk is slow, or busy with something else",
      metadata.merging(["seconds": "\(time.inSeconds)"]) { $1 })
  }

  /// A flush failed, or cannot be relied on.
  func note(_ failure: ImmutaError) {
    logger?.tellBeside(
      .flushFailed, .error, "nothing more is appended until the log is closed and opened again: \(failure)", metadata)
  }

  private var metadata: Logger.Metadata { ["namespace": "\(namespace)", "path": "\(path)"] }
}
