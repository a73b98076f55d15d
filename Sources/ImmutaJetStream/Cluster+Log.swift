#if JetStream
  public import Immuta
  import Logging

  extension Cluster {
    /// A log of the cluster.
    ///
    /// Its stream's configuration is checked: one that lets records be removed or replaced is refused. Each call gives a
    /// handle of its own.
    ///
    /// - Parameters:
    ///   - namespace: the log's name. Its stream has the same one, with equals signs in place of dots.
    ///   - creation: how it is made if the cluster has none of that name; nil: it is not.
    ///   - codec: how payloads are stored; the log must have been made with the same one. They are encoded before they are sent: the
    ///     servers never see more.
    /// - Throws: `.namespaceNotFound`, `.invalidNamespace`; `.codecMismatch`; `.invalidConfiguration`, which says which setting
    ///   is wrong; `.unavailable`, `.storageClosed`, `CancellationError`.
    public func log(
      _ namespace: String, creating creation: ClusterLog.Creation? = nil, codec: Codec? = nil
    ) async throws -> ClusterLog {
      guard let name = StreamName(namespace) else { throw ImmutaError.invalidNamespace(namespace) }
      try creation?.check()
      let deadline = ContinuousClock.now + transport.options.deadline
      let stream: StreamDescription
      do {
        stream = try await describe(name, creation, codec: codec?.name ?? "", until: deadline)
      } catch let refusal as ServerRefusal {
        throw Self.error(refusal, name)
      } catch let error as ImmutaError {
        throw error.of(namespace)
      }
      guard let identity = stream.identity, stream.namespace == namespace else {
        throw ImmutaError.invalidConfiguration(
          "the stream \(name.stream) was not made as the log “\(namespace)”: choose another name, or delete the stream")
      }
      if stream.codec != codec?.name ?? "" {
        throw ImmutaError.codecMismatch(written: stream.codec, opened: codec?.name ?? "").of(namespace)
      }
      let faults = stream.faults(name, identity)
      if !faults.isEmpty {
        throw ImmutaError.invalidConfiguration(
          "the stream \(name.stream) is not configured as a log must be: \(faults.joined(separator: "; ")). Put it right with `nats stream edit`"
        )
      }
      let coder = codec.map { PayloadCoder($0, namespace: namespace, limit: ClusterLog.largestDecodedPayload) }
      let access = LogAccess(transport, name, identity, stream, coder)
      if stream.first > 0 {
        transport.options.logger?.tell(
          .clusterRecordsRemoved, .warning, "records of a log on the cluster were removed",
          ["namespace": "\(namespace)", "first": "\(stream.first)"])
      }
      return ClusterLog(self, access, replicas: stream.replicas)
    }

    private func describe(
      _ name: StreamName, _ creation: ClusterLog.Creation?, codec: String, until deadline: ContinuousClock.Instant
    ) async throws -> StreamDescription {
      do {
        return try Self.description(try await transport.api("STREAM.INFO.\(name.stream)", until: deadline))
      } catch let refusal as ServerRefusal where refusal.isNoStream {
        guard let creation else { throw refusal }
        do {
          do {
            return try await create(name, creation, codec: codec, isBatched: true, until: deadline)
          } catch let refusal as ServerRefusal where !refusal.isNameInUse && !refusal.isPassing {
            // Servers before 2.14 do not know that setting. What else is wrong, the second answer says.
            return try await create(name, creation, codec: codec, isBatched: false, until: deadline)
          }
        } catch let refusal as ServerRefusal where refusal.isNameInUse {
          // Another process made it meanwhile.
          return try Self.description(try await transport.api("STREAM.INFO.\(name.stream)", until: deadline))
        }
      }
    }

    private func create(
      _ name: StreamName, _ creation: ClusterLog.Creation, codec: String, isBatched: Bool,
      until deadline: ContinuousClock.Instant
    ) async throws -> StreamDescription {
      let config = StreamDescription.config(name, .random(), codec: codec, creation, isBatched: isBatched)
      return try Self.description(try await transport.api("STREAM.CREATE.\(name.stream)", config, until: deadline))
    }

    private static func description(_ json: JSON) throws(ImmutaError) -> StreamDescription {
      guard let stream = StreamDescription(json) else { throw .unavailable("a server describes no stream") }
      return stream
    }

    private static func error(_ refusal: ServerRefusal, _ name: StreamName) -> ImmutaError {
      if refusal.isNoStream { return .namespaceNotFound(name.namespace) }
      return .invalidConfiguration("the cluster cannot keep the log “\(name.namespace)”: \(refusal)")
    }
  }

  extension ClusterLog {
    /// Bytes that a payload may have once it is decoded: more than a message can hold of anything but rubbish.
    static let largestDecodedPayload = 1 << 30
  }

  extension ClusterLog.Creation {
    fileprivate func check() throws(ImmutaError) {
      guard (1...5).contains(replicas) else {
        throw .invalidConfiguration("a log on \(replicas) servers: the servers keep 1 to 5 copies")
      }
      if let maximumBytes, maximumBytes < 1 {
        throw .invalidConfiguration("maximumBytes must be at least 1, or nil for no limit")
      }
      if let maximumRecords, maximumRecords < 1 {
        throw .invalidConfiguration("maximumRecords must be at least 1, or nil for no limit")
      }
    }
  }
#endif
