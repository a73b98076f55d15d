import ArgumentParser
import Immuta

/// `immuta mirror`: a log into a cluster, or out of one.
struct MirrorCommand: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "mirror",
    abstract: "Keep a copy of a log on a NATS JetStream cluster, or the other way round.",
    discussion: """
      Each record is copied once, with the number that it has, and then those that are appended, until Ctrl-C. It may be killed and
      started again as you like, also twice at once: it goes on after the last record that is there.

      What a server appends, on three machines within a second:
        immuta mirror events --to nats://one:4222,nats://two:4222,nats://three:4222

      What there is by now, and no more:
        immuta mirror events --to nats://one:4222 --no-follow

      How far it is, an object a line:
        immuta mirror events --to nats://one:4222 --json

      Back into a new directory:
        immuta mirror events --from nats://one:4222 --dir restored --no-follow

      The log is made on the cluster if it is not there. A copy of another log is refused. How far the copy is known to be the same \
      is kept beside the log, as the position of the consumer “mirror”: a program that sets Retention.waitingFor to “mirror” \
      removes nothing that is not copied yet, and `immuta consumers` says how far it is.

      The options of the codec are those of both logs: what is compressed or encrypted here is so there.
        immuta mirror events --to nats://one:4222 --codec deflate --key-file secret.key

      Servers are a list, separated by commas, with nats:// or tls://, and user:password@ before the host where they ask for that. \
      The environment has the rest, as for the program nats: NATS_CREDS is a file with credentials, NATS_TOKEN a token, NATS_CA, \
      NATS_CERT and NATS_KEY files in PEM for tls://. A build with --traits JetStream can do all this.
      """)

  @OptionGroup var location: Location
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: "The namespace; the log has the same name there.", completion: Completions.namespaces)
  var namespace: String

  @Option(help: ArgumentHelp("Copy the log of --dir into this cluster.", valueName: "servers"))
  var to: String?

  @Option(help: ArgumentHelp("Copy the log of this cluster into --dir.", valueName: "servers"))
  var from: String?

  @Flag(inversion: .prefixedNo, help: "Go on with what is appended from now on, until Ctrl-C.")
  var follow = true

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("On how many servers a log is kept that is made by this: 1, 3 or 5.", valueName: "n"))
  var replicas = 3

  @Option(help: ArgumentHelp("The consumer whose position says up to where the copy is the same.", valueName: "name"))
  var consumer = "mirror"

  @Flag(help: "Print an object a line: how many records the copy has, and how many it lacks.")
  var json = false

  func validate() throws {
    try checkNamespace(namespace)
    try checkConsumer(consumer)
    guard (to == nil) != (from == nil) else {
      throw ValidationError("say where the copy is to be: --to nats://… or --from nats://…")
    }
    try ClusterOption.check(replicas: replicas)
  }

  @MainActor func execute() async throws {
    #if JetStream
      let report = MirrorReport(namespace, json: json ? Output() : nil)
      if let to { try await copy(to: to, report) }
      if let from { try await copy(from: from, report) }
    #else
      throw ClusterSupport.missing(for: to ?? from ?? "")
    #endif
  }
}
