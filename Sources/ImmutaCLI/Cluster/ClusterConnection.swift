#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaLibC
  import ImmutaTransforms

  extension Cluster {
    /// Connects to servers that were given on the command line, with the credentials of the environment.
    @MainActor static func connect(commandLine servers: String) async throws -> Cluster {
      var options = Options(servers)
      options.credentialsFile = Self.variable("NATS_CREDS")
      options.token = Self.variable("NATS_TOKEN")
      let (authorities, certificate, key) = (variable("NATS_CA"), variable("NATS_CERT"), variable("NATS_KEY"))
      if authorities != nil || certificate != nil || key != nil {
        options.tls = TLS(certificateAuthoritiesFile: authorities, certificateFile: certificate, keyFile: key)
      }
      return try await connect(options)
    }

    /// Opens a log, calls `body` with it, and closes the connection.
    @MainActor static func withLog<Result>(
      _ namespace: String, on servers: String, creating creation: ClusterLog.Creation? = nil, codec: CodecOptions,
      _ body: @MainActor (ClusterLog) async throws -> Result
    ) async throws -> Result {
      let codec = try codec.configuration().codec
      let cluster = try await connect(commandLine: servers)
      do {
        let log: ClusterLog
        do {
          log = try await cluster.log(namespace, creating: creation, codec: codec)
        } catch ImmutaError.namespaceNotFound(let name) {
          throw ToolError(
            "there is no log “\(name)” on the cluster: `immuta append \(name) --url …` makes one, as does `immuta mirror`"
          )
        }
        let result = try await body(log)
        await cluster.close()
        return result
      } catch {
        await cluster.close()
        throw error
      }
    }

    private static func variable(_ name: String) -> String? {
      guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
      return value
    }
  }
#endif
