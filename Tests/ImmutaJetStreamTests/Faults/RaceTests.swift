#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport
  import Testing

  /// Two writers that expect the same number, on two connections, while the cluster is whole and while it is not.
  @Suite(.serialized, .enabled(if: BreakableCluster.isThere, BreakableCluster.reason))
  struct RaceTests {
    @Test(arguments: [nil, Fault.leaderCutOff])
    func eachNumberIsWonByOneOfTwoWriters(_ fault: Fault?) async throws {
      let watchdog = Watchdog(.seconds(240), "two writers that race hang")
      defer { watchdog.stop() }
      let cluster = try await BreakableCluster()
      try await cluster.mend()
      let clients = try await Clients(2, of: cluster)
      let goal = 400
      var history = History()
      let won = try await withThrowingTaskGroup(of: [Int: String].self) { group in
        for writer in 0..<2 { group.addTask { try await race(in: clients.log(writer), as: writer, until: goal) } }
        if let fault {
          try await wait(.seconds(30), for: "nobody appends") { try await clients.log(0).count >= goal / 4 }
          try await fault.strike(cluster, stream: clients.stream, server: 1)
          // Half of what is left is appended while it is broken.
          try await wait(.seconds(60), for: "nobody appends while \(fault)") {
            (try? await clients.log(0).count) ?? 0 >= goal / 2
          }
          try await cluster.mend()
        }
        return try await group.reduce(into: [[Int: String]]()) { $0.append($1) }
      }
      for each in won { for (sequence, text) in each { try history.acknowledge(text, as: sequence) } }
      // Each knows in the end what became of each of its appends: so nothing is left open.
      var stream = clients.log(0).stream(from: .beginning)
      var texts: [String] = []
      while texts.count < history.leastCount {
        guard let record = try await stream.next(timeout: .seconds(30)) else {
          throw Finding("record \(texts.count) does not come")
        }
        texts.append(record.text)
      }
      try history.check(texts)
      #expect(try await clients.log(0).count == texts.count)
      await clients.close()
    }

    /// Appends, always expecting the count that it knows. Returns what it won.
    private func race(in log: ClusterLog, as writer: Int, until goal: Int) async throws -> [Int: String] {
      var won: [Int: String] = [:]
      var count = 0
      var attempt = 0
      while count < goal {
        let text = "\(writer)/\(attempt)"
        attempt += 1
        do {
          let sequence = try await log.append(text, expecting: count).sequence
          guard sequence == count else { throw Finding("\(sequence) was won, and \(count) expected") }
          won[sequence] = text
          count = sequence + 1
        } catch let error as ImmutaError {
          switch error {
          case .unexpectedCount(_, let found, _): count = found
          case .unavailable: continue
          case .outcomeUnknown(let append, _):
            if let sequence = try await settled(append, in: log) { won[sequence] = text }
            if let found = try? await log.count { count = found }
          default: throw Finding("writer \(writer): \(error)")
          }
        }
      }
      return won
    }

    private func settled(_ append: UnknownAppend, in log: ClusterLog) async throws -> Int? {
      let outcome = try await { () async throws -> AppendOutcome in
        while true {
          do {
            let outcome = try await log.outcome(of: append)
            if outcome != .undecided { return outcome }
          } catch ImmutaError.unavailable {}
          try await Task.sleep(for: .milliseconds(100))
        }
      }()
      if case .appended(let sequences) = outcome { return sequences.lowerBound }
      return nil
    }
  }
#endif
