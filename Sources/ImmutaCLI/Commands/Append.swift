import ArgumentParser
import Immuta

#if JetStream
  import ImmutaJetStream
#endif

/// Where one record ends and the next begins.
enum Delimiter: String, CaseIterable, ExpressibleByArgument {
  case newline
  case nul
  case none

  var byte: UInt8? {
    switch self {
    case .newline: UInt8(ascii: "\n")
    case .nul: 0
    case .none: nil
    }
  }
}

/// `immuta append`: files or standard input into a log.
struct Append: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Append records from files or standard input.",
    discussion: """
      Each line is a record, without its newline; an empty line is an empty record. A namespace that does not exist is \
      created, and so is the directory with those that it is to lie in. Input that is empty appends nothing.

      Two records:
        printf 'order placed\\ninvoice sent\\n' | immuta append events

      A program's output, each line on stable storage before its receipt is printed:
        ./server | immuta append events --durability synced --receipts

      A file as one record, whatever its bytes and its size:
        immuta append backups photo.raw --delimiter none

      File names, which may hold newlines:
        find . -print0 | immuta append names --delimiter nul

      A log that grows for years, in files of 256 MiB; `immuta trim` removes the oldest of them:
        ./server | immuta append events --segment-bytes 256M --segment-age 7d

      One that never takes much more than 10 GiB: the oldest files go by themselves:
        ./server | immuta append events --segment-bytes 256M --keep-bytes 10G

      Compressed, and encrypted with a key of 32 random bytes; cat and verify take the same options:
        (umask 077; head -c 32 /dev/urandom > secret.key)
        immuta append events app.log --codec deflate --key-file secret.key

      On three machines, in a cluster that any number of machines may append to:
        ./server | immuta append events --url nats://one:4222,nats://two:4222

      A log that another process has open for writing, as soon as that one closes it:
        immuta append events app.log --wait 30s

      Ctrl-C ends it in good order: what was appended stays, and half a line is not appended. A second one kills it.
      """)

  @OptionGroup var location: Location
  @OptionGroup var cluster: ClusterOption
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: "The namespace to append to.", completion: Completions.namespaces)
  var namespace: String

  @Option(help: "What ends a record; with none, each file, or all of standard input, is one record.")
  var delimiter: Delimiter = .newline

  @OptionGroup var options: AppendOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --url: on how many servers the log is kept, if this makes it: 1, 3 or 5. (default: 3)", valueName: "n"))
  var replicas: Int?

  func validate() throws {
    try checkNamespace(namespace)
    try cluster.check([
      ("--dir", location.isGiven), ("--durability", options.durability != .buffered),
      ("--segment-bytes", options.segments.isGiven), ("--keep-bytes", !options.retention.retention.keepsEverything),
      ("--wait", options.lock.wait != nil),
    ])
    if let replicas { try ClusterOption.check(replicas: replicas) }
    if replicas != nil, cluster.url == nil {
      throw ValidationError("--replicas needs --url: a directory is one machine's")
    }
  }

  @MainActor func execute() async throws {
    let input = try options.input()
    try Interruption.install()
    // A file that cannot be read makes no log. Standard input may have nothing for long.
    var first: RecordInput?
    if input.paths[0] != "-" {
      let source = try options.read(input.paths[0], delimiter: delimiter.byte)
      _ = try source.fill()
      first = source
    }
    if let servers = cluster.url {
      #if JetStream
        return try await Cluster.withLog(
          namespace, on: servers, creating: .init(replicas: replicas ?? 3), codec: codecOptions
        ) { log in
          try await options.append(input, delimiter: delimiter.byte, to: ClusterTarget(log), first: first)
        }
      #else
        throw ClusterSupport.missing(for: servers)
      #endif
    }
    var configuration = try codecOptions.configuration()
    options.set(in: &configuration)
    let storage = try options.lock.waiting { try location.open(namespace, configuration) }
    defer { storage.close() }
    let log = try storage.log(namespace)
    log.sayOpeningNote(.namespace)
    try FileSource.check(input.paths, differFrom: log)
    try await options.append(input, delimiter: delimiter.byte, to: LogTarget(log), first: first)
    try await options.retention.apply(to: log)
    try await storage.shutdown()
  }
}
