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
#endif
