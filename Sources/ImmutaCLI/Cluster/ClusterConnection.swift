#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaTransforms

  extension Cluster {
    /// Connects to servers that were given on the command line, with the credentials of the environment.
    @MainActor private static func connect(commandLine servers: String) async throws -> Cluster {
      var options = Options(servers)
      options.credentialsFile = System.variable("NATS_CREDS")
      options.token = System.variable("NATS_TOKEN")
      let (authorities, certificate, key) = (
        System.variable("NATS_CA"), System.variable("NATS_CERT"), System.variable("NATS_KEY")
      )
      if authorities != nil || certificate != nil || key != nil {
        options.tls = TLS(certificateAuthoritiesFile: authorities, certificateFile: certificate, keyFile: key)
      }
      return try await connect(options)
    }

    /// Connects, calls `body`, and closes the connection.
    @MainActor static func withConnection<Result>(
      to servers: String, _ body: @MainActor (Cluster) async throws -> Result
    ) async throws -> Result {
      let cluster = try await connect(commandLine: servers)
      do {
        let result = try await body(cluster)
        await cluster.close()
        return result
      } catch {
        await cluster.close()
        throw error
      }
    }

    /// Opens a log, calls `body` with it, and closes the connection.
    @MainActor static func withLog<Result>(
      _ namespace: String, on servers: String, creating creation: ClusterLog.Creation? = nil, codec: CodecOptions,
      _ body: @MainActor (ClusterLog) async throws -> Result
    ) async throws -> Result {
      let codec = try codec.configuration().codec
      return try await withConnection(to: servers) { cluster in
        let log: ClusterLog
        do {
          log = try await cluster.log(namespace, creating: creation, codec: codec)
        } catch ImmutaError.namespaceNotFound(let name) {
          throw await cluster.notFound(name, "`immuta append \(name) --url …` makes one, as does `immuta mirror`")
        }
        return try await body(log)
      }
    }

    /// The error for a log that does not exist.
    ///
    /// - Parameter advice: what to do about it, where the name is right.
    func notFound(_ name: String, _ advice: String? = nil) async -> ToolError {
      let suggestion = Suggestion(for: name, among: (try? await logs.map(\.namespace)) ?? [])
      let help = [suggestion?.question, advice].compactMap(\.self).joined(separator: " ")
      return ToolError("there is no log “\(name)” on the cluster" + (help.isEmpty ? "" : ": \(help)"))
    }
  }
#endif
