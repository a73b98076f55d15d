import ArgumentParser
import Immuta

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

/// What `append` promises for a record it printed a receipt for.
enum AppendDurability: String, CaseIterable, ExpressibleByArgument {
  case buffered
  case synced
}

/// `immuta append`: files or standard input into a log.
struct Append: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Append records from files or standard input.",
    discussion: """
      Each line is a record, without its newline; an empty line is an empty record. A namespace that does not exist is \
      created, and so is the directory. Input that is empty appends nothing.

      Two records:
        printf 'order placed\\ninvoice sent\\n' | immuta append events

      A program's output, each line on stable storage before its receipt is printed:
        ./server | immuta append events --durability synced --receipts

      A file as one record, whatever its bytes and its size:
        immuta append backups photo.raw --delimiter none

      File names, which may hold newlines:
        find . -print0 | immuta append names --delimiter nul

      Compressed, and encrypted with a key of 32 random bytes; cat and verify take the same options:
        (umask 077; head -c 32 /dev/urandom > secret.key)
        immuta append events app.log --codec deflate --key-file secret.key

      Ctrl-C ends it in good order: what was appended stays, and half a line is not appended. A second one kills it.
      """)

  @OptionGroup var location: Location
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: "The namespace to append to.")
  var namespace: String

  @Argument(help: ArgumentHelp("Files to read; “-” is standard input, as is no file at all.", valueName: "file"))
  var files: [String] = []

  @Option(help: "What ends a record; with none, each file, or all of standard input, is one record.")
  var delimiter: Delimiter = .newline

  @Option(help: "synced: records are on stable storage before their receipts are printed.")
  var durability: AppendDurability = .buffered

  @Flag(help: "Print a receipt for each record once it is committed: its number, place and size, as JSON.")
  var receipts = false

  @Flag(help: "Print a summary as JSON at the end; not with --receipts, which are JSON already.")
  var json = false

  func validate() throws {
    try checkNamespace(namespace)
  }

  @MainActor func execute() async throws {
    let paths = files.isEmpty ? ["-"] : files
    let total = try FileSource.check(paths)
    try Interruption.install()
    let storage = try Storage(
      directory: location.directory, namespaces: [namespace], configuration: codecOptions.configuration())
    defer { storage.close() }
    let log = try storage.log(namespace)
    let details = try log.details
    if let note = details.openingNote { Failure.say("note: \(note)") }
    try FileSource.check(paths, differFrom: details.path)

    let output = Output()
    let appender = Appender(
      to: log, isSynced: durability == .synced, receipts: receipts ? output : nil,
      progress: total.map { (Progress("appending"), $0) })
    let start = ContinuousClock.now
    do {
      for path in paths {
        try await appender.append(RecordInput(try FileSource(path), delimiter: delimiter.byte))
      }
    } catch {
      await appender.giveUp()
      // What is committed gets its flush, and whoever waits for the summary gets it, also when the user stopped us.
      if error is Interrupted { try await conclude(log, appender, output, after: start.duration(to: .now)) }
      throw error
    }
    appender.finish()
    try await conclude(log, appender, output, after: start.duration(to: .now))
  }

  @MainActor
  private func conclude(_ log: Log, _ appender: Appender, _ output: Output, after time: Duration) async throws {
    // Closing flushes, too, but cannot tell that it failed.
    try await log.sync()
    let summary = appender.summary
    if receipts { return }
    if json {
      var object = JSONObject()
      object.add("namespace", namespace)
      object.add("records", summary.records)
      object.add("bytes", summary.bytes)
      object.add("first", summary.first)
      object.add("count", log.count)
      object.add("seconds", seconds: time)
      output.bytes += object.line
      try output.flush()
    } else if System.isTerminal(System.standardError) {
      Failure.say(summary.text(namespace: namespace, count: log.count, time: time))
    }
  }
}
