import Foundation

/// Ends the process with a message when something takes longer than it may: for tests of code that must never hang.
public final class Watchdog: Sendable {
  private let stopped = DispatchSemaphore(value: 0)

  /// Starts watching; `stop` must be called in time.
  public init(_ patience: Duration, _ message: String) {
    let seconds = Double(patience.components.seconds) + Double(patience.components.attoseconds) / 1e18
    let stopped = stopped
    Foundation.Thread.detachNewThread {
      guard stopped.wait(timeout: .now() + seconds) == .timedOut else { return }
      FileHandle.standardError.write(Data("\n\(message) (waited \(patience))\n".utf8))
      abort()
    }
  }

  /// What was watched is over.
  public func stop() {
    stopped.signal()
  }
}
