import ArgumentParser
import Immuta

/// Which cluster keeps the log: an option of each subcommand that works on either.
struct ClusterOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The log is kept by a NATS JetStream cluster with these servers, in place of --dir: nats://one:4222,nats://two:4222. \
      Credentials come from the environment: see `immuta mirror --help`.
      """, valueName: "servers"))
  var url: String?

  /// Throws a usage error for a number of servers that no log can be kept on.
  static func check(replicas: Int) throws {
    guard [1, 3, 5].contains(replicas) else { throw ValidationError("--replicas is \(replicas); it must be 1, 3 or 5") }
  }

  /// Throws a usage error where options were given that are about a log in a directory.
  ///
  /// - Parameter others: what they are called, and whether they were given.
  func check(_ others: [(name: String, isGiven: Bool)]) throws {
    guard url != nil, let other = others.first(where: \.isGiven) else { return }
    throw ValidationError("use either --url or \(other.name), which is about a log in a directory")
  }
}

/// A build without the cluster's client.
enum ClusterSupport {
  /// The error for what only a cluster can do.
  static func missing(for servers: String) -> ToolError {
    ToolError(
      "this immuta was built without JetStream, and cannot reach \(servers.quoted): install libnats with its headers "
        + "(libnats-dev), and build it with `swift build -c release --product immuta --traits JetStream`")
  }
}
