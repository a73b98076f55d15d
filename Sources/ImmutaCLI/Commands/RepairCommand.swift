import ArgumentParser
import Immuta

/// `immuta repair`: says what is wrong with a log, and repairs it if asked to.
struct RepairCommand: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair",
    abstract: "Say what is wrong with a log, and repair it if asked to.",
    discussion: """
      See what is damaged, and what would be done about it; changes nothing:
        immuta repair events

      Do it, after a copy of all that is cut off or replaced was saved beside the log:
        immuta repair events --apply

      Copy the records that are whole into a new namespace, and leave the damaged log as it is:
        immuta repair events --salvage rescued

      A log that can be appended to needs no repair: a damaged record in its middle is reported when it is read, and the \
      others stay readable. The exit status is 65 when records are lost or something has to be done, and 0 when the log \
      is whole, when appending recovers it by itself, and when it was repaired without losing any.
      """)

  @OptionGroup var location: Location
  @OptionGroup(title: "Codec, for --salvage") var codecOptions: CodecOptions

  @Argument(help: "The namespace.", completion: Completions.namespaces)
  var namespace: String

  @Option(help: ArgumentHelp("Copy what is whole into this new namespace.", valueName: "new-namespace"))
  var salvage: String?

  @OptionGroup var options: RepairOptions

  func validate() throws {
    try checkNamespace(namespace)
    if let salvage { try checkNamespace(salvage) }
    if salvage != nil, options.apply {
      throw ValidationError("use either --apply or --salvage: salvaging leaves the log as it is")
    }
  }

  @MainActor func execute() async throws {
    let report = try options.lock.waitingAlone { try work() }
    let command = ToolCommandLine.of("repair", namespace, in: location.directory)
    try report.print(
      asJSON: options.json, as: .namespace,
      next: NextStep(
        apply: "\(command) --apply", salvage: salvage == nil ? "\(command) --salvage NEW-NAMESPACE" : nil,
        verify: ToolCommandLine.of("verify", salvage ?? namespace, in: location.directory)))
  }

  private func work() throws -> RepairReport {
    do {
      if let salvage {
        let configuration = location.with(try codecOptions.configuration())
        return try Storage.salvage(
          namespace, in: location.directory, into: salvage, configuration: configuration)
      }
      return try repair()
    } catch ImmutaError.namespaceNotFound(let name) {
      throw location.notFound(name)
    } catch ImmutaError.corrupted(let damage) where damage.possibleFormat == nil {
      throw ToolError(beyondRepair: damage)
    } catch ImmutaError.duplicateNamespace(let name) {
      throw ToolError("there is a namespace “\(name)” in \(location.directory) already: salvage into a new one")
    }
  }

  private func repair() throws -> RepairReport {
    let progress = Progress("examining \(namespace)")
    defer { progress.finish() }
    let report = try Storage.repair(
      namespace, in: location.directory, format: location.logFormat?.format, applying: options.apply,
      acceptingFilesOfOthers: location.allowForeignOwner
    ) { progress.update($0, of: $1) }
    progress.finish()
    if let format = report.possibleFormat {
      Failure.say(
        "note: \(namespace) may be a log of the format \(format): give --log-format \(format) if it is, and "
          + "--log-format v2 if it is not")
    }
    return report
  }
}

extension ToolError {
  /// What a repair found that it can do nothing about: it does not send people to itself.
  init(beyondRepair damage: Corruption) {
    if damage.isNoLog {
      self.init("not a log: \(damage)")
    } else {
      let advice =
        damage.reason.remedy == .asStated
        ? "" : "; if it is a log, give its format with --log-format, or put it back from a backup"
      self.init("damaged: \(damage)\(damage.path.hasSuffix(".log") ? advice : "")", .damaged)
    }
  }
}
