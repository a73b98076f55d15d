#if JetStream
  import Foundation
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport
  import Testing

  /// Nothing is left behind: no object of the C library, no descriptor, no thread, no memory. With `IMMUTA_MANY_CONNECTIONS`, after
  /// 100,000 appends and 1,000 connections; otherwise after fewer.
  @Suite(.serialized, .enabled(if: BreakableCluster.isThere, BreakableCluster.reason))
  struct LeakTests {
    private static let isLong = ProcessInfo.processInfo.environment["IMMUTA_MANY_CONNECTIONS"] != nil
    private static let appends = isLong ? 100_000 : 5_000
    private static let connections = isLong ? 1_000 : 20

    /// What this process holds.
    private struct Held: CustomStringConvertible {
      let connections = LiveObjects[.connection]
      let subscriptions = LiveObjects[.subscription]
      let messages = LiveObjects[.message]
      let descriptors = ClientConnections.descriptorCount
      let threads = Held.status("Threads")
      let kibibytes = Held.status("VmRSS")

      var description: String {
        """
        \(connections) connections, \(subscriptions) subscriptions, \(messages) messages, \(descriptors) descriptors, \
        \(threads) threads, \(kibibytes) KiB
        """
      }

      /// Whether there is no more than there was. Threads are kept for the next call, and memory for the next allocation.
      func isNoMore(than before: Held, threads: Int = 4, kibibytes: Int = 16 << 10) -> Bool {
        connections <= before.connections && subscriptions <= before.subscriptions && messages <= before.messages
          && descriptors <= before.descriptors && self.threads <= before.threads + threads
          && self.kibibytes <= before.kibibytes + kibibytes
      }

      private static func status(_ name: String) -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
      }
    }

    @Test func appendsAndReadingLeaveNothingBehind() async throws {
      let cluster = try await BreakableCluster()
      let clients = try await Clients(1, of: cluster)
      let log = clients.log(0)
      // The first ones make what is kept.
      try await appendAndRead(Self.appends / 5, log)
      let before = Held()
      try await appendAndRead(Self.appends, log)
      try await hasGone(since: before)
      await clients.close()
    }

    @Test func brokenConnectionsLeaveNothingBehind() async throws {
      let cluster = try await BreakableCluster()
      let clients = try await Clients(1, of: cluster)
      let log = clients.log(0)
      for _ in 0..<5 { try await breakOff(cluster, log) }
      let before = Held()
      for _ in 0..<Self.connections { try await breakOff(cluster, log) }
      try await hasGone(since: before)
      await clients.close()
    }

    @Test func closedConnectionsLeaveNothingBehind() async throws {
      let cluster = try await BreakableCluster()
      let namespace = try await connectAndClose(cluster, nil)
      for _ in 0..<3 { _ = try await connectAndClose(cluster, namespace) }
      let before = Held()
      for _ in 0..<Self.connections { _ = try await connectAndClose(cluster, namespace) }
      try await hasGone(since: before)
    }

    private func hasGone(since before: Held) async throws {
      try await wait(.seconds(10), for: "there were \(before), and there are \(Held())") {
        Held().isNoMore(than: before)
      }
    }

    private func appendAndRead(_ count: Int, _ log: ClusterLog) async throws {
      let first = try await log.count
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<50 {
          group.addTask { for number in 0..<count / 50 { try await log.append("\(task) \(number)") } }
        }
        try await group.waitForAll()
      }
      var stream = log.stream(from: .skipping(first))
      for sequence in first..<first + count / 50 * 50 {
        let record = try await stream.next(timeout: .seconds(30))
        #expect(record?.sequence == sequence)
      }
    }

    /// A connection that breaks with an append under way, and is there again for the next.
    private func breakOff(_ cluster: BreakableCluster, _ log: ClusterLog) async throws {
      async let receipt = log.append("while it breaks")
      #expect(ClientConnections.breakOff(to: cluster.ports) > 0)
      _ = try await receipt
      let start = ContinuousClock.now
      let sequence = try await log.append("after it broke").sequence
      #expect(ContinuousClock.now - start < .seconds(3))
      #expect(try await log.record(at: sequence).text == "after it broke")
    }

    private func connectAndClose(_ cluster: BreakableCluster, _ namespace: String?) async throws -> String {
      let clients = try await Clients(1, of: cluster.urls, stream: namespace)
      let sequence = try await clients.log(0).append("one").sequence
      var stream = clients.log(0).stream(from: .skipping(sequence))
      #expect(try await stream.next(timeout: .seconds(30))?.sequence == sequence)
      await clients.close()
      return clients.namespace
    }
  }
#endif
