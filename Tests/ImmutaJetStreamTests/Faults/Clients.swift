#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport

  /// Several clients of one log, each with a connection of its own.
  struct Clients: Sendable {
    /// The log's name.
    let namespace: String
    private let clusters: [Cluster]
    private let logs: [ClusterLog]

    /// Clients of a new log, or of one that is there. Each begins its list of servers with another one.
    init(_ count: Int, of urls: [String], stream: String? = nil) async throws {
      namespace = stream ?? "faults.\(UInt32.random(in: 1...UInt32.max))"
      var (clusters, logs) = ([Cluster](), [ClusterLog]())
      for number in 0..<count {
        let servers = (0..<urls.count).map { urls[($0 + number) % urls.count] }
        let cluster = try await Cluster.connect(Cluster.Options(servers: servers))
        clusters.append(cluster)
        logs.append(try await cluster.log(namespace, creating: .init(replicas: 3)))
      }
      (self.clusters, self.logs) = (clusters, logs)
    }

    init(_ count: Int, of cluster: BreakableCluster) async throws {
      try await self.init(count, of: cluster.urls)
    }

    /// The log as the client of a task sees it.
    func log(_ task: Int) -> ClusterLog { logs[task % logs.count] }

    /// The stream's name in the cluster.
    var stream: String { log(0).streamName }

    /// The number of a node that one of the clients is connected to.
    func server(in cluster: BreakableCluster) -> Int {
      let port = ClientConnections.ports(among: cluster.ports).first ?? 0
      return (cluster.urls.firstIndex { $0.hasSuffix(":\(port)") } ?? 0) + 1
    }

    func close() async {
      for cluster in clusters { await cluster.close() }
    }
  }
#endif
