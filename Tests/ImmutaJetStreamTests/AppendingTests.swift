#if JetStream
  import Immuta
  import ImmutaTestSupport
  import Testing

  @testable import ImmutaJetStream

  @Suite(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"), .serialized)
  struct AppendingTests {
    private func texts(_ log: ClusterLog) async throws -> [String] {
      var texts: [String] = []
      for sequence in 0..<(try await log.count) { texts.append(try await log.record(at: sequence).text) }
      return texts
    }

    @Test func anAppendWhoseAnswerIsLostIsFoundByItsId() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      let name = TestCluster.name()
      try await withCluster { other in
        let witness = try await other.log(name, creating: .init())
        try await witness.append("first")
        let cluster = try await TestCluster.connectImpatiently(through: proxy)
        let log = try await cluster.log(name)
        proxy.set(losesAnswers: true)
        let append = try await TestCluster.unknownAppend { try await log.append("second") }
        #expect(append.count == 1 && append.earliest == 1 && append.namespace == name)
        #expect(try await witness.outcome(of: append) == .appended(1..<2))
        #expect(try await texts(witness) == ["first", "second"])
        await cluster.close()
      }
    }

    @Test func anAppendThatNeverArrivedIsUndecidedUntilItsPlaceIsTaken() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      let name = TestCluster.name()
      try await withCluster { other in
        let witness = try await other.log(name, creating: .init())
        let cluster = try await TestCluster.connectImpatiently(through: proxy)
        let log = try await cluster.log(name)
        proxy.set(losesQuestions: true)
        let append = try await TestCluster.unknownAppend {
          try await log.append(contentsOf: ["a", "b"], expecting: nil)
        }
        #expect(try await witness.outcome(of: append) == .undecided)
        try await witness.append("other")
        #expect(try await witness.outcome(of: append) == .notAppended)
        #expect(try await texts(witness) == ["other"])
        await cluster.close()
      }
    }

    @Test func anAppendGoesOnThroughLostConnections() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      let name = TestCluster.name()
      try await withCluster({
        $0.servers = [proxy.url]
        $0.discoversServers = false
      }) { cluster in
        let log = try await cluster.log(name, creating: .init())
        let following = Task {
          var numbers: [Int] = []
          for try await record in log.stream(from: .beginning) {
            #expect(record.sequence == numbers.count)
            numbers.append(Int(record.text) ?? -1)
            if numbers.count == 300 { break }
          }
          return numbers
        }
        for number in 0..<300 {
          if number % 50 == 25 { proxy.cut() }
          #expect(try await log.append("\(number)").sequence == number)
        }
        #expect(try await following.value == Array(0..<300))
        #expect(proxy.accepted > 1)
      }
    }

    @Test func cancellingAnAppendEndsItAtOnce() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      try await withCluster({
        $0.servers = [proxy.url]; $0.deadline = .seconds(600); $0.answerTimeout = .seconds(600)
      }) { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        try await log.append("first")
        proxy.set(losesAnswers: true)
        let begin = ContinuousClock.now
        let appending = Task { try await log.append("second") }
        try await Task.sleep(for: .milliseconds(100))
        appending.cancel()
        let result = await appending.result
        guard case .failure(let error as ImmutaError) = result, case .outcomeUnknown = error else {
          Issue.record("\(result)")
          return
        }
        // Before anything is sent, nothing was appended.
        let never = Task { try await log.append("third") }
        never.cancel()
        await #expect(throws: (any Error).self) { try await never.value }
        #expect(.now - begin < .seconds(60))
        proxy.cut()
        proxy.set()
      }
    }

    @Test func anAppendThatIsRepeatedWithItsIdIsThereOnce() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init())
        let first = try await log.append(Array("one".utf8), expecting: 0, id: "id-1")
        let other = try await cluster.log(log.namespace)
        #expect(try await other.append(Array("one".utf8), expecting: 0, id: "id-1") == first)
        #expect(try await other.append(Array("one".utf8), expecting: nil, id: "id-1") == first)
        #expect(try await texts(log) == ["one"])
        #expect(try await log.record(at: 0).id == "id-1")
        for id in ["", "a b", "a\r\nX: y", String(repeating: "x", count: 201), "é"] {
          await #expect(throws: ImmutaError.self) { try await log.append([1], expecting: nil, id: id) }
        }
      }
    }

    @Test func anAppenderKeepsTheOrderAmongOtherWriters() async throws {
      try await withCluster { cluster in
        let name = TestCluster.name()
        let log = try await cluster.log(name, creating: .init())
        let other = try await cluster.log(name)
        let disturbing = Task {
          for number in 0..<50 { try await other.append("other \(number)") }
        }
        let appender = log.appender(window: 64)
        for number in 0..<2000 { try await appender.append("\(number)") }
        let last = try await appender.finish()
        try await disturbing.value
        #expect(appender.storedCount == 2000)
        let all = try await log.count
        #expect(all == 2050 && last.map { $0.sequence < all } == true)
        var numbers: [Int] = []
        var stream = log.stream(from: .beginning)
        for _ in 0..<all {
          if let number = try await stream.next().flatMap({ Int($0.text) }) { numbers.append(number) }
        }
        #expect(numbers == Array(0..<2000))
      }
    }

    @Test func anAppenderWhoseConnectionIsCutAppendsEachRecordOnce() async throws {
      let proxy = try TestCluster.proxy()
      defer { proxy.stop() }
      let name = TestCluster.name()
      try await withCluster { other in
        let witness = try await other.log(name, creating: .init())
        let cluster = try await TestCluster.connect {
          $0.servers = [proxy.url]
          $0.discoversServers = false
          $0.answerTimeout = .milliseconds(300)
        }
        let appender = try await cluster.log(name).appender(window: 64)
        // What is sent is stored, and nobody hears of it; or it never arrives.
        let disturbing = Task {
          for round in 0..<8 {
            proxy.set(losesAnswers: round % 2 == 0, losesQuestions: round % 2 == 1)
            try await Task.sleep(for: .milliseconds(round % 4 < 2 ? 30 : 500))
            proxy.set()
            proxy.cut()
            try await Task.sleep(for: .milliseconds(50))
          }
        }
        for number in 0..<3000 {
          if number % 300 == 150 { proxy.cut() }
          try await appender.append("\(number)")
        }
        try await disturbing.value
        try await appender.finish()
        await cluster.close()
        #expect(appender.storedCount == 3000)
        #expect(try await texts(witness) == (0..<3000).map(String.init))
      }
    }

    @Test func anAppenderThatExpectsAPlaceEndsWhereSomebodyElseHasIt() async throws {
      try await withCluster { cluster in
        let name = TestCluster.name()
        let log = try await cluster.log(name, creating: .init())
        try await log.append("zero")
        let appender = log.appender(window: 8, expecting: 1)
        for number in 1...20 { try await appender.append("\(number)", id: "mine-\(number)") }
        try await appender.finish()
        #expect(try await log.record(at: 20).id == "mine-20")
        try await log.append("other")
        await #expect(throws: ImmutaError.unexpectedCount(expected: 21, actual: 22)) {
          for number in 21...100 { try await appender.append("\(number)") }
          try await appender.finish()
        }
        await #expect(throws: ImmutaError.unexpectedCount(expected: 21, actual: 22)) {
          try await appender.append("more")
        }
        #expect(try await log.count == 22)
      }
    }

    @Test func payloadsAreStoredThroughTheCodec() async throws {
      try await withCluster { cluster in
        let mask = WholePayloadTransformer(name: "mask") { bytes, record in
          bytes.map { $0 ^ UInt8(truncatingIfNeeded: record.sequence + 1) }
        }
        let codec = Codec(writing: mask, reading: mask)
        let name = TestCluster.name()
        let log = try await cluster.log(name, creating: .init(), codec: codec)
        for text in ["one", "", "three"] { try await log.append(text) }
        try await log.append(contentsOf: ["four", "five"], expecting: 3)
        #expect(try await texts(log) == ["one", "", "three", "four", "five"])
        var stream = log.stream(from: .sequence(3))
        #expect(try await stream.next()?.text == "four")
        await #expect(throws: ImmutaError.codecMismatch(written: "mask", opened: "")) {
          _ = try await cluster.log(name)
        }
        // It is the stored bytes that are on the cluster.
        let stored = try await log.leaderRecord(at: 0, until: .now + .seconds(10))
        #expect(stored?.payload.elementsEqual("one".utf8.map { $0 ^ 1 }) == true)
      }
    }

    @Test func aLogThatIsFullSaysSo() async throws {
      try await withCluster { cluster in
        let log = try await cluster.log(TestCluster.name(), creating: .init(maximumRecords: 3))
        for number in 0..<3 { try await log.append("\(number)") }
        await #expect { try await log.append("3") } throws: { "\($0)".contains("maximum messages exceeded") }
        #expect(try await texts(log) == ["0", "1", "2"])
      }
    }
  }
#endif
