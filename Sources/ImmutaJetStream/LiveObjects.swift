#if JetStream
  import Synchronization

  /// How many objects exist that hold memory of the C library: tests check by it that nothing leaks.
  package enum LiveObjects {
    package enum Kind { case connection, subscription, message }

    /// Relaxed: a test that compares them has waited for everything to end.
    private static let connections = Atomic(0)
    private static let subscriptions = Atomic(0)
    private static let messages = Atomic(0)

    package static subscript(_ kind: Kind) -> Int {
      switch kind {
      case .connection: connections.load(ordering: .relaxed)
      case .subscription: subscriptions.load(ordering: .relaxed)
      case .message: messages.load(ordering: .relaxed)
      }
    }

    static func count(_ kind: Kind, _ change: Int) {
      switch kind {
      case .connection: connections.wrappingAdd(change, ordering: .relaxed)
      case .subscription: subscriptions.wrappingAdd(change, ordering: .relaxed)
      case .message: messages.wrappingAdd(change, ordering: .relaxed)
      }
    }
  }
#endif
