#if JetStream
  public import Logging

  extension Cluster {
    /// How a cluster is reached.
    public struct Options: Sendable {
      /// The servers: `nats://host:port` or `tls://host:port`, each also with `user:password@` or `token@` before the host. One that
      /// answers is enough: it names the others. At least one; each may be a list, separated by commas.
      public var servers: [String]
      /// A file with credentials, as `nsc` writes it; nil for none.
      public var credentialsFile: String?
      /// A token; nil for none.
      public var token: String?
      /// Encryption with more than the system's certificates; nil for that of `tls://` servers alone.
      public var tls: TLS?
      /// What the servers' own lists call this client. Default: `immuta`.
      public var name = "immuta"
      /// How long connecting to one server may take. Default: 2 seconds.
      public var connectTimeout = Duration.seconds(2)
      /// How long a call may take, with all that is tried meanwhile: a cluster that lost its leader needs 5 to 14 seconds to have
      /// another one. Then it throws `.unavailable`, or `.outcomeUnknown`. Default: 30 seconds.
      public var deadline = Duration.seconds(30)
      /// How long one server may take for one answer, before it is asked again. Default: 1.5 seconds.
      public var answerTimeout = Duration.milliseconds(1500)
      /// After how many answers in a row that did not come, or said that there is no leader, another server is connected to: one
      /// that is cut off from the others still talks to its clients. Default: 3.
      public var failuresBeforeMoving = 3
      /// Whether servers that these announce are connected to, too. False where their own addresses cannot be reached from here,
      /// as behind a gateway. Default: true.
      public var discoversServers = true
      /// Gets messages about lost connections and moves to other servers, each with the name of its `StorageEvent` in the
      /// metadata. Default: none.
      public var logger: Logger?

      /// Options for these servers, and for the rest the defaults.
      public init(servers: [String]) {
        self.servers = servers
      }

      /// Options for these servers, separated by commas, and for the rest the defaults.
      public init(_ servers: String) {
        self.init(servers: [servers])
      }
    }

    /// How a connection is encrypted.
    public struct TLS: Sendable {
      /// A file with the certificates of the authorities that may vouch for the servers, in PEM; nil for the system's.
      public var certificateAuthoritiesFile: String?
      /// A file with this client's certificate, in PEM; nil for none.
      public var certificateFile: String?
      /// A file with the key of it, in PEM.
      public var keyFile: String?

      /// Encryption with these files.
      public init(
        certificateAuthoritiesFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil
      ) {
        self.certificateAuthoritiesFile = certificateAuthoritiesFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
      }
    }
  }
#endif
