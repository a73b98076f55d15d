#if JetStream
  import ImmutaLocking

  /// An object that reads through a connection.
  protocol ConnectionWatcher: AnyObject, Sendable {
    /// Answers to requests through the connection will not come any more.
    func connectionWasLost()
    /// Something was closed: perhaps what this one works on.
    func lookForClosing()
  }

  /// The objects that read through a connection, as long as they live.
  final class ConnectionWatchers: Sendable {
    private struct Watcher: Sendable {
      weak var watcher: (any ConnectionWatcher)?
    }

    private let all = Lock<[ObjectIdentifier: Watcher]>([:])

    func add(_ watcher: any ConnectionWatcher) {
      all.withLock { $0[ObjectIdentifier(watcher)] = Watcher(watcher: watcher) }
    }

    /// For a watcher that ends, and so cannot be passed on.
    func remove(_ identity: ObjectIdentifier) {
      all.withLock { _ = $0.removeValue(forKey: identity) }
    }

    func tellOfLoss() {
      for watcher in all.withLock({ $0.values.compactMap(\.watcher) }) { watcher.connectionWasLost() }
    }

    func tellOfClosing() {
      for watcher in all.withLock({ $0.values.compactMap(\.watcher) }) { watcher.lookForClosing() }
    }
  }
#endif
