#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaLibC
  import ImmutaTestSupport

  /// The cluster that the tests run on.
  enum TestCluster {
    /// Nil where there is none.
    static let urls: String? = getenv("IMMUTA_CLUSTER_URLS").map { String(cString: $0) }.flatMap {
      $0.isEmpty ? nil : $0
    }
    static var isThere: Bool { urls != nil }
    static let reason =
      "IMMUTA_CLUSTER_URLS names no cluster: start one with Scripts/cluster, and set it to the URLs that are printed"

    static func options() -> Cluster.Options { Cluster.Options(urls ?? "") }

    static func connect(_ change: (inout Cluster.Options) -> Void = { _ in }) async throws -> Cluster {
      var options = options()
      change(&options)
      return try await Cluster.connect(options)
    }

    /// A name that no other test has.
    static func name(_ what: String = "log") -> String {
      "test.\(what)-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }
  }

  /// A cluster as a place that keeps logs.
  struct ClusterPlace: LogPlace {
    let cluster: Cluster
    var codec: Codec?

    func open(_ namespace: String) async throws -> ClusterLog {
      try await cluster.log(namespace, creating: .init(), codec: codec)
    }
  }
#endif
