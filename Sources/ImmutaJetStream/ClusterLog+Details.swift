#if JetStream
  public import Immuta

  extension ClusterLog {
    /// What the cluster says of a log, without reading it: see ``Cluster/details(of:)``.
    public struct Details: Hashable, Sendable {
      /// The namespace.
      public let namespace: String
      /// The stream that it is on the cluster.
      public let streamName: String
      /// The log's identity.
      public let identity: LogIdentity
      /// The name of the codec that its payloads are stored with; empty for none.
      public let codec: String
      /// How many records were ever appended.
      public internal(set) var count: Int
      /// The number of the first record that was not removed.
      public let firstSequence: Int
      /// Bytes that the records take on each server, with their headers.
      public let byteCount: Int
      /// When the first existing record was stored; nil if there is none.
      public let firstTimestamp: Timestamp?
      /// When the last record was stored; nil where there is none.
      public let lastTimestamp: Timestamp?
      /// On how many servers it is kept.
      public let replicas: Int
      /// What of the stream's configuration is not as it must be for a log; empty where all is. A log with faults cannot be opened.
      public let faults: [String]
    }
  }

  extension Cluster {
    /// What the cluster says of all its logs, sorted by name. A question for each 256 streams.
    ///
    /// - Throws: `.unavailable`, `.storageClosed`, `CancellationError`.
    public var logs: [ClusterLog.Details] {
      get async throws {
        let deadline = ContinuousClock.now + transport.options.deadline
        var found: [String: ClusterLog.Details] = [:]
        var offset = 0
        while true {
          let page = try await listing(from: offset, until: deadline)
          let streams = page["streams"]?.array ?? []
          for details in streams.compactMap({ ClusterLog.Details($0) }) { found[details.namespace] = details }
          offset += streams.count
          if streams.isEmpty || offset >= page["total"]?.int ?? 0 { break }
        }
        return found.values.sorted { $0.namespace < $1.namespace }
      }
    }

    /// What the cluster says of a log, whatever codec it has. One question.
    ///
    /// - Throws: `.namespaceNotFound`, `.invalidNamespace`; `.unavailable`, `.storageClosed`, `CancellationError`.
    public func details(of namespace: String) async throws -> ClusterLog.Details {
      guard let name = StreamName(namespace) else { throw ImmutaError.invalidNamespace(namespace) }
      do {
        let json = try await transport.api(
          "STREAM.INFO.\(name.stream)", until: .now + transport.options.deadline)
        guard let details = ClusterLog.Details(json) else { throw ImmutaError.namespaceNotFound(namespace) }
        return details
      } catch let refusal as ServerRefusal {
        throw refusal.isNoStream
          ? ImmutaError.namespaceNotFound(namespace) : ImmutaError.unavailable(refusal.description).of(namespace)
      }
    }

    private func listing(from offset: Int, until deadline: ContinuousClock.Instant) async throws -> JSON {
      do {
        return try await transport.api("STREAM.LIST", .object(["offset": .int(offset)]), until: deadline)
      } catch let refusal as ServerRefusal {
        throw ImmutaError.unavailable(refusal.description)
      }
    }
  }

  extension ClusterLog.Details {
    /// From what the cluster says of a stream; nil where that is no log.
    init?(_ json: JSON) {
      guard let stream = StreamDescription(json), let identity = stream.identity, let namespace = stream.namespace,
        let name = StreamName(namespace), stream.config["name"]?.string == name.stream
      else { return nil }
      let state = json["state"]
      let isEmpty = stream.first >= stream.count
      func time(_ member: String) -> Timestamp? {
        isEmpty ? nil : state?[member]?.string.flatMap { RecordTime.parse($0) }
      }
      self.init(
        namespace: namespace, streamName: name.stream, identity: identity, codec: stream.codec, count: stream.count,
        firstSequence: stream.first, byteCount: state?["bytes"]?.int ?? 0, firstTimestamp: time("first_ts"),
        lastTimestamp: time("last_ts"), replicas: stream.replicas, faults: stream.faults(name, identity))
    }
  }
#endif
