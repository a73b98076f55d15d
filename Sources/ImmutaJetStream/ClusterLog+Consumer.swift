#if JetStream
  public import Immuta

  extension ClusterLog {
    /// Opens a consumer of the log; makes it if the log has none with that name. See ``ClusterConsumer``.
    ///
    /// - Parameters:
    ///   - name: as a namespace's: 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”.
    ///   - start: where it begins if it is made now; otherwise it goes on where it was.
    ///   - creating: whether it is made where there is none.
    /// - Throws: `.consumerInUse` when somebody has it, or had it within the last 10 seconds and did not release it;
    ///   `.consumerNotFound`, `.invalidConsumer`; `.foreignPosition` where its position is one in a log that was deleted;
    ///   `.positionBeyondEnd`; `.unavailable`, `.storageClosed`, `CancellationError`.
    public func consumer(
      _ name: String, startingAt start: StreamPosition = .beginning, creating: Bool = true
    ) async throws -> ClusterConsumer {
      guard FileName.isValid(name) else { throw ImmutaError.invalidConsumer(name) }
      try access.checkOpen()
      do {
        let keeper = try await MarkKeeper.take(
          name, of: access, startingAt: start, creating: creating, replicas: replicas)
        cluster.held.add(keeper)
        return ClusterConsumer(name, access, keeper)
      } catch {
        throw access.error(error)
      }
    }
  }
#endif
