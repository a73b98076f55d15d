#if JetStream
  import Immuta
  import Testing

  @testable import ImmutaJetStream

  @Suite(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"), .serialized)
  struct ReadingTests {
    @Test func aStreamGoesOnWhenItsConsumerIsTakenAway() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        try await log.append(contentsOf: (0..<10).map { "\($0)" }, expecting: 0)
        var stream = log.stream(from: .beginning)
        for number in 0..<5 { #expect(try await stream.next()?.sequence == number) }
        let names =
          try await cluster.admin("CONSUMER.NAMES.\(log.streamName)")["consumers"]?.array?.compactMap(\.string) ?? []
        #expect(names.count == 1)
        for name in names { _ = try await cluster.admin("CONSUMER.DELETE.\(log.streamName).\(name)") }
        try await log.append("10")
        for number in 5..<11 { #expect(try await stream.next()?.text == "\(number)") }
      }
    }

    /// By their sizes: the memory is bounded.
    @Test(arguments: [(size: 10, count: 3000, read: 1, held: 1536), (size: 65_536, count: 400, read: 300, held: 24)])
    func aSlowReaderHoldsABoundedNumberOfMessages(_ size: Int, _ count: Int, _ read: Int, _ held: Int) async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        let payload = [UInt8](repeating: 7, count: size)
        for first in stride(from: 0, to: count, by: 200) {
          try await log.append(contentsOf: (0..<200).map { _ in payload }, expecting: first)
        }
        var stream = log.stream(from: .beginning)
        for number in 0..<read { #expect(try await stream.next()?.sequence == number) }
        // Time for the server to send more than was asked for, if it did.
        try await Task.sleep(for: .milliseconds(300))
        #expect(LiveObjects[.message] <= held + 16)
        for number in read..<count {
          let record = try await stream.next()
          #expect(record?.sequence == number && record?.payload.count == size)
        }
      }
    }

    @Test func copiesOfAStreamGoTheirOwnWays() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        try await log.append(contentsOf: (0..<20).map { "\($0)" }, expecting: 0)
        var one = log.stream(from: .beginning)
        for number in 0..<5 { #expect(try await one.next()?.sequence == number) }
        var other = one
        for number in 5..<20 { #expect(try await one.next()?.sequence == number) }
        for number in 5..<20 { #expect(try await other.next()?.sequence == number) }
      }
    }

    @Test func removedRecordsAreToldOf() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        for number in 0..<10 { try await log.append("\(number)") }
        var behind = log.stream(from: .skipping(2))
        try await cluster.change(log, ["max_msgs": 4, "discard": "old"])
        await #expect(throws: ImmutaError.recordRemoved(sequence: 2, first: 6)) { _ = try await behind.next() }
        await #expect(throws: ImmutaError.recordRemoved(sequence: 3, first: 6)) { _ = try await log.record(at: 3) }
        await #expect(throws: ImmutaError.recordRemoved(sequence: 3, first: 6)) {
          _ = try await log.consumer("late", startingAt: .skipping(3))
        }
        let consumer = try await log.consumer("mail")
        await #expect(throws: ImmutaError.recordRemoved(sequence: 5, first: 6)) {
          try await consumer.seek(to: .sequence(5))
        }
        #expect(consumer.position == 6)
        try await consumer.shutdown()
        #expect(try await log.firstSequence == 6)
        #expect(try await log.count == 10)
        var stream = log.stream(from: .beginning)
        #expect(try await stream.next()?.text == "6")
        // The configuration is not a log's any more.
        await #expect { _ = try await cluster.log(log.namespace) } throws: { "\($0)".contains("discard") }
      }
    }

    @Test func aLogThatWasDeletedIsGoneAndItsNamesakeIsAnotherOne() async throws {
      try await withCluster({ $0.deadline = .seconds(5) }) { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        for number in 0..<3 { try await log.append("\(number)") }
        var stream = log.stream(from: .beginning)
        for number in 0..<3 { #expect(try await stream.next()?.sequence == number) }
        let consumer = try await log.consumer("reader")
        try await consumer.acknowledge(through: 1)
        try await consumer.shutdown()
        _ = try await cluster.admin("STREAM.DELETE.\(log.streamName)")
        await #expect(throws: ImmutaError.namespaceNotFound(log.namespace)) { try await log.append("never") }
        await #expect(throws: ImmutaError.namespaceNotFound(log.namespace)) { _ = try await log.count }
        await #expect(throws: ImmutaError.namespaceNotFound(log.namespace)) { _ = try await cluster.log(log.namespace) }

        let namesake = try await cluster.log(log.namespace, creating: .init())
        for number in 0..<5 { try await namesake.append("other \(number)") }
        #expect(namesake.identity != log.identity)
        for call in [
          { @Sendable in try await log.append("never") }, { @Sendable in try await log.append("never", expecting: 5) },
        ] {
          await #expect { try await call() } throws: { Self.isReplaced($0) }
        }
        // It may have seen that the log was gone.
        await #expect { _ = try await stream.next() } throws: {
          Self.isReplaced($0) || $0 as? ImmutaError == .namespaceNotFound(log.namespace)
        }
        await #expect { _ = try await namesake.consumer("reader") } throws: { error in
          if case .foreignPosition? = error as? ImmutaError { true } else { false }
        }
        #expect(try await namesake.count == 5)
      }
    }

    private static func isReplaced(_ error: any Error) -> Bool {
      if case .logChanged(let change)? = error as? ImmutaError { change.kind == .replaced } else { false }
    }

    @Test func aStreamThatIsNoLogIsRefused() async throws {
      try await withCluster { cluster in
        let name = TestCluster.name()
        let stream = String(name.map { $0 == "." ? "=" : $0 })
        _ = try await cluster.admin(
          "STREAM.CREATE.\(stream)",
          .object(["name": .string(stream), "subjects": .array([.string("other.\(stream)")])]))
        await #expect { _ = try await cluster.log(name, creating: .init()) } throws: {
          "\($0)".contains("was not made as the log")
        }
        await #expect(throws: ImmutaError.invalidNamespace("a/b")) {
          _ = try await cluster.log("a/b", creating: .init())
        }
        await #expect(throws: ImmutaError.self) {
          _ = try await cluster.log(TestCluster.name(), creating: .init(replicas: 9))
        }
      }
    }

    @Test func aHistoryByTimeBeginsWithTheFirstRecordThatIsNotEarlier() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        for number in 0..<20 { try await log.append("\(number)") }
        for sequence in [0, 7, 19] {
          let time = try await log.record(at: sequence).timestamp
          var stream = log.stream(from: .time(time))
          #expect(try await stream.next()?.timestamp == time)
          stream = log.stream(from: .time(Timestamp(nanosecondsSince1970: time.nanosecondsSince1970 + 1)))
          let next = try await stream.next(timeout: .milliseconds(300))
          #expect(next.map { $0.timestamp > time } ?? (sequence == 19))
        }
      }
    }

    @Test func nothingIsLeftBehind() async throws {
      // Those of tests before may still be on their way out, so there may be fewer in the end.
      let before = (connections: LiveObjects[.connection], subscriptions: LiveObjects[.subscription])
      for _ in 0..<5 {
        try await withCluster { cluster in
          let log = try await cluster.log(TestCluster.name(), creating: .init(replicas: 1))
          for number in 0..<200 { try await log.append("\(number)") }
          var stream = log.stream(from: .beginning)
          for number in 0..<200 { #expect(try await stream.next()?.sequence == number) }
        }
      }
      // What is let go of is destroyed by other threads.
      let end = ContinuousClock.now + .seconds(20)
      while LiveObjects[.connection] > before.connections || LiveObjects[.subscription] > before.subscriptions
        || LiveObjects[.message] > 0, .now < end
      {
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(LiveObjects[.connection] <= before.connections)
      #expect(LiveObjects[.subscription] <= before.subscriptions)
      #expect(LiveObjects[.message] == 0)
    }
  }
#endif
