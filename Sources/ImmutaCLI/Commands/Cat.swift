import ArgumentParser
import Immuta

/// `immuta cat`: records to standard output.
struct Cat: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print records.",
    discussion: """
      Works while another process appends; every record is checked before it is printed.

      All records, each on a line of its own:
        immuta cat events

      From record 1000 on, ten of them, as JSON:
        immuta cat events --from 1000 --limit 10 --format json

      The last ten, and what is appended from now on, until Ctrl-C; a namespace that does not exist yet is waited for:
        immuta cat events -n 10 --follow

      Of the last ten minutes; of a day; of an hour, by another zone's clock:
        immuta cat events --since "10 min ago"
        immuta cat events --since 2026-11-26 --until 2026-11-27
        immuta cat events --since 2026-11-26T10:00:00+01:00 --until 2026-11-26T11:00:00+01:00

      A time without a zone is local, and a date is its midnight; yesterday and today are as well. --until ends before that \
      time. Where a clock was wrong, the time of a record is the one that --json calls clock.

      A number beyond the end is an error, as the log may have been put back from an older copy. To wait for record 5000:
        immuta cat events --follow --from 5000 --ahead

      For a program that must miss nothing: a consumer goes on after what was printed when it ended, however it ended. What \
      it was in the middle of comes again:
        immuta cat events --consumer mailer --follow | ./send-mails
        immuta consumers events

      By a template: %n is the record's number, %i its index, %t its time, %s its payload, %S the payload's bytes, %% a \
      percent sign. It ends with a newline, unless it has one, or \\0, at its end:
        immuta cat events --format '%n %t %s'
        immuta cat events --format '%s\\0' | xargs -0 -n 1 echo

      On a terminal, control bytes of records are shown as \\x1b, so that no record can drive it; --raw-control prints them \
      as they are. JSON, hex and templates have colours there, unless NO_COLOR is set; CLICOLOR_FORCE=1 gives them everywhere.

      A file that was appended with --delimiter none, back as it was:
        immuta cat backups --from 3 --limit 1 --format raw > photo.raw

      A log that was written with a codec:
        immuta cat events --codec deflate --key-file secret.key

      A log on a cluster, from any machine:
        immuta cat events -n 10 --follow --url nats://one:4222,nats://two:4222

      JSON has the members sequence, index, size, timestamp, and text, or base64 where the payload is not UTF-8; with --url \
      there are no index and size, which are those in a file.
      """)

  @OptionGroup var location: Location
  @OptionGroup var cluster: ClusterOption
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: "The namespace to read.", completion: Completions.namespaces)
  var namespace: String

  @Option(
    help: ArgumentHelp(
      "Go on where this consumer stopped, and note how far it was printed; made if there is none.", valueName: "name"))
  var consumer: String?

  @OptionGroup var options: CatOptions

  func validate() throws {
    try checkNamespace(namespace)
    try cluster.check([("--dir", location.isGiven)])
    if case .template(let template) = options.format, template.parts.contains(.partition) {
      throw ValidationError("--format has %p, and a namespace has no partitions; those of a store have")
    }
    if cluster.url != nil, case .template(let template) = options.format, template.parts.contains(.index) {
      throw ValidationError("--format has %i, and records of a cluster have no index; those of files have")
    }
    guard let consumer else { return }
    try checkConsumer(consumer)
    if options.saysWhereToBegin {
      throw ValidationError(
        "--consumer goes on where it stopped; to move it: immuta consumers seek \(namespace) \(consumer) --to N")
    }
    if options.until != nil { throw ValidationError("use either --consumer or --until") }
  }

  @MainActor func execute() async throws {
    if let servers = cluster.url {
      #if JetStream
        return try await print(from: servers)
      #else
        throw ClusterSupport.missing(for: servers)
      #endif
    }
    let configuration = try codecOptions.configuration()
    let ((storage, log), hasAppeared) = try await options.open("the namespace “\(namespace)” in \(location.directory)")
    {
      try location.openForReading(namespace, configuration)
    }
    defer { storage.close() }
    log.sayOpeningNote(.namespace)
    let end = try options.end(of: log)
    // When all existing records are printed, missing ones after them must be reported, too.
    let present = log.endDamage != nil && end == log.count ? .max : end
    if let name = consumer {
      return try await ConsumerAdvice(name, of: namespace, in: location.directory).whileReading {
        let new = try NewConsumer(name, besides: log.consumers.map(\.name))
        let consumer = try ConsumerStream(log.consumer(name))
        new?.sayIfDoubted(
          removedBy: ToolCommandLine.of("consumers remove", namespace, in: location.directory, then: name))
        // Records that were not printed, or that nobody read, come again.
        defer { consumer.close() }
        try await options.print(consumer, of: { _ in log }, total: max(0, end - consumer.place)) {
          $0.place >= present
        }
      }
    }
    // A number beyond the end is an error: the log may have been put back from an older copy. One that has just been made
    // was not.
    let from = options.from
    let ahead = options.ahead || hasAppeared
    if !ahead, let from, from > log.count, log.endDamage == nil {
      throw ImmutaError.positionBeyondEnd(position: from, count: log.count)
    }
    let start: StreamPosition =
      if let since = options.since {
        .time(since)
      } else if hasAppeared, from == nil {
        // All of it has come since the command began.
        .beginning
      } else if let last = options.last {
        .skipping(max(log.firstSequence, end - last))
      } else if let from {
        ahead ? .skipping(from) : .sequence(from)
      } else {
        // From the first record that was not removed.
        options.latest ? .latest : .beginning
      }
    try await options.print(log.stream(from: start), of: { _ in log }, total: start.count(in: log, before: end)) {
      $0.position >= present
    }
  }
}
