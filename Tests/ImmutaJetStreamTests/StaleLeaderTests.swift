#if JetStream
  import Immuta
  import ImmutaLocking
  import Testing

  @testable import ImmutaJetStream

  /// A server that was cut off from the others answers as the leader for some seconds more, and has fewer records than the log.
  @Suite struct StaleLeaderTests {
    /// What the server says of the log.
    private struct Said: Sendable {
      var count: Int
      /// How long ago it heard of the two others, in nanoseconds.
      var silence: Int
      /// What it says once it was asked so often more; it never changes where there is nothing.
      var next: (after: Int, count: Int, silence: Int)?
      /// What it says from some time on.
      var later: (from: ContinuousClock.Instant, count: Int)?
      /// How many records it delivers, of those that the log has; one for each request.
      var delivered = 7
      /// When the leader stored any of them, as it says later.
      var time = "2026-11-26T20:30:06.873852084Z"
    }

    private final class Script: Sendable {
      private let said: Lock<Said>
      init(_ said: Said) { self.said = Lock(said) }
      func withLock<R: Sendable>(_ body: (inout Said) -> R) -> R { said.withLock { body(&$0) } }
    }

    private static let recently = 700_000_000
    private static let longAgo = 5_000_000_000

    private let identity = LogIdentity.random()
    private let name: StreamName

    init() throws { name = try #require(StreamName("orders")) }

    private func info(_ count: Int, _ silence: Int) -> String {
      JSON.object([
        "config": StreamDescription.config(name, identity, codec: "", .init(replicas: 3), isBatched: false),
        "state": .object(["first_seq": 1, "last_seq": .int(count)]),
        "cluster": .object([
          "replicas": .array([
            .object(["name": "b", "current": true, "active": .int(silence)]),
            .object(["name": "c", "current": true, "active": .int(silence)]),
          ])
        ]),
      ]).text
    }

    /// Calls `body` with a log that has 7 records as far as its handle knows.
    private func withLog(
      _ said: Script, _ body: (LogAccess) async throws -> Void
    ) async throws {
      let stream = name.stream
      let server = try ScriptedServer(replySubject: { question in
        guard question.subject.contains("MSG.NEXT") else { return nil }
        let consumer = question.subject.split(separator: ".").last ?? ""
        let place = said.withLock { $0.delivered }
        return "$JS.ACK.\(stream).\(consumer).1.\(place).1.1795725006873852084.0"
      }) { question in
        if question.subject.contains("STREAM.INFO") {
          return said.withLock { said in
            if let next = said.next {
              said.next?.after -= 1
              if next.after == 0 { (said.count, said.silence, said.next) = (next.count, next.silence, nil) }
            }
            if let later = said.later, later.from <= .now { said.count = later.count }
            return info(said.count, said.silence)
          }
        }
        if question.subject.contains("STREAM.MSG.GET") {
          let number = question.text.filter(\.isNumber)
          return said.withLock { said in
            (Int(number) ?? .max) > said.count
              ? #"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#
              : #"{"message":{"seq":\#(number),"time":"\#(said.time)"}}"#
          }
        }
        if question.subject.contains("CONSUMER.CREATE") { return "{}" }
        guard question.subject.contains("MSG.NEXT") else { return nil }
        return said.withLock { said in
          said.delivered += 1
          // The record's body is its place.
          return "\(said.delivered)"
        }
      }
      defer { server.stop() }
      let transport = try Transport(Cluster.Options(servers: [server.url]))
      try await BlockingCall.of { () throws(ImmutaError) in try transport.connect() }
      let known = try #require(JSON(info(7, Self.recently).utf8).flatMap { StreamDescription($0) })
      do {
        try await body(LogAccess(transport, name, identity, known, nil))
      } catch {
        await BlockingCall.afterwards { transport.close() }
        throw error
      }
      await BlockingCall.afterwards { transport.close() }
    }

    private func description(_ count: Int, heardOf silences: [Int]) throws -> StreamDescription {
      let replicas = silences.map { JSON.object(["name": "n", "active": .int($0)]) }
      let text = JSON.object([
        "config": .object(["num_replicas": .int(silences.count + 1)]),
        "cluster": .object(["replicas": .array(replicas)]),
        "state": .object(["first_seq": 1, "last_seq": .int(count)]),
      ]).text
      return try #require(JSON(text.utf8).flatMap { StreamDescription($0) })
    }

    @Test func aLeaderIsOneForCertainThatHeardOfMostOthersLately() throws {
      let (now, then) = (Self.recently, Self.longAgo)
      for silences in [[], [now, now], [now, then], [0, now], [now, now, then, then]] {
        #expect(try description(7, heardOf: silences).isOfLeader, "\(silences)")
      }
      for silences in [[then, then], [0, 0], [0, then], [now, then, then, then]] {
        #expect(try !description(7, heardOf: silences).isOfLeader, "\(silences)")
      }
    }

    /// The handle has read 8 records when the connection is lost and a server answers that has 5.
    private func readOn(_ said: Script) async throws -> [Int] {
      var numbers: [Int] = []
      try await withLog(said) { access in
        var stream = ClusterStream(access, .skipping(7))
        numbers.append(try #require(try await stream.next()).sequence)
        said.withLock { $0.count = 5 }
        access.transport.watchers.tellOfLoss()
        numbers.append(try #require(try await stream.next()).sequence)
      }
      return numbers
    }

    @Test(.timeLimit(.minutes(1))) func aReaderIsNotEndedByALeaderOfBefore() async throws {
      let said = Script(Said(count: 8, silence: Self.longAgo, next: (after: 7, count: 9, silence: Self.recently)))
      #expect(try await readOn(said) == [7, 8])
      #expect(said.withLock { $0.next == nil })
    }

    /// It is with the others again, and does not know yet that it leads no more.
    @Test(.timeLimit(.minutes(1))) func aReaderIsNotEndedByALeaderOfBeforeThatIsBack() async throws {
      let said = Script(Said(count: 8, silence: Self.recently, later: (from: .now + .seconds(4), count: 9)))
      #expect(try await readOn(said) == [7, 8])
    }

    @Test(.timeLimit(.minutes(1))) func aReaderEndsWhereOthersStandInPlaceOfWhatItRead() async throws {
      let said = Script(Said(count: 8, silence: Self.recently, later: (from: .now, count: 9)))
      said.withLock { $0.time = "2026-11-26T19:30:06.873852084Z" }
      let change = LogChange(path: "stream \(name.stream)", kind: .cutBack, sharedCount: 0)
      await #expect(throws: ImmutaError.logChanged(change)) {
        _ = try await readOn(said)
      }
    }

    @Test(.timeLimit(.minutes(1))) func aReaderEndsWhereTheLeaderHasLostWhatItRead() async throws {
      let said = Script(Said(count: 8, silence: Self.recently))
      await #expect(throws: ImmutaError.positionBeyondEnd(position: 8, count: 5, in: .init(namespace: "orders"))) {
        _ = try await readOn(said)
      }
    }

    @Test(.timeLimit(.minutes(1))) func aPlaceIsNotBeyondTheEndWhereALeaderOfBeforeSaysSo() async throws {
      let said = Script(Said(count: 5, silence: Self.longAgo, next: (after: 4, count: 9, silence: Self.recently)))
      try await withLog(said) { access in
        let place = try await access.place(of: .sequence(9), until: .now + .seconds(20))
        #expect(place.sequence == 9)
        #expect(said.withLock { $0.next == nil })
        // Now it leads for certain.
        await #expect(throws: ImmutaError.positionBeyondEnd(position: 10, count: 9, in: .init(namespace: "orders"))) {
          _ = try await access.place(of: .sequence(10), until: .now + .seconds(20))
        }
      }
    }

    @Test(.timeLimit(.minutes(1))) func aPlaceIsNotBeyondTheEndWhereALeaderOfBeforeIsBack() async throws {
      let said = Script(Said(count: 5, silence: Self.recently, later: (from: .now + .seconds(1), count: 9)))
      try await withLog(said) { access in
        let place = try await access.place(of: .sequence(9), until: .now + .seconds(20))
        #expect(place.sequence == 9)
      }
    }

    @Test func aLeaderIsBelievedThatThereIsLessOnceItHasSaidSoForAWhile() throws {
      let now = ContinuousClock.now
      let (less, more) = (try description(5, heardOf: [Self.recently]), try description(9, heardOf: [Self.recently]))
      let former = try description(5, heardOf: [Self.longAgo, Self.longAgo])
      for interruption in [more, former] {
        let answers = [(less, 0), (less, 1999), (interruption, 3000), (less, 4000), (less, 5999), (less, 6000)]
        var shortfall = Shortfall(of: 9, believedAfter: .seconds(2))
        let beliefs = answers.map { shortfall.isCertain($0, at: now + .milliseconds($1)) }
        #expect(beliefs == [false, false, false, false, false, true])
      }
      var shortfall = Shortfall(of: 9, believedAfter: .seconds(2))
      let isCertain = shortfall.isCertain(try description(5, heardOf: []), at: now)
      #expect(isCertain)
    }

    @Test(.timeLimit(.minutes(1))) func anAppendIsNotRefusedByALeaderOfBeforeThatIsBack() async throws {
      let said = Script(Said(count: 5, silence: Self.recently, later: (from: .now + .seconds(1), count: 12)))
      try await withLog(said) { access in
        let line = AppendLine(access)
        let unit = AppendUnit([[1]], id: nil, expecting: 9, deadline: .now + .seconds(20))
        line.add(unit)
        // Somebody else's record is at its place.
        await #expect(throws: ImmutaError.unexpectedCount(expected: 9, actual: 12, in: .init(namespace: "orders"))) {
          _ = try await unit.value()
        }
        line.close(ImmutaError.storageClosed)
      }
    }

    @Test(.timeLimit(.minutes(1))) func anAppendIsNotRefusedByALeaderOfBefore() async throws {
      let said = Script(Said(count: 5, silence: Self.longAgo))
      try await withLog(said) { access in
        let line = AppendLine(access)
        let unit = AppendUnit([[1]], id: nil, expecting: 9, deadline: .now + .seconds(1))
        line.add(unit)
        await #expect(throws: ImmutaError.unavailable(LogAccess.isBehind, in: .init(namespace: "orders"))) {
          _ = try await unit.value()
        }
        said.withLock { $0.silence = Self.recently }
        let other = AppendUnit([[1]], id: nil, expecting: 9, deadline: .now + .seconds(20))
        line.add(other)
        await #expect(throws: ImmutaError.unexpectedCount(expected: 9, actual: 5, in: .init(namespace: "orders"))) {
          _ = try await other.value()
        }
        line.close(ImmutaError.storageClosed)
      }
    }
  }
#endif
