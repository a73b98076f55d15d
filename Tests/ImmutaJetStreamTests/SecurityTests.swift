#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport
  import Testing

  /// A server that asks who a client is, and proves who it is itself.
  @Suite(
    .enabled(if: BreakableCluster.isThere, BreakableCluster.reason),
    .enabled(if: SecuredServer.canMakeCertificates, "there is no openssl to make certificates with"),
    .timeLimit(.minutes(2)))
  struct SecurityTests {
    private func options(_ server: SecuredServer) -> Cluster.Options {
      var options = Cluster.Options(server.url)
      options.token = SecuredServer.token
      options.tls = .init(
        certificateAuthoritiesFile: server.file("ca.pem"), certificateFile: server.file("client.pem"),
        keyFile: server.file("client.key"))
      options.deadline = .seconds(10)
      return options
    }

    @Test func whoHasCertificateAndTokenAppendsAndReads() async throws {
      let server = try SecuredServer(await BreakableCluster.serverProgram())
      let cluster = try await Cluster.connect(options(server))
      let log = try await cluster.log("secured", creating: .init(replicas: 1))
      for number in 0..<10 { try await log.append("record \(number)") }
      // What many records go through is a connection of its own.
      let appender = log.appender(window: 16)
      for number in 10..<200 { try await appender.append(Array("record \(number)".utf8)) }
      try await appender.finish()
      var stream = log.stream(from: .beginning)
      for number in 0..<200 { #expect(try await stream.next()?.text == "record \(number)") }
      await cluster.close()
    }

    @Test func whoHasNotIsRefusedAndIsToldWhatIsMissing() async throws {
      let server = try SecuredServer(await BreakableCluster.serverProgram())
      func refusal(_ what: Comment, _ change: (inout Cluster.Options) -> Void) async -> String {
        var options = options(server)
        change(&options)
        do {
          await (try Cluster.connect(options)).close()
          Issue.record("it connected: \(what)")
        } catch ImmutaError.invalidConfiguration(let reason) {
          #expect(!reason.contains(SecuredServer.token))
          return reason
        } catch {
          Issue.record("\(what): \(error)")
        }
        return ""
      }
      #expect(await refusal("another token") { $0.token = "wrong" }.contains("the token"))
      #expect(
        await refusal("no certificate") {
          $0.tls?.certificateFile = nil; $0.tls?.keyFile = nil
        }.contains("certificate"))
      #expect(
        await refusal("a certificate of another authority") {
          $0.tls?.certificateFile = server.file("other.pem")
          $0.tls?.keyFile = server.file("other.key")
        }.contains("certificate"))
      #expect(
        await refusal("a server of another authority") { $0.tls?.certificateAuthoritiesFile = server.file("other.pem") }
          .contains("certificate"))
      // The client's library encrypts where a server wants that, and does not know who vouches for this one.
      #expect(
        await refusal("no encryption") {
          $0.servers = ["nats://127.0.0.1:\(server.port)"]
          $0.tls = nil
        }.contains("certificate"))
    }
  }
#endif
