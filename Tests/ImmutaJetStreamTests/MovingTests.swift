#if JetStream
  import Immuta
  import Testing

  @testable import ImmutaJetStream

  @Suite(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"), .serialized)
  struct MovingTests {
    private let greeting =
      #"{"server_id":"X","server_name":"mute","version":"2.15.1","max_payload":1048576,"headers":true,"jetstream":true,"proto":1}"#

    @Test func aServerThatDoesNothingIsLeftForAnother() async throws {
      let server = try FakeServer(info: greeting)
      defer { server.stop() }
      let urls = try #require(TestCluster.urls).split(separator: ",").map(String.init)
      let transport = try Transport(
        {
          var options = Cluster.Options(servers: [server.url] + urls)
          options.answerTimeout = .milliseconds(200)
          return options
        }())
      defer { transport.close() }
      try transport.connect([try ServerAddress(server.url)])
      #expect(transport.connection?.server?.hasSuffix(":\(server.port)") == true)
      let answer = try await transport.api("INFO", until: .now + .seconds(30))
      #expect(answer["api"] != nil)
      #expect(transport.connection?.server?.hasSuffix(":\(server.port)") == false)
    }

    @Test func whatWaitsIsAskedAgainWhenTheConnectionIsLost() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      try await withCluster({
        $0.servers = [proxy.url]
        // Without the loss being noticed, it would be waited for this long.
        $0.answerTimeout = .seconds(600)
        $0.deadline = .seconds(600)
      }) { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        try await log.append("first")
        proxy.set(losesQuestions: true)
        let appending = Task { try await log.append("second") }
        let counting = Task { try await log.count }
        try await Task.sleep(for: .milliseconds(100))
        proxy.set()
        proxy.cut()
        #expect(try await appending.value.sequence == 1)
        #expect(try await counting.value >= 1)
      }
    }

    @Test func anAppenderWhoseRecordsComeSlowlyStaysWhereItIs() async throws {
      try await withCluster({
        $0.answerTimeout = .milliseconds(300)
        $0.failuresBeforeMoving = 1
      }) { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        let server = cluster.transport.connection?.server
        let appender = log.appender()
        for number in 0..<50 {
          try await appender.append("\(number)")
          try await Task.sleep(for: .milliseconds(20))
        }
        try await appender.finish()
        #expect(try await log.count == 50)
        #expect(cluster.transport.connection?.server == server)
      }
    }

    @Test func closingEndsWhatWaits() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      let cluster = try await TestCluster.connect {
        $0.servers = [proxy.url]
        $0.answerTimeout = .seconds(600)
        $0.deadline = .seconds(600)
      }
      let log = try await cluster.log(TestCluster.name(), creating: .init())
      try await log.append("first")
      proxy.set(losesAnswers: true)
      let calls: [Task<Void, any Error>] = [
        Task { _ = try await log.count },
        Task { _ = try await log.append("second") },
        Task { _ = try await log.record(at: 0) },
        Task {
          var stream = log.stream(from: .skipping(5))
          _ = try await stream.next()
        },
      ]
      try await Task.sleep(for: .milliseconds(100))
      await cluster.close()
      await cluster.close()
      for call in calls {
        await #expect { try await call.value } throws: { error in
          switch error as? ImmutaError {
          case .storageClosed?, .outcomeUnknown?: true
          default: false
          }
        }
      }
      await #expect(throws: ImmutaError.storageClosed) { try await log.append("third") }
    }
  }
#endif
