import ImmutaLocking
import Logging

extension Storage {
  /// How far the opening of a log has come.
  public struct OpeningProgress: Hashable, Sendable {
    /// The log's namespace.
    public let namespace: String
    /// The log file.
    public let path: String
    /// How much of `total` is done. It never goes down while a log is opened. When opening ends, in success or failure, it equals
    /// `total`.
    public let done: Int
    /// How much there is to do at most: the bytes of the log, once for each pass over it.
    public let total: Int

    /// How much time passes between two messages to the logger.
    static let logInterval = Duration.seconds(5)
  }
}

extension Storage.Configuration {
  /// Reports the progress of work on a log that takes long; nil where nobody wants it.
  func scanProgress(_ files: LogFiles, size: Int, passCount: Int) -> ScanProgress? {
    let (logger, report) = (logger, openingProgress)
    if logger == nil, report == nil { return nil }
    let (namespace, path) = (files.namespace, files.logPath)
    let logged = Lock(ContinuousClock.now)
    return ScanProgress(size: size, passCount: passCount, pause: .milliseconds(100)) { done, total in
      report?(Storage.OpeningProgress(namespace: namespace, path: path, done: done, total: total))
      guard let logger else { return }
      let isDue = logged.withLock { logged in
        let now = ContinuousClock.now
        guard now - logged >= Storage.OpeningProgress.logInterval else { return false }
        logged = now
        return true
      }
      if !isDue { return }
      logger.tell(
        .openingProgress, .notice, "all of the log must be read: \(done / max(1, total / 100)) % is done",
        ["namespace": "\(namespace)", "path": "\(path)", "done": "\(done)", "total": "\(total)"])
    }
  }
}
