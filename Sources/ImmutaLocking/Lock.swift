public import Synchronization

/// A `Mutex` that the thread sanitizer can see.
///
/// On Linux a contended `Mutex` is taken inside the standard library, which is not instrumented: the sanitizer takes
/// two such visits to the value for a race. The edge below is the order that the mutex makes anyway, said once more in
/// code that is instrumented; it costs a load and a store, and leaves `swift test --sanitize=thread` with the real
/// races.
///
/// Public, in a module that is no product's: the compiler inlines across modules what is public, and specialises it; as
/// a generic function of the package's it would look up metadata at run time, which costs more than the lock.
public struct Lock<Value: ~Copyable>: ~Copyable, Sendable {
  @usableFromInline let mutex: Mutex<Value>
  @usableFromInline let edge = Atomic<Bool>(false)

  /// A lock of a value.
  @inlinable
  public init(_ value: consuming sending Value) {
    mutex = Mutex(value)
  }

  /// Calls `body` with the value, while nobody else has it.
  @inlinable
  @inline(__always)
  public borrowing func withLock<Result: ~Copyable, E: Error>(
    _ body: (inout sending Value) throws(E) -> sending Result
  ) throws(E) -> sending Result {
    try mutex.withLock { (value) throws(E) -> sending Result in
      // Reads what the last visitor stored on leaving: each visit happens after the one before.
      _ = edge.load(ordering: .acquiring)
      defer { edge.store(true, ordering: .releasing) }
      return try body(&value)
    }
  }

  /// Calls `body` with the value if nobody else has it at this moment; nil otherwise.
  @inlinable
  @inline(__always)
  public borrowing func withLockIfAvailable<Result: ~Copyable, E: Error>(
    _ body: (inout sending Value) throws(E) -> sending Result
  ) throws(E) -> sending Result? {
    try mutex.withLockIfAvailable { (value) throws(E) -> sending Result in
      _ = edge.load(ordering: .acquiring)
      defer { edge.store(true, ordering: .releasing) }
      return try body(&value)
    }
  }
}
