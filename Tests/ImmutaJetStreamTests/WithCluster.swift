#if JetStream
  import Immuta

  @testable import ImmutaJetStream

  /// Calls `body` with a cluster, and closes it.
  func withCluster(
    _ change: (inout Cluster.Options) -> Void = { _ in }, _ body: (Cluster) async throws -> Void
  ) async throws {
    let cluster = try await TestCluster.connect(change)
    do { try await body(cluster) } catch {
      await cluster.close()
      throw error
    }
    await cluster.close()
  }

  extension Cluster {
    /// Asks JetStream for something that no log does.
    func admin(_ path: String, _ body: JSON? = nil) async throws -> JSON {
      try await transport.api(path, body, until: .now + .seconds(20))
    }

    /// Changes a stream's configuration.
    func change(_ log: ClusterLog, _ members: [String: JSON]) async throws {
      guard case .object(var config)? = try await admin("STREAM.INFO.\(log.streamName)")["config"] else { return }
      config.removeAll { members[$0.name] != nil }
      config += members.map { .init(name: $0.key, value: $0.value) }
      _ = try await admin("STREAM.UPDATE.\(log.streamName)", .object(config))
    }
  }
#endif
