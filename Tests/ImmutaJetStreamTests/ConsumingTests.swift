#if JetStream
  import Immuta
  import Testing

  @testable import ImmutaJetStream

  @Suite(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"), .serialized)
  struct ConsumingTests {
    @Test func aConsumerThatWasTakenOverCannotMoveItAnyMore() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        for number in 0..<10 { try await log.append("\(number)") }
        let first = try await log.consumer("billing")
        try await first.acknowledge(through: 2)
        // Somebody takes it, as after the lease has run out.
        let store = MarkStore(access: log.access)
        let kept = try #require(try await store.read("billing", until: .now + .seconds(10)))
        var mark = kept.mark
        mark.owner = "another"
        mark.process = 7
        let written = try await store.write(mark, of: "billing", replacing: kept.revision, until: .now + .seconds(10))
        guard case .revision = written else {
          Issue.record("it was not taken")
          return
        }
        await #expect { try await first.acknowledge(through: 5) } throws: { Self.isInUse($0) }
        await #expect { _ = try await first.next() } throws: { Self.isInUse($0) }
        await #expect { _ = try await log.consumer("billing") } throws: { error in
          guard case .consumerInUse(let owner)? = error as? ImmutaError else { return false }
          return owner.processID == 7 && owner.consumer == "billing"
        }
        let position = try await store.read("billing", until: .now + .seconds(10))?.mark.position
        #expect(position == 3)
        try await first.shutdown()
      }
    }

    @Test func aConsumerIsMovedAndForgottenWhileNobodyHasIt() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        for number in 0..<5 { try await log.append("\(number)") }
        await #expect(throws: ImmutaError.consumerNotFound("billing", in: .init(namespace: log.namespace))) {
          try await cluster.removeConsumer("billing", of: log.namespace)
        }
        try await cluster.seekConsumer("billing", of: log.namespace, to: .sequence(3))
        let consumer = try await log.consumer("billing", creating: false)
        #expect(try await consumer.next()?.text == "3")
        await #expect { try await cluster.seekConsumer("billing", of: log.namespace, to: .beginning) } throws: {
          Self.isInUse($0)
        }
        await #expect { try await cluster.removeConsumer("billing", of: log.namespace) } throws: { Self.isInUse($0) }
        #expect(consumer.position == 3)
        try await consumer.acknowledge(through: 3)
        try await consumer.shutdown()
        await #expect(throws: ImmutaError.self) {
          try await cluster.seekConsumer("billing", of: log.namespace, to: .sequence(6))
        }
        #expect(try await cluster.consumers(of: log.namespace).map(\.position) == [4])
        try await cluster.removeConsumer("billing", of: log.namespace)
        #expect(try await cluster.consumers(of: log.namespace).isEmpty)
        // It starts over.
        let again = try await log.consumer("billing")
        #expect(again.position == 0)
        try await again.shutdown()
      }
    }

    @Test func aConsumerWhosePositionIsDamagedIsMovedOrForgotten() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        try await log.append("one")
        for name in ["moved", "forgotten"] {
          try await cluster.seekConsumer(name, of: log.namespace, to: .latest)
          let rubbish = Outgoing(subject: log.access.name.position(of: name), bytes: Array("rubbish".utf8))
          _ = try await log.access.transport.ask(rubbish, within: .seconds(10)).get()
          await #expect { _ = try await log.consumer(name) } throws: { "\($0)".contains("is no position") }
        }
        try await cluster.seekConsumer("moved", of: log.namespace, to: .beginning)
        try await cluster.removeConsumer("forgotten", of: log.namespace)
        #expect(try await cluster.consumers(of: log.namespace).map(\.name) == ["moved"])
        #expect(try await log.consumer("moved").position == 0)
      }
    }

    private static func isInUse(_ error: any Error) -> Bool {
      if case .consumerInUse? = error as? ImmutaError { true } else { false }
    }

    @Test func whoeverHasAConsumerRenewsThat() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        let consumer = try await log.consumer("billing")
        let store = MarkStore(access: log.access)
        let first = try #require(try await store.read("billing", until: .now + .seconds(10)))
        var last = first
        let end = ContinuousClock.now + .seconds(30)
        while last.revision == first.revision, .now < end {
          try await Task.sleep(for: .milliseconds(200))
          last = try #require(try await store.read("billing", until: .now + .seconds(10)))
        }
        #expect(last.revision > first.revision && last.mark.owner == first.mark.owner)
        #expect(last.time.secondsSince1970 - first.time.secondsSince1970 < 10)
        try await consumer.shutdown()
        #expect(try await store.read("billing", until: .now + .seconds(10))?.mark.owner == nil)
      }
    }

    @Test func closingTheClusterLetsItsConsumersGo() async throws {
      let name = TestCluster.name()
      try await withCluster { cluster in
        let log = try await cluster.log(name, creating: .init())
        for number in 0..<3 { try await log.append("\(number)") }
        let consumer = try await log.consumer("billing")
        try await consumer.acknowledge(through: 0)
        await cluster.close()
        await #expect(throws: (any Error).self) { _ = try await consumer.next() }
      }
      try await withCluster { cluster in
        let consumer = try await cluster.log(name).consumer("billing")
        #expect(consumer.position == 1)
      }
    }

    @Test func severalTasksShareAConsumer() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        try await log.append(contentsOf: (0..<500).map { "\($0)" }, expecting: 0)
        let consumer = try await log.consumer("workers")
        let numbers = try await withThrowingTaskGroup(of: [Int].self) { group in
          for _ in 0..<4 {
            group.addTask {
              var numbers: [Int] = []
              while let record = try await consumer.next(timeout: .seconds(2)) {
                numbers.append(record.sequence)
                try await consumer.acknowledge(record)
              }
              return numbers
            }
          }
          return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(numbers.sorted() == Array(0..<500))
        #expect(consumer.position == 500)
        #expect(try await consumer.lag == 0)
      }
    }

    @Test func aPositionBeyondTheEndIsRefused() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        let consumer = try await log.consumer("billing")
        try await consumer.shutdown()
        let store = MarkStore(access: log.access)
        let kept = try #require(try await store.read("billing", until: .now + .seconds(10)))
        var mark = kept.mark
        mark.position = 5
        _ = try await store.write(mark, of: "billing", replacing: kept.revision, until: .now + .seconds(10))
        await #expect(throws: ImmutaError.positionBeyondEnd(position: 5, count: 0)) {
          _ = try await log.consumer("billing")
        }
      }
    }
  }
#endif
