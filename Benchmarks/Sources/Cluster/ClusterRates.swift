import Immuta
import ImmutaJetStream

/// What a log on a cluster costs beside the same log in this process, and beside the C client alone: the same records, in one run, in
/// turn. It is only built where the environment has `IMMUTA_CLUSTER_RATES`, as `Scripts/bench.sh cluster` does.
///
/// ```
/// ClusterRates SERVERS DIRECTORY COUNT [WINDOW]   prints a table; the servers are a list with commas, the directory is
///                                                 for the log, the window is of records under way (default: 256)
/// ```
@main struct ClusterRates {
  static func main() async throws {
    #if JetStream
      let arguments = CommandLine.arguments
      guard [4, 5].contains(arguments.count), let count = Int(arguments[3]), count >= 1_000,
        let window = arguments.count == 4 ? 256 : Int(arguments[4]), window >= 1
      else {
        fatalError("arguments are missing: see the top of this program")
      }
      print("| work | this process | cluster | C client alone | cluster / C client |")
      print("| --- | ---: | ---: | ---: | ---: |")
      // On the pool, as a server's work is, and not on the main thread.
      try await Task.detached {
        for (replicas, size) in [(1, 100), (3, 100), (3, 1_024)] {
          let contenders = try await Contenders(
            servers: arguments[1], directory: arguments[2], replicas: replicas, bytes: size, count: count,
            window: window)
          for work in Contenders.Work.allCases { print(try await contenders.row(work)) }
          await contenders.close()
        }
      }.value
    #else
      fatalError("build with --traits JetStream")
    #endif
  }
}
