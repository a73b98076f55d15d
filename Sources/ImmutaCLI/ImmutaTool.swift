import ArgumentParser
import CImmutaProcessNeeds
import ImmutaLibC

/// The tool: `immuta`.
struct ImmutaTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "immuta",
    abstract: "An append-only log: one writer extends it, any number of readers follow it.",
    discussion: """
      See what it does, on your machine, in a second:
        immuta demo

      Measure your own disk, in a minute:
        immuta bench

      Append lines, read them back, and follow what comes:
        printf 'hello\\nworld\\n' | immuta append events
        immuta cat events
        immuta cat events --follow

      Logs are files in a directory, ./logs unless --dir names another: a namespace “events” is the file events.log there, \
      and, where the log is kept in segments, those in the folder events.segments.

      Look at logs in a browser (`immuta ui` runs the program immuta-ui, as `immuta NAME` runs immuta-NAME):
        immuta ui --dir /var/lib/shop

      Exit status:
        0   all of it was done: everything was checked, everything was written
        1   it was not done: there is no such log, a file is not a log, a system call failed, nobody reads the output
        64  the arguments make no sense
        65  a log is damaged, or records are lost
        75  another writer has the log; --wait waits for it
        128 and more: ended by a signal, as a shell reports it; 130 after Ctrl-C

      With --json, all that is said on standard error is an object a line as well: error with status, or note.

      cat and consumers --watch end with 0 where nobody reads on, as in: immuta cat events | head -1

      cat, append and migrate check each record that they read. info looks at headers, companions, the last record and \
      sizes on disk, and reads nothing else. verify reads everything. So does repair, which changes nothing without \
      --apply.

      A process needs \(process_needed_descriptors()) open files for one log, beside those that it is started with: `ulimit -n \
      \(process_needed_descriptors() + 8)` lets it have them. Stores need more.
      """,
    version: Version.current,
    subcommands: [
      Demo.self, Bench.self, Append.self, Cat.self, Info.self, Verify.self, Trim.self, RepairCommand.self,
      Consumers.self, MirrorCommand.self, CodecCommand.self, LogStoreCommand.self, Migrate.self, BackupCommand.self,
      RestoreCommand.self,
    ])
}

@main
enum Main {
  /// Everything but the tasks of the demonstration and of the measurements runs on the main thread, which may
  /// therefore block: for input, for output, for a flush.
  ///
  /// The threads of Swift's cooperative pool never do.
  @MainActor
  static func main() async {
    System.occupyStandardDescriptors()
    Interruption.unblock()
    // A closed pipe is reported by `write`.
    signal(SIGPIPE, SIG_IGN)
    if Messages.areAskedAsJSON(Array(CommandLine.arguments.dropFirst())) { Messages.useJSON() }
    do {
      try runProgram()
    } catch {
      end(with: error)
    }
    let command = parse()
    do {
      try await command.execute()
      try System.closeOutput()
      exit(ExitStatus.success.code)
    } catch {
      end(with: error)
    }
  }

  /// Becomes another program, where the arguments ask for one.
  private static func runProgram() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let program = ExternalCommand(arguments, known: ImmutaTool.subcommandNames) { try program.run() }
    if let missing = ExternalCommand.missing(arguments) { throw missing }
  }

  /// The subcommand that the arguments ask for.
  ///
  /// Ends the tool where they ask for help or the version, or make no sense.
  private static func parse() -> any ToolCommand {
    if let message = UsageAdvice.unknownTopic(in: Array(CommandLine.arguments.dropFirst())) {
      Messages.say(error: message, ExitStatus.usage)
      exit(ExitStatus.usage.code)
    }
    do {
      var command = try ImmutaTool.parseAsRoot()
      if let command = command as? any ToolCommand { return command }
      try command.run()
      exit(ExitStatus.success.code)
    } catch {
      let code = ImmutaTool.exitCode(for: error)
      let text = ImmutaTool.fullMessage(for: error)
      if code.isSuccess { say(text) }
      guard code == .validationFailure else { ImmutaTool.exit(withError: error) }
      let prefix = "Error: "
      var lines = text.dropFirst(text.hasPrefix(prefix) ? prefix.count : 0)
        .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      lines[0] = UsageAdvice(Array(CommandLine.arguments.dropFirst())).improve(lines[0])
      let end = lines.firstIndex { $0.hasPrefix("Usage: ") } ?? lines.endIndex
      Messages.say(error: Array(lines[..<end]), usage: Array(lines[end...]), ExitStatus.usage)
      exit(ExitStatus.usage.code)
    }
  }

  /// Prints what was asked for, such as help, and ends the tool: in good order only if it was written.
  private static func say(_ text: String) -> Never {
    do {
      let output = Output()
      try output.line(text)
      try output.flush()
      try System.closeOutput()
      exit(ExitStatus.success.code)
    } catch {
      end(with: error)
    }
  }

  private static func end(with error: any Error) -> Never {
    let failure = Failure(error)
    failure.report()
    exit(failure.status.code)
  }
}
