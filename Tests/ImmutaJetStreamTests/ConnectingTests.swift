#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport
  import Testing

  @Suite struct ConnectingTests {
    /// The text of the error that connecting throws, which is of one kind.
    private func refusal(
      _ options: Cluster.Options, _ isExpected: (ImmutaError) -> Bool
    ) async throws -> String {
      do {
        let cluster = try await Cluster.connect(options)
        await cluster.close()
      } catch let error as ImmutaError {
        #expect(isExpected(error), "\(error)")
        return "\(error)"
      }
      Issue.record("it connected")
      return ""
    }

    private func isConfiguration(_ error: ImmutaError) -> Bool {
      if case .invalidConfiguration = error { true } else { false }
    }

    private func isUnavailable(_ error: ImmutaError) -> Bool {
      if case .unavailable = error { true } else { false }
    }

    @Test func anOldServerIsRefusedByNameAndVersion() async throws {
      let server = try FakeServer(named: "elder", version: "2.9.10")
      defer { server.stop() }
      var options = Cluster.Options(server.url)
      options.answerTimeout = .milliseconds(200)
      let text = try await refusal(options, isConfiguration)
      #expect(text.contains("elder") && text.contains("2.9.10") && text.contains("2.12"))
    }

    @Test func aServerWithoutJetStreamIsRefused() async throws {
      let server = try FakeServer(named: "bare", hasJetStream: false)
      defer { server.stop() }
      var options = Cluster.Options(server.url)
      options.answerTimeout = .milliseconds(200)
      let text = try await refusal(options, isConfiguration)
      #expect(text.contains("bare") && text.contains("JetStream"))
    }

    @Test func aClusterThatDoesNotAnswerIsUnavailableWhenTheDeadlinePasses() async throws {
      let server = try FakeServer(named: "mute")
      defer { server.stop() }
      var options = Cluster.Options(server.url)
      options.answerTimeout = .milliseconds(100)
      options.deadline = .milliseconds(400)
      let begin = ContinuousClock.now
      _ = try await refusal(options, isUnavailable)
      #expect(.now - begin < .seconds(20))
    }

    @Test func noServerIsUnavailable() async throws {
      let server = try FakeServer(info: "{}")
      server.stop()
      let text = try await refusal(Cluster.Options("nats://user:secret@127.0.0.1:1"), isUnavailable)
      #expect(text.contains("127.0.0.1:1") && !text.contains("secret"))
    }

    @Test func optionsThatMakeNoSenseAreRefused() async throws {
      var options = Cluster.Options("nats://127.0.0.1:1")
      options.deadline = .zero
      #expect(try await refusal(options, isConfiguration).contains("deadline"))
      options = Cluster.Options("nats://127.0.0.1:1")
      options.credentialsFile = "/nowhere/x.creds"
      #expect(try await refusal(options, isConfiguration).contains("/nowhere/x.creds"))
      options = Cluster.Options("nats://127.0.0.1:1")
      options.tls = .init(certificateFile: "/dev/null")
      #expect(try await refusal(options, isConfiguration).contains("keyFile"))
      options.tls = .init(certificateAuthoritiesFile: "/dev/null")
      #expect(try await refusal(options, isConfiguration).contains("/dev/null"))
      _ = try await refusal(Cluster.Options("ftp://127.0.0.1"), isConfiguration)
      _ = try await refusal(Cluster.Options(servers: []), isConfiguration)
    }

    @Test func cancellingEndsConnectingAtOnce() async throws {
      // It greets nobody: connecting waits.
      let server = try FakeServer(named: "mute")
      defer { server.stop() }
      var options = Cluster.Options(server.url)
      options.answerTimeout = .seconds(3600)
      options.deadline = .seconds(3600)
      let connecting = Task { [options] in try await Cluster.connect(options) }
      try await Task.sleep(for: .milliseconds(50))
      connecting.cancel()
      await #expect(throws: CancellationError.self) { try await connecting.value }
    }
  }
#endif
