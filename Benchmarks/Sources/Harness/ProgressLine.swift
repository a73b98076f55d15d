import Foundation

/// A line on standard error that says what is being done.
package final class ProgressLine {
  private let start = ContinuousClock.now
  private let isTerminal = isatty(2) == 1

  package init() {}

  package var elapsed: String {
    let seconds = Int((ContinuousClock.now - start).components.seconds)
    return seconds < 120 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
  }

  package func say(_ text: String) {
    let line = "[\(elapsed)] \(text)"
    let ended = isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n"
    FileHandle.standardError.write(Data(ended.utf8))
  }

  package func end() {
    if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}
