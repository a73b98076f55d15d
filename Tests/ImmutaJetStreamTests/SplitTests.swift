#if JetStream
  import Foundation
  import Immuta
  import ImmutaLocking
  import Testing

  @testable import ImmutaJetStream

  /// For some seconds two servers may lead a log: the one that answers is behind, and the other one gets what is sent, too.
  @Suite struct SplitTests {
    private struct Servers: Sendable {
      /// How many records the one that answers says there are.
      var count: Int
      /// What it answers to an append; nil for nothing.
      var answer: String?
      /// Whether the other one stores what is sent, and how often the one that answers is asked for it before it knows.
      var stores = false
      var looksBeforeItKnows = 0
      var stored: String?
    }

    private let identity = LogIdentity.random()
    private let name: StreamName
    private static let wrong =
      #"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"seq":0}"#

    init() throws { name = try #require(StreamName("orders")) }

    private func info(_ count: Int) -> String {
      JSON.object([
        "config": StreamDescription.config(name, identity, codec: "", .init(), isBatched: false),
        "state": .object(["first_seq": 1, "last_seq": .int(count)]),
        "cluster": .object([
          "replicas": .array([.object(["name": "b", "active": 1]), .object(["name": "c", "active": 1])])
        ]),
      ]).text
    }

    /// Appends a record that expects 7 others. Returns the outcome, and how often it was sent.
    private func append(_ servers: Servers, within time: Duration = .seconds(2)) async throws -> (
      AppendUnit.Outcome, sent: Int
    ) {
      let servers = SharedServers(servers, describing: info)
      let subject = StreamDescription.subject(name, identity)
      let server = try ScriptedServer { question in servers.answer(question, to: subject) }
      defer { server.stop() }
      let transport = try Transport(Cluster.Options(servers: [server.url]))
      try await BlockingCall.of { () throws(ImmutaError) in try transport.connect() }
      let known = try #require(JSON(info(5).utf8).flatMap { StreamDescription($0) })
      let access = LogAccess(transport, name, identity, known, nil)
      let unit = AppendUnit([[1]], id: "mine", expecting: 7, deadline: .now + time)
      let line = AppendLine(access)
      line.add(unit)
      var outcome: AppendUnit.Outcome
      do { outcome = .success(try await unit.value()) } catch { outcome = .failure(error) }
      line.close(ImmutaError.storageClosed)
      await BlockingCall.afterwards { transport.close() }
      return (outcome, server.questions.count { $0.subject == subject })
    }

    private final class SharedServers: Sendable {
      private let servers: Lock<Servers>
      /// What a server says of a log that has so many records.
      private let describe: @Sendable (Int) -> String

      init(_ servers: Servers, describing describe: @escaping @Sendable (Int) -> String) {
        self.servers = Lock(servers)
        self.describe = describe
      }

      func answer(_ question: ScriptedServer.Question, to subject: String) -> String? {
        servers.withLock { servers in
          if question.subject == subject {
            if servers.stores { servers.stored = question.header("Nats-Msg-Id") }
            return servers.answer
          }
          if question.subject.hasPrefix("$JS.API.STREAM.INFO") { return describe(servers.count) }
          guard question.subject.hasPrefix("$JS.API.STREAM.MSG.GET") else { return nil }
          servers.looksBeforeItKnows -= 1
          guard let id = servers.stored, servers.looksBeforeItKnows < 0 else {
            return #"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#
          }
          let header = Data("NATS/1.0\r\nNats-Msg-Id: \(id)\r\n\r\n".utf8).base64EncodedString()
          return
            #"{"message":{"subject":"x","seq":8,"hdrs":"\#(header)","data":"AQ==","time":"2026-11-26T20:30:06Z"}}"#
        }
      }
    }

    @Test func moreThanTheLeaderHasIsRefusedWithoutBeingSent() async throws {
      let servers = Servers(count: 5, answer: Self.wrong, stores: true)
      let (outcome, sent) = try await append(servers, within: .seconds(20))
      #expect(throws: ImmutaError.unexpectedCount(expected: 7, actual: 5, in: .init(namespace: "orders"))) {
        try outcome.get()
      }
      #expect(sent == 0)
    }

    @Test func aRefusalByAServerThatIsBehindIsNoOutcome() async throws {
      let (outcome, sent) = try await append(Servers(count: 7, answer: Self.wrong))
      #expect(sent > 0)
      #expect {
        try outcome.get()
      } throws: { error in
        guard case .outcomeUnknown(let append, _)? = error as? ImmutaError else { return false }
        return append.id == "mine" && append.earliest == 7 && append.isExpecting
      }
    }

    @Test func whatOneServerRefusedAndTheOtherStoredIsFound() async throws {
      let (outcome, sent) = try await append(
        Servers(count: 7, answer: Self.wrong, stores: true, looksBeforeItKnows: 3))
      #expect(sent > 0)
      #expect(try outcome.get() == Appended(sequences: 7..<8, id: "mine"))
    }
  }
#endif
