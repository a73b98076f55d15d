#if JetStream
  import Foundation
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport
  import Testing

  /// Eight writers append and eight followers read while a cluster is broken and mended: in a few ways, once each; or in all of
  /// them, each again and again for as many seconds as `IMMUTA_FAULT_SECONDS` says. `IMMUTA_FAULT` leaves those in whose words it
  /// is found, such as “own server”.
  @Suite(.serialized, .enabled(if: BreakableCluster.isThere, BreakableCluster.reason))
  struct FaultTests {
    private static let tasks = 8
    private static let clients = 4
    private static let seconds = ProcessInfo.processInfo.environment["IMMUTA_FAULT_SECONDS"].flatMap(Double.init) ?? 0

    private static let chosen = ProcessInfo.processInfo.environment["IMMUTA_FAULT"]

    private static let faults =
      chosen.map { words in Fault.allCases.filter { $0.description.contains(words) } }
      ?? (seconds > 0 ? Fault.allCases : [.leaderKilled, .allKilled])

    @Test(arguments: faults)
    func whatWasAcknowledgedIsThereOnceInOrderForAll(_ fault: Fault) async throws {
      let watchdog = Watchdog(.seconds(240 + Self.seconds), "a test of faults hangs: \(fault)")
      defer { watchdog.stop() }
      let cluster = try await BreakableCluster()
      try await cluster.mend()
      let clients = try await Clients(Self.clients, of: cluster)
      do {
        try await run(fault, cluster, clients)
      } catch {
        try? await cluster.mend()
        await clients.close()
        throw error
      }
      await clients.close()
    }

    private func run(_ fault: Fault, _ cluster: BreakableCluster, _ clients: Clients) async throws {
      let traffic = Traffic(writers: Self.tasks, followers: Self.tasks)
      try await withThrowingTaskGroup(of: Void.self) { readers in
        for task in 0..<Self.tasks {
          readers.addTask {
            try await traffic.follow(clients.log(task), as: task)
          }
        }
        try await withThrowingTaskGroup(of: Void.self) { writers in
          for task in 0..<Self.tasks { writers.addTask { try await traffic.write(to: clients.log(task), as: task) } }
          writers.addTask {
            defer { traffic.end() }
            let end = ContinuousClock.now + .seconds(Self.seconds)
            repeat { try await breakAndMend(fault, cluster, clients, traffic) } while ContinuousClock.now < end
          }
          // The first that fails ends the others.
          try await writers.waitForAll()
        }
        // Now nobody appends.
        traffic.endFollowing(at: try await clients.log(0).count)
        try await readers.waitForAll()
      }
      try traffic.history.check(traffic.seen)
      try await check(traffic.seen, cluster, clients)
    }

    /// One fault: before it, while it lasts, and after it, appends get through.
    private func breakAndMend(
      _ fault: Fault, _ cluster: BreakableCluster, _ clients: Clients, _ traffic: Traffic
    ) async throws {
      try await goesOn(traffic, within: .seconds(30), "before \(fault)")
      try await fault.strike(cluster, stream: clients.stream, server: clients.server(in: cluster))
      if fault.leavesMajority {
        try await goesOn(traffic, within: .seconds(60), "while \(fault)")
      } else {
        // Nothing can be acknowledged now; what is under way meets a cluster that does not answer.
        let before = traffic.acknowledged.reduce(0, +)
        try await Task.sleep(for: .milliseconds(1500))
        let between = traffic.acknowledged.reduce(0, +) - before
        guard between <= Self.tasks else { throw Finding("\(between) records were acknowledged while \(fault)") }
      }
      try await cluster.mend()
      try await wait(.seconds(3), for: "a client has not found a server again after \(fault)") {
        ClientConnections.ports(among: cluster.ports).count >= Self.clients
      }
      try await goesOn(traffic, within: .seconds(60), "after \(fault)")
    }

    /// Waits until each writer has had records acknowledged, and each follower has moved on.
    private func goesOn(_ traffic: Traffic, within patience: Duration, _ when: String) async throws {
      let (acknowledged, positions) = (traffic.acknowledged, traffic.positions)
      try await wait(
        patience, for: "a writer or follower does not go on \(when): \(traffic.acknowledged), \(traffic.positions)"
      ) {
        // Its own error says more than that it does not go on.
        try traffic.checkFollowers()
        return zip(traffic.acknowledged, acknowledged).allSatisfy { $0 >= $1 + 5 }
          && zip(traffic.positions, positions).allSatisfy { $0 >= $1 + 5 }
      }
    }

    /// Reads the log through each node, and sees that each node has all of it.
    private func check(_ seen: [String], _ cluster: BreakableCluster, _ clients: Clients) async throws {
      for url in cluster.urls {
        let client = try await Clients(1, of: [url], stream: clients.namespace)
        var stream = client.log(0).stream(from: .beginning)
        for (sequence, text) in seen.enumerated() {
          let record = try await stream.next(timeout: .seconds(30))
          guard record?.sequence == sequence, record?.text == text else {
            throw Finding("record \(sequence) is “\(text)”, and \(record?.text ?? "nothing") through \(url)")
          }
        }
        await client.close()
      }
      var found: [String] = []
      try await wait(.seconds(30), for: "the nodes have not all \(seen.count) records: \(found)") {
        found = try await cluster.replicas(of: clients.stream)
        return Set(found).count == 1 && found[0].hasPrefix("\(seen.count) records")
      }
    }
  }
#endif
