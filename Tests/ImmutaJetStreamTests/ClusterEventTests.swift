#if JetStream
  import Immuta
  import ImmutaLocking
  import Logging
  import Testing

  @testable import ImmutaJetStream

  /// What a cluster's logger gets has names that stay.
  @Suite(.timeLimit(.minutes(1))) struct ClusterEventTests {
    private final class Lines: LogHandler, Sendable {
      private let all = Lock<[Logger.Metadata]>([])

      var metadata: Logger.Metadata {
        get { [:] }
        set {}
      }
      var logLevel: Logger.Level {
        get { .trace }
        set {}
      }

      subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
      }

      func log(event: LogEvent) { all.withLock { $0.append(event.metadata ?? [:]) } }

      func has(_ event: String) -> Bool { all.withLock { $0.contains { $0["event"] == "\(event)" } } }

      /// The metadata of an event's first line, once there is one; nil if there is none for ten seconds.
      func line(of event: String) async throws -> Logger.Metadata? {
        for _ in 0..<1000 {
          if let line = all.withLock({ $0.first { $0["event"] == "\(event)" } }) { return line }
          try await Task.sleep(for: .milliseconds(10))
        }
        return nil
      }
    }

    private let greeting =
      #"{"server_id":"X","server_name":"mute","version":"2.15.1","max_payload":1048576,"headers":true,"jetstream":true,"proto":1}"#

    @Test func aServerThatDoesNothingAndOneThatIsNotThereAreTold() async throws {
      let server = try FakeServer(info: greeting)
      defer { server.stop() }
      let lines = Lines()
      var options = Cluster.Options(servers: [server.url, "nats://127.0.0.1:1"])
      options.answerTimeout = .milliseconds(50)
      options.failuresBeforeMoving = 1
      options.logger = Logger(label: "test") { _ in lines }
      let transport = try Transport(options)
      defer { transport.close() }
      try transport.connect([try ServerAddress(server.url)])
      await #expect(throws: (any Error).self) { try await transport.api("INFO", until: .now + .seconds(1)) }
      for event in ["immuta.cluster_moving", "immuta.cluster_unreachable"] {
        let from = try #require(await lines.line(of: event)?["from"], "\(event)")
        #expect("\(from)".hasSuffix(":\(server.port)"))
      }
      server.stop()
      #expect(try await lines.line(of: "immuta.cluster_lost") != nil)
    }

    @Test(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"))
    func aConnectionThatComesBackIsTold() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      let lines = Lines()
      try await withCluster {
        $0.servers = [proxy.url]
        $0.discoversServers = false
        $0.logger = Logger(label: "test") { _ in lines }
      } _: { cluster in
        let log = try await cluster.log(TestCluster.name("events"), creating: .init())
        #expect(!lines.has("immuta.cluster_back"))
        proxy.cut()
        #expect(try await lines.line(of: "immuta.cluster_lost") != nil)
        #expect(try await lines.line(of: "immuta.cluster_back")?["server"] != nil)
        try await log.append("after that")
      }
    }

    @Test(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"))
    func recordsThatWereRemovedAreToldWhenTheLogIsOpened() async throws {
      let lines = Lines()
      try await withCluster {
        $0.logger = Logger(label: "test") { _ in lines }
      } _: { cluster in
        let name = TestCluster.name("events")
        let log = try await cluster.log(name, creating: .init())
        for number in 0..<10 { try await log.append("\(number)") }
        _ = try await cluster.log(name)
        #expect(!lines.has("immuta.cluster_records_removed"))
        try await cluster.change(log, ["max_msgs": 4, "discard": "old"])
        try await cluster.change(log, ["max_msgs": -1, "discard": "new"])
        _ = try await cluster.log(name)
        let line = try #require(await lines.line(of: "immuta.cluster_records_removed"))
        #expect(line["namespace"] == "\(name)" && line["first"] == "6")
      }
    }
  }
#endif
