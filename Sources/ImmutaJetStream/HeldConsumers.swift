#if JetStream
  import ImmutaLocking

  /// The consumers of a cluster's logs that this process has, to release them when a log or the cluster is closed.
  final class HeldConsumers: Sendable {
    private struct Held: Sendable {
      weak var keeper: MarkKeeper?
    }

    private let all = Lock<[Held]>([])

    func add(_ keeper: MarkKeeper) {
      all.withLock { all in
        all.removeAll { $0.keeper == nil }
        all.append(Held(keeper: keeper))
      }
    }

    /// Releases the consumers of these logs.
    ///
    /// - Throws: what went wrong last.
    func release(_ isMeant: @Sendable (LogAccess) -> Bool) async throws {
      let keepers = all.withLock { $0.compactMap(\.keeper) }.filter { isMeant($0.access) }
      var failure: (any Error)?
      for keeper in keepers {
        do { try await keeper.release() } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }
#endif
