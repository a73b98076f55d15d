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
        let explained = await explain(error, cluster)
        await cluster.close()
        throw explained
      }
    }

    /// What an error comes to in the tool's words.
    @MainActor private func explain(_ error: any Error, _ cluster: Cluster) async -> any Error {
      switch error as? ImmutaError {
      case .namespaceNotFound(let log): return await cluster.notFound(log)
      case .consumerNotFound:
        let names = (try? await cluster.consumers(of: namespace).map(\.name)) ?? []
        return ToolError(
          "there is no consumer “\(name)” of “\(namespace)” on the cluster:\(Suggestion(for: name, among: names).asked(after: " ")) "
            + "`immuta consumers \(namespace) --url …` lists those that exist")
      case .positionBeyondEnd(let position, let count, _):
        return ToolError(
          "--to \(position) is beyond the end: the log has \(Quantities.counted(count, "record")), and the consumer “\(name)” stays "
            + "where it is. Give a number up to \(count), or --to latest for what is appended from now on")
      default: return error
      }
    }
  }
#endif
