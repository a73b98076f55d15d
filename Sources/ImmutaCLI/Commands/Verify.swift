import ArgumentParser
import Immuta

/// `immuta verify`: reads and checks every record.
struct Verify: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every record of logs.",
    discussion: """
      Reads each log from its first record to its last, and compares every byte with the checksum taken when it was \
      appended. Changes nothing, and works while another process appends.

      All namespaces of ./logs:
        immuta verify

      One of them, in a script:
        immuta verify events --dir /var/lib/shop || echo "restore the backup"

      A log with a codec, every record decoded:
        immuta verify events --codec deflate --key-file secret.key

      For programs, an object a line:
        immuta verify --json

      The first damaged record of each log is named by its number and its place in the file. The exit status is then 65.
      """)

  @OptionGroup var location: Location
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: ArgumentHelp("The namespaces to check; all, if none is named.", valueName: "namespace"))
  var namespaces: [String] = []

  @Flag(help: "Print an object a line.")
  var json = false

  func validate() throws {
    try namespaces.forEach(checkNamespace)
  }

  @MainActor func execute() async throws {
    let output = Output()
    let names = try location.namespaces(namespaces)
    if names.isEmpty, !json { Failure.say("no namespaces in \(location.directory)") }
    let configuration = try codecOptions.configuration()
    var status = ExitStatus.success
    for name in names {
      let start = ContinuousClock.now
      let outcome: Result<VerificationReport, any Error>
      do {
        outcome = .success(try await verify(name, configuration))
      } catch {
        outcome = .failure(error)
      }
      let verdict = Verdict(namespace: name, outcome: outcome, time: start.duration(to: .now))
      try verdict.print(to: output, asJSON: json)
      if case .failure(let error) = outcome {
        let failure = Failure(error)
        failure.report()
        status = status.joined(failure.status)
      }
    }
    if status != .success { throw AlreadyReported(status: status) }
  }

  @MainActor private func verify(
    _ name: String, _ configuration: Storage.Configuration
  ) async throws -> VerificationReport {
    let (storage, log) = try location.openForReading(name, configuration)
    defer { storage.close() }
    let progress = Progress("verifying \(name)")
    defer { progress.finish() }
    return try await log.verify { done, count in progress.update(done, of: count) }
  }
}

/// What came out for one namespace.
struct Verdict {
  let namespace: String
  let outcome: Result<VerificationReport, any Error>
  let time: Duration

  /// - Parameter kind: what `namespace` names.
  func print(to output: Output, asJSON: Bool, as kind: String = "namespace") throws {
    if asJSON {
      output.bytes += json(kind)
    } else {
      try output.line(kind == "namespace" ? text : "\(kind) \(text)")
    }
    try output.flush()
  }

  /// One line for people.
  var text: String {
    switch outcome {
    case .success(let report):
      var text = "\(namespace): ok, \(Quantities.counted(report.records, "record"))"
      text += ", \(Quantities.counted(report.bytes, "byte")), in \(Quantities.time(time))"
      return text + Quantities.rateSuffix(report.bytes, in: time)
    case .failure(ImmutaError.corrupted): return "\(namespace): damaged"
    case .failure(ImmutaError.undecodable): return "\(namespace): cannot be decoded"
    case .failure: return "\(namespace): not checked"
    }
  }

  /// The record that is to blame.
  private static func place(of error: any Error) -> Corruption? {
    switch error {
    case ImmutaError.corrupted(let corruption), ImmutaError.undecodable(let corruption): corruption
    default: nil
    }
  }

  /// One line for programs.
  private func json(_ kind: String) -> [UInt8] {
    var object = JSONObject()
    object.add(kind, namespace)
    switch outcome {
    case .success(let report):
      object.add("ok", true)
      object.add("records", report.records)
      object.add("bytes", report.bytes)
      object.add("smallest", report.smallestPayload)
      object.add("largest", report.largestPayload)
      object.add("seconds", seconds: time)
    case .failure(let error):
      object.add("ok", false)
      if let corruption = Self.place(of: error) {
        object.add("path", corruption.path)
        object.add("sequence", corruption.sequence)
        object.add("index", corruption.index)
        object.add("reason", corruption.reason)
      }
      object.add("error", Failure(error).message)
    }
    return object.line
  }
}
