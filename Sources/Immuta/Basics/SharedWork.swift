import ImmutaLocking

/// Work that several threads share, a piece at a time.
final class SharedWork: Sendable {
  private let count: Int
  /// Nil once all is done: a thread that comes too late keeps nothing alive.
  private let body: Lock<(@Sendable (Int) -> Void)?>
  private let taken = Lock(0)
  private let done = Lock(0)
  private let gate = ThreadGate()

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    self.body = Lock(body)
  }

  func run() {
    guard let body = body.withLock({ $0 }) else { return }
    while true {
      let number = taken.withLock { taken in
        defer { taken += 1 }
        return taken
      }
      if number >= count { return }
      body(number)
      let isLast = done.withLock { done in
        done += 1
        return done == count
      }
      if isLast { gate.open() }
    }
  }

  func finish() {
    if count == 0 { return }
    run()
    gate.wait()
    body.withLock { $0 = nil }
  }
}
