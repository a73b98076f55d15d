import Synchronization

/// A `Mutex` that the thread sanitizer can see.
///
/// On Linux a contended `Mutex` is taken inside the standard library, which is not instrumented: the sanitizer takes two
/// such visits to the value for a race. The edge below is the order that the mutex makes anyway, said once more in code
/// that is instrumented; it costs a load and a store, and leaves `swift test --sanitize=thread` with the real races.
struct Lock<Value: Sendable>: ~Copyable, Sendable {
  private let mutex: Mutex<Value>
  private let edge = Atomic<Bool>(false)

  init(_ value: Value) {
    mutex = Mutex(value)
  }

  borrowing func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
    mutex.withLock { value in
      // Reads what the last visitor stored on leaving: each visit happens after the one before.
      _ = edge.load(ordering: .acquiring)
      defer { edge.store(true, ordering: .releasing) }
      return body(&value)
    }
  }
}
