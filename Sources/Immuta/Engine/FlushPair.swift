import Locking

/// Flushes two files at the same time: the log's on a thread of its own, the companion's on the caller's.
///
/// In turn the two take twice as long as one; side by side the device serves them together. Measured on ext4, medians of
/// 300 commits of 1 KiB: 105 µs in turn, 80 µs side by side, 45 µs for one file alone.
final class FlushPair: Sendable {
  private let first: Descriptor
  private let second: Descriptor
  private let request = ThreadGate()
  private let answer = ThreadGate()
  private let state = Lock(State())

  private struct State {
    var isRunning = false
    var isStopping = false
    var failure: ImmutaError?
  }

  init(_ first: Descriptor, _ second: Descriptor) {
    self.first = first
    self.second = second
  }

  /// Returns when both files are on stable storage. One caller at a time, which may block.
  func flush() throws(ImmutaError) {
    guard startIfNeeded() else {
      try first.flush()
      return try second.flush()
    }
    request.open()
    var failure: ImmutaError?
    do throws(ImmutaError) { try second.flush() } catch { failure = error }
    answer.wait()
    if let failure = state.withLock({ $0.failure }) ?? failure { throw failure }
  }

  /// False when there is no thread to be had.
  private func startIfNeeded() -> Bool {
    state.withLock { state in
      if state.isRunning { return true }
      guard (try? Thread.start { self.run() }) != nil else { return false }
      state.isRunning = true
      return true
    }
  }

  private func run() {
    while true {
      request.wait()
      if state.withLock({ $0.isStopping }) { break }
      do throws(ImmutaError) { try first.flush() } catch { state.withLock { $0.failure = error } }
      answer.open()
    }
    answer.open()
  }

  /// Ends the thread; returns when it makes no more calls. Nothing may be flushed after.
  func stop() {
    let isRunning = state.withLock { state in
      state.isStopping = true
      return state.isRunning
    }
    guard isRunning else { return }
    request.open()
    answer.wait()
  }
}
