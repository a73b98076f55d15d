#if Service
  import Immuta
  import ImmutaLogStore
  import Logging

  /// What a service runs: a storage, or a store of partitions.
  protocol Served: Sendable {
    var directory: String { get }
    var logger: Logger? { get }
    /// The open logs; throws when it is closed.
    var allLogs: [Log] { get throws(ImmutaError) }
    var freeSpace: Int { get throws(ImmutaError) }
    func shutdown() async throws
  }

  extension Storage: Served {}
  extension LogStore: Served {}
#endif
