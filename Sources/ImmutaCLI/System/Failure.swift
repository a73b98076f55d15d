import ArgumentParser
import Immuta

/// What went wrong, in the tool's own words.
struct ToolError: Error {
  /// One line, without the tool's name.
  let message: String
  let status: ExitStatus
  /// Whether what was asked for does not exist, so that waiting for it may help.
  var isMissing = false
  /// What may have been meant in place of it.
  var suggestion: Suggestion?

  init(_ message: String, _ status: ExitStatus = .failure) {
    self.message = message
    self.status = status
  }

  /// Something that was asked for does not exist.
  static func missing(_ message: String, _ suggestion: Suggestion? = nil) -> ToolError {
    var error = ToolError(message)
    (error.isMissing, error.suggestion) = (true, suggestion)
    return error
  }

  /// The library's error, where the options that may help begin with a prefix.
  init(_ error: ImmutaError, directory: String? = nil, prefix: String) {
    let failure = Failure(error, directory: directory, prefix: prefix)
    self.init(failure.message ?? error.description, failure.status)
  }
}

/// Nobody reads the output any more: time to end quietly.
struct OutputClosed: Error {}

/// The errors were said already; what is left is the exit status.
struct AlreadyReported: Error {
  let status: ExitStatus
}

/// What the tool reports to the shell.
enum ExitStatus: Equatable {
  case success
  /// Not found, locked, a failed system call.
  case failure
  /// The arguments make no sense.
  case usage
  /// The log is damaged.
  case damaged
  /// Another process has it: it may be tried again later.
  case locked
  /// Stopped by a signal, as a shell reports it.
  case signal(Int32)

  /// The number, after BSD's `sysexits.h`.
  var code: Int32 {
    switch self {
    case .success: 0
    case .failure: 1
    case .usage: 64
    case .damaged: 65
    case .locked: 75
    case .signal(let number): 128 + number
    }
  }

  /// The graver of two.
  func joined(_ other: ExitStatus) -> ExitStatus { other.code > code ? other : self }

  /// Throws the gravest of failures that were reported; nothing where there are none.
  static func throwUnlessSuccess(of failures: [Failure]) throws(AlreadyReported) {
    let status = failures.reduce(success) { $0.joined($1.status) }
    if status != .success { throw AlreadyReported(status: status) }
  }
}

/// How an error ends the tool: one line for people, and a status for programs.
struct Failure {
  /// Nil where there is nothing to say.
  let message: String?
  let status: ExitStatus

  /// - Parameter prefix: what the options begin with that may help.
  init(_ error: any Error, directory: String? = nil, prefix: String = CodecSettings.targetPrefix) {
    switch error {
    case let error as ToolError:
      (message, status) = (error.message, error.status)
    case let error as AlreadyReported:
      (message, status) = (nil, error.status)
    case is OutputClosed:
      (message, status) = ("nobody reads the output any more: ended before all of it was written", .failure)
    case let error as Interrupted:
      (message, status) = (nil, .signal(error.signal))
    case ImmutaError.corrupted(let corruption) where corruption.isNoLog:
      (message, status) = ("not a log: \(corruption)", .failure)
    case ImmutaError.corrupted(let corruption):
      let advice = corruption.possibleFormat.map { " (\(prefix)log-format \($0))" } ?? corruption.adviceToRepair
      (message, status) = ("damaged: \(corruption)\(advice)", .damaged)
    case ImmutaError.undecodable(let corruption):
      let advice =
        switch corruption.reason.remedy {
        case .asStated: ""
        case .higherLimit: "; if it may be so large, give a higher \(prefix)decoded-limit"
        case .repair, .rightKeys:
          "; check that the \(prefix)key-file and \(prefix)dictionary are those that it was written with"
        }
      (message, status) = ("cannot decode \(corruption)\(advice)", .damaged)
    case let error as ImmutaError where error.isOverLimit:
      (message, status) = ("\(error); if it may be so large, give a higher --decoded-limit", .failure)
    case ImmutaError.codecMismatch(let written, let opened, _):
      (message, status) = (CodecSettings.mismatch(written: written, opened: opened, prefix: prefix), .failure)
    case ImmutaError.codecUnknown(let path, let reason):
      (message, status) = (
        "\(path): \(reason) (\(prefix)codec, \(prefix)key-file; \(prefix)codec none)", .failure
      )
    case ImmutaError.io(System.noSpace, let operation, let path):
      // The library speaks of the one call; here others may have come before.
      let reason = System.message(for: System.noSpace)
      (message, status) = ("\(operation) failed on \(path): \(reason); make room and try again", .failure)
    case let error as ImmutaError where error.missingPath != nil:
      let suggestion = error.missingPath.flatMap { Suggestion(forPath: $0, isDirectory: true) }
      (message, status) = (error.description + suggestion.asked(after: "; "), .failure)
    case ImmutaError.namespaceNotFound(let name):
      // The library's advice is for programmers.
      let failure = Location.notFound(name, in: directory)
      (message, status) = (failure.message, failure.status)
    case ImmutaError.positionBeyondEnd(let position, let count, _):
      (message, status) = (
        "position \(position) is beyond the end: the log has \(Quantities.counted(count, "record")), and the next one is "
          + "record \(count). Was it put back from an older copy? To wait for record \(position) all the same, give "
          + "--follow --from \(position) --ahead", .failure
      )
    case ImmutaError.recordRemoved(let sequence, let first, let place):
      let log = place.namespace.map { " of “\($0)”" } ?? ""
      (message, status) = (
        "record \(sequence)\(log) was removed: the log keeps its newest records only, from number \(first) on; give "
          + "--from \(first), or leave --from out", .failure
      )
    case ImmutaError.invalidConfiguration(let reason):
      (message, status) = (reason, .failure)
    case ImmutaError.locked(let holder):
      let advice = "close it there first, or wait for that with --wait"
      (message, status) = ("another writer has this log: \(holder); \(advice)", .locked)
    case ImmutaError.consumerInUse(let owner):
      (message, status) = ("\(owner); end that first", .locked)
    case ImmutaError.foreignOwner(let path, let owner):
      (message, status) = (
        "\(path) belongs to the user \(owner), who could read and change what is written to it. If it is yours, "
          + "run this as that user. If you trust that user, give --allow-foreign-owner. Otherwise do not use it",
        .failure
      )
    case let error as ImmutaError:
      (message, status) = (error.description, .failure)
    default:
      (message, status) = ("\(error)", .failure)
    }
  }

  /// Says it on standard error.
  func report() {
    if let message { Messages.say(error: message, status) }
  }

  /// One line on standard error that is no error, with the tool's name; what a terminal would obey is made printable.
  static func say(_ message: String) { Messages.say(note: message) }
}

extension ImmutaError {
  /// The path that names nothing, where something was to be opened.
  var missingPath: String? {
    if case .io(System.noFile, "open", let path) = self { path } else { nil }
  }
}

extension Corruption {
  /// What leads to the command that reports the records around it; nothing where the reason says all there is to do.
  fileprivate var adviceToRepair: String {
    guard reason.remedy == .repair else { return "" }
    return ToolCommandLine.repair(ofFile: path).map { "; `\($0)` says what can be done" } ?? ""
  }
}

/// Commands of the tool, as people type them.
enum ToolCommandLine {
  /// What repairs a log, by its file's path; nil for files that are none.
  static func repair(ofFile path: String) -> String? {
    var (directory, name) = parts(of: path)
    guard let suffix = [".bilog", ".log"].first(where: { name.hasSuffix($0) }) else { return nil }
    name = String(name.dropLast(suffix.utf8.count))
    // A segment is called by a number, and its folder after the log.
    let (parent, folder) = parts(of: directory)
    if folder.hasSuffix(".segments") { (directory, name) = (parent, String(folder.dropLast(9))) }
    if suffix == ".bilog" { return "immuta logstore repair \(word(directory)) \(name)" }
    return of("repair", name, in: directory)
  }

  private static func parts(of path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  /// A subcommand for a namespace.
  ///
  /// - Parameter then: what comes after the namespace.
  static func of(_ command: String, _ namespace: String, in directory: String, then more: String = "") -> String {
    "immuta \(command) \(namespace)" + (more.isEmpty ? "" : " \(more)") + option(directory)
  }

  /// What lists the namespaces of a directory.
  static func list(_ directory: String) -> String { "immuta info" + option(directory) }

  private static func option(_ directory: String) -> String {
    directory == DirectoryOption.usual ? "" : " --dir \(word(directory))"
  }

  /// A word as a shell takes it for one.
  static func word(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      byte >= 0x80 || "/._-+,:@%=".utf8.contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
    if isPlain, !text.isEmpty { return text }
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
