import Foundation
import ImmutaTestSupport
import Testing

/// A cluster that `Scripts/cluster` made in the directory that `IMMUTA_CLUSTER_DIR` names: its nodes can be killed, paused and
/// cut off from each other. Whoever breaks it repairs it.
struct BreakableCluster: Sendable {
  private static let directory = ProcessInfo.processInfo.environment["IMMUTA_CLUSTER_DIR"]
  static var isThere: Bool { directory != nil }
  /// Why the tests that need one are left out where there is none.
  static let reason: Comment =
    "IMMUTA_CLUSTER_DIR names no cluster to break: set it to the DIR of Scripts/cluster start DIR"

  /// The numbers of its nodes.
  let nodes: [Int]
  /// Where they are, in the order of their numbers.
  let urls: [String]
  private let directory: String

  init() async throws {
    guard let directory = Self.directory else { throw Finding("\(Self.reason)") }
    self.directory = directory
    urls = try await Self.run(["urls", directory]).split(separator: ",").map(String.init)
    nodes = Array(1...urls.count)
  }

  /// The program that its nodes run.
  static func serverProgram() async throws -> String { try await run(["server"]) }

  /// Their ports for clients.
  var ports: Set<UInt16> { Set(urls.compactMap { URL(string: $0)?.port.flatMap { UInt16(exactly: $0) } }) }

  func leader(of stream: String) async throws -> Int {
    let text = try await run("leader", stream)
    guard let number = Int(text) else { throw Finding("the leader of \(stream) is \(text)") }
    return number
  }

  func kill(_ nodes: some Sequence<Int>) async throws { for node in nodes { try await run("kill", "\(node)") } }
  func killAll() async throws { try await run("kill") }
  func pause(_ node: Int) async throws { try await run("pause", "\(node)") }
  func cutOff(_ node: Int) async throws { try await run("cut", "\(node)") }

  /// Brings back what is down, paused or cut off, and waits until all nodes are healthy.
  func mend() async throws {
    try await run("resume", "--no-wait")
    try await run("heal", "--no-wait")
    try await run("restart")
  }

  /// What each node has of a stream, in words; the same words from all of them, in the end.
  func replicas(of stream: String) async throws -> [String] {
    try await run("replicas", stream).split(separator: "\n").map { line in
      String(line.drop { $0 != " " }.drop { $0 == " " })
    }
  }

  @discardableResult
  private func run(_ command: String, _ arguments: String...) async throws -> String {
    try await Self.run([command, directory] + arguments)
  }

  /// What the script prints. Off the threads that run tasks: some commands wait for an election.
  private static func run(_ arguments: [String]) async throws -> String {
    let script = URL(filePath: #filePath).appending(path: "../../../../Scripts/cluster").standardized.path
    return try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(
          with: Result {
            let child = try ChildProcess(script, arguments)
            let lines = child.readLines(within: .seconds(120))
            guard child.wait() == 0 else { throw Finding("Scripts/cluster \(arguments) failed: \(lines)") }
            return lines.joined(separator: "\n")
          })
      }
    }
  }
}
