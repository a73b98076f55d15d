/// What befalls a cluster of three, or a client of it.
enum Fault: String, CaseIterable, CustomStringConvertible {
  case leaderKilled = "the leader is killed"
  case leaderPaused = "the leader stands still"
  case leaderCutOff = "the leader is cut off from the others"
  case serverCutOff = "a client's own server is cut off from the others"
  case twoKilled = "two of three are killed"
  case allKilled = "all are killed"

  var description: String { rawValue }

  /// Whether the others go on without what is broken.
  var leavesMajority: Bool { self != .twoKilled && self != .allKilled }

  /// Makes it happen.
  ///
  /// - Parameters:
  ///   - stream: the one whose leader is meant.
  ///   - server: the node that the first client is connected to.
  func strike(_ cluster: BreakableCluster, stream: String, server: Int) async throws {
    let leader = try await cluster.leader(of: stream)
    switch self {
    case .leaderKilled: try await cluster.kill([leader])
    case .leaderPaused: try await cluster.pause(leader)
    case .leaderCutOff: try await cluster.cutOff(leader)
    case .serverCutOff: try await cluster.cutOff(server)
    case .twoKilled: try await cluster.kill([leader, cluster.nodes.first { $0 != leader } ?? leader])
    case .allKilled: try await cluster.killAll()
    }
  }
}
