import Synchronization

/// A bar on standard error, when that is a terminal and the work takes long enough to look at one.
final class Progress: Sendable {
  private struct State {
    var drawn: ContinuousClock.Instant?
  }

  private static let firstDelay: Duration = .milliseconds(300)
  private static let pause: Duration = .milliseconds(100)
  private static let barWidth = 30

  private let label: String
  private let isShown: Bool
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  init(_ label: String, isShown: Bool = System.isTerminal(System.standardError)) {
    self.label = label
    self.isShown = isShown
  }

  /// So much of so much is done; of so many bytes, where nobody knows how many come.
  ///
  /// Cheap where nothing is shown; else costs a look at the clock.
  func update(_ done: Int, of total: Int?) {
    guard isShown else { return }
    let now = ContinuousClock.now
    state.withLock { state in
      let due = state.drawn.map { $0 + Self.pause } ?? start + Self.firstDelay
      guard now >= due else { return }
      state.drawn = now
      let elapsed = now - start
      if let total {
        write(Self.line(label, done, of: total, after: elapsed))
      } else {
        write(Self.line(label, bytes: done, after: elapsed))
      }
    }
  }

  /// Takes the bar away.
  func finish() {
    state.withLock { state in
      if state.drawn != nil { write("\r\u{1B}[K") }
      state.drawn = nil
    }
  }

  /// The bar, from the beginning of the line.
  static func line(_ label: String, _ done: Int, of total: Int, after elapsed: Duration) -> String {
    let part = total <= 0 ? 1 : min(1, max(0, Double(done) / Double(total)))
    let full = Int(part * Double(barWidth))
    let bar = String(repeating: "━", count: full) + String(repeating: "┄", count: barWidth - full)
    var text = "\r\(label)  \(bar) \(Int(part * 100))%"
    if part > 0.02, part < 1 {
      let left = elapsed * ((1 - part) / part) / .seconds(1)
      text += left < 60 ? "  \(Int(left.rounded(.up))) s left" : "  \(Int((left / 60).rounded(.up))) min left"
    }
    return text + "\u{1B}[K"
  }

  /// The same where nobody knows how much comes: a piece that goes to and fro, how much there was, and how fast.
  static func line(_ label: String, bytes: Int, after elapsed: Duration) -> String {
    let piece = 6
    let way = barWidth - piece
    let step = Int(elapsed / pause) % (2 * way)
    let start = step <= way ? step : 2 * way - step
    var bar = String(repeating: "┄", count: start) + String(repeating: "━", count: piece)
    bar += String(repeating: "┄", count: way - start)
    let rate = Quantities.megabytes(bytes, in: elapsed).map { "  \($0) MB/s" } ?? ""
    return "\r\(label)  \(bar) \(ByteWords.rounded.of(bytes))\(rate)\u{1B}[K"
  }

  private func write(_ text: String) {
    // A bar that cannot be drawn is no reason to stop.
    Array(text.utf8).withUnsafeBytes { try? System.write($0, to: System.standardError) }
  }
}
