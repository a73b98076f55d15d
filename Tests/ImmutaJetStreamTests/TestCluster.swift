#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaLibC
  import ImmutaTestSupport
  import Testing

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

    /// What lies between a client and the first of its servers.
    static func proxy() throws -> Proxy {
      try Proxy(to: #require(urls?.split(separator: ",").first.map(String.init)))
    }

    /// A cluster that is reached through a proxy alone, and soon gives up.
    static func connectImpatiently(through proxy: Proxy) async throws -> Cluster {
      try await connect {
        $0.servers = [proxy.url]
        $0.discoversServers = false
        $0.deadline = .seconds(1)
        $0.answerTimeout = .milliseconds(300)
      }
    }

    /// The append of which nobody knows what became of it.
    static func unknownAppend(_ append: () async throws -> Void) async throws -> UnknownAppend {
      var unknown: UnknownAppend?
      do {
        try await append()
      } catch let error as ImmutaError {
        if case .outcomeUnknown(let append, _) = error { unknown = append } else { throw error }
      }
      return try #require(unknown)
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
