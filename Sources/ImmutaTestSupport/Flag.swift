import ImmutaLocking

/// Set once, by whichever task; any task may look.
public final class Flag: Sendable {
  private let value = Lock(false)

  /// One that is not set.
  public init() {}

  /// Whether it was set.
  public var isSet: Bool { value.withLock { $0 } }

  /// Sets it.
  public func set() { value.withLock { $0 = true } }
}
