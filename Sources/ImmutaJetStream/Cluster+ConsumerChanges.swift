#if JetStream
  public import Immuta

  extension Cluster {
    /// Makes a consumer go on at a place when it is opened next, while nobody has it; makes it if it does not exist. Works also
    /// if its position is damaged, or that of a log that was deleted. When it returns, a majority of the servers have the change.
    ///
    /// - Throws: `.consumerInUse`, `.invalidConsumer`; `.positionBeyondEnd`, `.invalidPosition`, `.foreignPosition`; as
    ///   ``details(of:)``. After `.unavailable` and `CancellationError` it is where it was, or at the new place.
    public func seekConsumer(_ name: String, of namespace: String, to position: StreamPosition) async throws {
      try await change(name, of: namespace) { change in
        let place = try await change.access.place(of: position, until: change.deadline)
        while true {
          var message: ClusterRecord?
          do {
            message = try await change.message()
          } catch let refusal as ServerRefusal where refusal.isNoStream {
            try await change.store.create(replicas: change.replicas, until: change.deadline)
          }
          if try await change.write(place.sequence, over: message) { return }
        }
      }
    }

    /// Forgets a consumer that nobody has: an empty message takes the place of its position. When it returns, a majority of the
    /// servers have that.
    ///
    /// - Throws: `.consumerNotFound`, `.consumerInUse`, `.invalidConsumer`; as ``details(of:)``. After `.unavailable` and
    ///   `CancellationError` it may be there or not.
    public func removeConsumer(_ name: String, of namespace: String) async throws {
      try await change(name, of: namespace) { change in
        while true {
          var message: ClusterRecord?
          do {
            message = try await change.message()
          } catch let refusal as ServerRefusal where refusal.isNoStream {}
          // An empty one: it was removed before.
          guard let message, !message.payload.isEmpty else { throw ImmutaError.consumerNotFound(name) }
          if try await change.write(nil, over: message) { return }
        }
      }
    }

    /// Calls `body` for a consumer of a log, whatever codec that has.
    private func change(
      _ name: String, of namespace: String, _ body: (ConsumerChange) async throws -> Void
    ) async throws {
      guard FileName.isValid(name) else { throw ImmutaError.invalidConsumer(name) }
      guard let stream = StreamName(namespace) else { throw ImmutaError.invalidNamespace(namespace) }
      let deadline = ContinuousClock.now + transport.options.deadline
      do {
        let json = try await transport.api("STREAM.INFO.\(stream.stream)", until: deadline)
        guard let description = StreamDescription(json), let identity = description.identity else {
          throw ImmutaError.namespaceNotFound(namespace)
        }
        let access = LogAccess(transport, stream, identity, description, nil)
        try await body(ConsumerChange(name: name, access: access, replicas: description.replicas, deadline: deadline))
      } catch let refusal as ServerRefusal {
        throw refusal.isNoStream
          ? ImmutaError.namespaceNotFound(namespace) : ImmutaError.unavailable(refusal.description).of(namespace)
      } catch let error as ImmutaError {
        throw error.of(namespace)
      }
    }
  }

  /// A change of a consumer that nobody has.
  private struct ConsumerChange: Sendable {
    let name: String
    let access: LogAccess
    let replicas: Int
    let deadline: ContinuousClock.Instant

    var store: MarkStore { MarkStore(access: access) }

    /// What is kept of the consumer; nil for nothing.
    ///
    /// - Throws: `.consumerInUse`; a `ServerRefusal` where there is no stream.
    func message() async throws -> ClusterRecord? {
      let message = try await store.message(of: name, until: deadline)
      if let kept = message.flatMap(MarkStore.Kept.init) {
        try await MarkKeeper.checkFree(kept, name, store, until: deadline)
      }
      return message
    }

    /// Puts a position that nobody has, or nothing, in the place of a message, or of none. False if another process was faster.
    func write(_ position: Int?, over message: ClusterRecord?) async throws -> Bool {
      let mark = position.map {
        ConsumerMark(identity: access.identity, position: $0, owner: nil, process: nil, since: nil)
      }
      let written = try await store.write(
        mark, of: name, replacing: message.map { $0.sequence + 1 } ?? 0, until: deadline)
      if case .revision = written { return true } else { return false }
    }
  }
#endif
