#if JetStream
  import Immuta
  import ImmutaJetStream

  extension ConsumerListing {
    /// Lists the consumers of the logs that are named, or of all, of a cluster.
    @MainActor func print(_ namespaces: [String], on servers: String, asJSON: Bool) async throws {
      try await Cluster.withConnection(to: servers) { cluster in
        try await print(asJSON: asJSON) { [try await Self.report(namespaces, cluster, asJSON)] }
      }
    }

    @MainActor private static func report(
      _ namespaces: [String], _ cluster: Cluster, _ asJSON: Bool
    ) async throws -> ConsumerReport {
      var report = ConsumerReport(of: nil, isStore: false, asJSON: asJSON)
      let names = namespaces.isEmpty ? try await cluster.logs.map(\.namespace) : namespaces
      for namespace in names {
        do {
          for consumer in try await cluster.consumers(of: namespace) { report.add(consumer, of: namespace) }
        } catch ImmutaError.namespaceNotFound(let name) {
          report.add(await cluster.notFound(name))
        } catch {
          report.add(error)
        }
      }
      return report
    }
  }

  extension ConsumerChoice {
    /// Has the consumer go on elsewhere.
    @MainActor func seek(
      to position: StreamPosition, _ creation: ConsumerCreation, on servers: String
    ) async throws {
      try await withCluster(servers) { cluster in
        let makes = try creation.allows(name, besides: await cluster.consumers(of: namespace).map(\.name))
        try await cluster.seekConsumer(name, of: namespace, to: position)
        makes?.say()
      }
    }

    /// Forgets the consumer.
    @MainActor func remove(on servers: String) async throws {
      try await withCluster(servers) { try await $0.removeConsumer(name, of: namespace) }
    }

    /// Connects, and says what it comes to in the tool's words.
    @MainActor private func withCluster(
      _ servers: String, _ body: @MainActor (Cluster) async throws -> Void
    ) async throws {
      try await Cluster.withConnection(to: servers) { cluster in
        do {
          try await body(cluster)
        } catch ImmutaError.namespaceNotFound(let log) {
          throw await cluster.notFound(log)
        } catch ImmutaError.consumerNotFound {
          let names = (try? await cluster.consumers(of: namespace).map(\.name)) ?? []
          throw notFound(among: names, " on the cluster", listedBy: "immuta consumers \(namespace) --url …")
        } catch let error as ImmutaError {
          throw explained(error)
        }
      }
    }
  }
#endif
