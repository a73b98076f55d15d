#if JetStream
  import Immuta
  import ImmutaJetStream

  /// The three that do the same: a log in this process, one on a cluster, and the C client on a stream like it.
  final class Contenders {
    enum Work: CaseIterable {
      case oneByOne, window, following

      func name(window: Int) -> String {
        switch self {
        case .oneByOne: "append, one at a time"
        case .window: "append, in order, \(window) under way"
        case .following: "read from the beginning"
        }
      }
    }

    private static let rounds = 5

    private let replicas: Int
    private let count: Int
    private let window: Int
    private let payload: [UInt8]
    private let storage: Storage
    private let local: Log
    private let cluster: Cluster
    private let log: ClusterLog
    private let floor: RawClient
    private let floorLog: ClusterLog
    private let subject: String

    init(servers: String, directory: String, replicas: Int, bytes: Int, count: Int, window: Int) async throws {
      self.replicas = replicas
      self.count = count
      self.window = window
      payload = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      let name = "rates-\(replicas)-\(bytes)-\(UInt32.random(in: 0...(.max)))"
      storage = try Storage(directory: directory, namespaces: [name])
      local = try storage.log(name)
      // All talk to one server, which leads all streams: else the way between two servers is what is measured.
      let server = String(servers.split(separator: ",")[0])
      var options = Cluster.Options(servers: [server])
      options.discoversServers = false
      cluster = try await Cluster.connect(options)
      floor = RawClient(server: server, window: window)
      log = try await Self.makeLog(name, replicas, cluster, floor)
      // The floor has a stream of its own, made in the same way.
      floorLog = try await Self.makeLog(name + "-floor", replicas, cluster, floor)
      subject = "immuta.\(floorLog.streamName).\(floorLog.identity)"
      floor.waitForTaker(of: subject)
    }

    /// Makes logs until the first server of a cluster leads one: the servers take turns.
    private static func makeLog(
      _ name: String, _ replicas: Int, _ cluster: Cluster, _ client: RawClient
    ) async throws -> ClusterLog {
      var others: [ClusterLog] = []
      defer { for other in others { client.delete(other.streamName) } }
      while others.count < 30 {
        let log = try await cluster.log("\(name)-\(others.count)", creating: .init(replicas: replicas))
        if client.leader(of: log.streamName) == "n1" { return log }
        others.append(log)
      }
      fatalError("the first server, which must be called n1, never leads a stream")
    }

    func close() async {
      storage.close()
      for log in [log, floorLog] { floor.delete(log.streamName) }
      await cluster.close()
    }

    /// A line of the table: the medians of the rounds, in records a second.
    func row(_ work: Work) async throws -> String {
      var times: [[Double]] = [[], [], []]
      for round in 0..<Self.rounds {
        // Each round begins with another one.
        for place in 0..<3 {
          let contender = (round + place) % 3
          let amount = work == .oneByOne ? count / 20 : count
          let start = ContinuousClock.now
          switch contender {
          case 0: try await runLocal(work, amount)
          case 1: try await runCluster(work, amount)
          default: runFloor(work, amount)
          }
          times[contender].append(Double(amount) / ((ContinuousClock.now - start) / .seconds(1)))
        }
      }
      let rates = times.map(median)
      let ratio = median(zip(times[1], times[2]).map { $0 / $1 })
      let name =
        "\(work.name(window: window)), \(payload.count) B, \(replicas == 1 ? "1 replica" : "\(replicas) replicas")"
      return "| \(name) | \(rates.map(shown).joined(separator: " | ")) | \(hundredths(ratio)) |"
    }

    private func runLocal(_ work: Work, _ amount: Int) async throws {
      switch work {
      case .oneByOne, .window:
        for _ in 0..<amount { try await local.append(payload) }
      case .following:
        var stream = local.stream(from: .beginning)
        for _ in 0..<amount { consume(try await stream.next()?.payload) }
      }
    }

    private func runCluster(_ work: Work, _ amount: Int) async throws {
      switch work {
      case .oneByOne:
        for _ in 0..<amount { try await log.append(payload) }
      case .window:
        let appender = log.appender(window: window)
        for _ in 0..<amount { try await appender.append(payload) }
        try await appender.finish()
      case .following:
        var stream = log.stream(from: .beginning)
        for _ in 0..<amount { consume(try await stream.next()?.payload) }
      }
    }

    private func runFloor(_ work: Work, _ amount: Int) {
      switch work {
      case .oneByOne: for _ in 0..<amount { floor.publish(payload, on: subject) }
      case .window: floor.publish(payload, times: amount, on: subject)
      case .following: sum &+= floor.fetch(amount, from: subject, stream: floorLog.streamName)
      }
    }

    /// What was read, so that reading cannot be left out.
    private var sum = 0

    private func consume(_ payload: Payload?) {
      guard let payload else { fatalError("a record is missing") }
      payload.withBytes { bytes in
        for place in 0..<bytes.byteCount { sum &+= Int(unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self)) }
      }
    }
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
  private func shown(_ rate: Double) -> String {
    var digits = String(Int(rate.rounded()))
    for place in stride(from: digits.count - 3, to: 0, by: -3) {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
    }
    return digits
  }
  private func hundredths(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
#endif
