#if JetStream
  import Immuta
  import ImmutaJetStream

  extension ConsumerListing {
    /// Lists the consumers of the logs that are named, or of all, of a cluster.
    @MainActor func print(_ namespaces: [String], on servers: String, asJSON: Bool) async throws {
      let cluster = try await Cluster.connect(commandLine: servers)
      do {
        try await print(asJSON: asJSON) { [try await Self.report(namespaces, cluster, asJSON)] }
        await cluster.close()
      } catch {
        await cluster.close()
        throw error
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
          report.add(ToolError("there is no log “\(name)” on the cluster"))
        } catch {
          report.add(error)
        }
      }
      return report
    }
  }

  extension ConsumerChoice {
    /// Has the consumer go on elsewhere.
    @MainActor func seek(to position: StreamPosition, on servers: String) async throws {
      try await withCluster(servers) { try await $0.seekConsumer(name, of: namespace, to: position) }
    }

    /// Forgets the consumer.
    @MainActor func remove(on servers: String) async throws {
      try await withCluster(servers) { try await $0.removeConsumer(name, of: namespace) }
    }

    @MainActor private func withCluster(
      _ servers: String, _ body: @MainActor (Cluster) async throws -> Void
    ) async throws {
      let cluster = try await Cluster.connect(commandLine: servers)
      do {
        try await body(cluster)
        await cluster.close()
      } catch {
        await cluster.close()
        switch error {
        case ImmutaError.namespaceNotFound(let name): throw ToolError("there is no log “\(name)” on the cluster")
        case ImmutaError.consumerNotFound(let name, _):
          throw ToolError(
            "there is no consumer “\(name)” of “\(namespace)” on the cluster: `immuta consumers \(namespace) --url …` lists those that exist"
          )
        default: throw error
        }
      }
    }
  }
#endif
