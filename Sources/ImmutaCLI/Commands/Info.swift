import ArgumentParser
import Immuta

/// `immuta info`: what is known of logs without reading them.
struct Info: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what is known of logs without reading them.",
    discussion: """
      All namespaces of ./logs:
        immuta info

      Two of them, elsewhere:
        immuta info orders invoices --dir /var/lib/shop

      A row for each file of a log that is kept in segments, with all bytes counted:
        immuta info events --segments --bytes

      How fast they grow, and how far their consumers are behind, again each second:
        immuta info --watch

      For programs, an object a line; with --watch also recordsPerSecond, bytesPerSecond and lag:
        immuta info --json

      Logs on a cluster: their records and sizes, on how many servers each is, and whether it is set as a log must be:
        immuta info --url nats://one:4222,nats://two:4222

      SIZE is that of the log with its header; on disk is that of all its files, with space reserved ahead. RECORDS are \
      those that there are, without those that were removed. A segment is called by the number of its first record. HEALTH \
      is one of

        ok            closed in good order
        open          a process has it open for writing
        not closed    its writer died: opening it for appending recovers it
        unverifiable  no record has a checksum from when it was appended, as after the companion was lost
        partly verifiable  some records have none; the line below says how many
        damaged       damage was found; `immuta repair` says what can be done
        not a log     a file of another kind whose name ends in .log
        unreadable    it could not be opened
        missing       a segment whose files are gone, and were not removed by the log

      Only headers, companions, the last record and sizes are looked at: `immuta verify` reads every record. In JSON, \
      “open” is the process that has it, 0 where that is not known, and null where nobody has.

      A namespace that cannot be opened is listed all the same; the exit status is then 65 if one is damaged, or 1.
      """)

  @OptionGroup var location: Location
  @OptionGroup var cluster: ClusterOption
  @OptionGroup var selection: NamespaceSelection
  @OptionGroup var view: InfoOptions

  func validate() throws {
    try cluster.check([("--dir", location.isGiven), ("--segments", view.segments), ("--watch", view.watch)])
  }

  @MainActor func execute() async throws {
    if let servers = cluster.url {
      #if JetStream
        return try await ClusterInfo.print(
          selection.namespaces, on: servers, sizes: view.sizes, asJSON: selection.json)
      #else
        throw ClusterSupport.missing(for: servers)
      #endif
    }
    if view.watch {
      var watch = InfoWatch(.namespace, view.sizes)
      return try await Repetition.run(asJSON: selection.json) { output in
        try watch.print(self.rows().filter { !$0.isPassedOver }, asJSON: selection.json, to: output)
      }
    }
    let rows = try self.rows()
    try InfoReport(rows, kind: .namespace, verifying: "immuta verify", sizes: view.sizes).print(asJSON: selection.json)
    if rows.allSatisfy(\.isPassedOver) { throw location.noLogs }
  }

  /// What is known of the namespaces that were named, or of all.
  private func rows() throws -> [InfoRow] {
    try location.namespaces(selection.namespaces).map { name in
      InfoRow(
        name, survey: try? LogSurvey(name, in: location.directory),
        isPassedOver: { selection.namespaces.isEmpty && location.isPassedOver($0, name) },
        Result {
          let (storage, log) = try location.openForReading(name, .storedPayloads)
          defer { storage.close() }
          return try KnownLog(log, view)
        })
    }
  }
}

/// What is shown of each log: options of each subcommand that shows what is known of logs.
struct InfoOptions: ParsableArguments {
  @Flag(help: "Show a row for each segment of a log: each has a file of its own.")
  var segments = false

  @Flag(help: "Show all digits of sizes.")
  var bytes = false

  @Flag(
    help: """
      Show how fast logs grow and how far the slowest consumer is behind, again each second until Ctrl-C: on a terminal in \
      the same place, elsewhere after an empty line.
      """)
  var watch = false

  var sizes: ByteWords { bytes ? .exact : .rounded }

  func validate() throws {
    if watch, segments { throw ValidationError("use either --watch or --segments") }
  }
}

/// What there is to show of a log that is open.
struct KnownLog {
  let details: Log.Details
  let damage: Corruption?
  /// Nil where nobody asks for them.
  let segments: [SegmentDetails]?
  /// Nil where nobody asks for them.
  let consumers: [ConsumerDetails]?

  init(_ log: Log, _ view: InfoOptions) throws {
    details = try log.details
    // Of each segment the last record is looked at, of the newest, too.
    segments = view.segments ? try log.segments() : nil
    damage = view.segments ? nil : try InfoRow.damage(atEndOf: log)
    consumers = view.watch ? try log.consumers : nil
  }
}
