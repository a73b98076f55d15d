import Immuta

/// What came out for one log.
struct Verdict {
  let kind: LogKind
  let name: String
  let outcome: Result<VerificationReport, any Error>
  /// What opening found that people should know.
  let note: String?
  let time: Duration

  /// Checks logs one after the other, and prints what came out for each; throws if one is not whole.
  ///
  /// - Parameters:
  ///   - passingOver: whether an error says that a file is nothing to be checked.
  ///   - survey: what is known of the log's files.
  /// - Returns: how many were checked.
  @discardableResult
  @MainActor static func forEach<Name: CustomStringConvertible>(
    _ names: some Sequence<Name>, _ kind: LogKind, asJSON: Bool,
    passingOver: (any Error, _ name: Name) -> Bool = { _, _ in false },
    survey: (_ name: Name) throws -> LogSurvey,
    _ open: (_ name: Name) throws -> Log
  ) async throws -> Int {
    var checked = 0
    let output = Output()
    var failures: [Failure] = []
    for name in names {
      let start = ContinuousClock.now
      let progress = Progress("verifying \(kind.label("\(name)"))")
      let outcome: Result<VerificationReport, any Error>
      var note: String?
      var newer: UnsupportedVersion?
      do {
        let log = try open(name)
        let survey = try? survey(name)
        note = try log.details.openingNote ?? survey?.recovery
        outcome = .success(try await log.verify { done, count in progress.update(done, of: count) })
        // Its records are sound, and it cannot be appended to all the same.
        newer = survey?.newer
      } catch {
        if passingOver(error, name) {
          progress.finish()
          try passOver("\(name)", error, kind, output, asJSON: asJSON)
          continue
        }
        outcome = .failure(error)
      }
      checked += 1
      let reported = failures.count
      progress.finish()
      let verdict = Verdict(kind: kind, name: "\(name)", outcome: outcome, note: note, time: start.duration(to: .now))
      if asJSON { output.bytes += verdict.json } else { try output.line(verdict.text.printable) }
      try output.flush()
      if case .failure(let error) = outcome { failures.append(Failure(error)) }
      if let newer { failures.append(Failure(ImmutaError.unsupportedVersion(newer))) }
      if failures.count > reported { failures.last?.report() }
    }
    try ExitStatus.throwUnlessSuccess(of: failures)
    return checked
  }

  private static func passOver(
    _ name: String, _ error: any Error, _ kind: LogKind, _ output: Output, asJSON: Bool
  ) throws {
    if asJSON {
      var object = JSONObject()
      object.add(kind, name)
      object.addNull("ok")
      object.add("passedOver", Failure(error).message)
      output.bytes += object.line
    } else {
      try output.line("\(kind.label(name)): passed over, \(Failure(error).message ?? "not a log")".printable)
    }
    try output.flush()
  }

  /// One line for people.
  var text: String {
    let label = kind.label(name)
    switch outcome {
    case .success(let report):
      var text = "\(label): \(Self.words(report))"
      text += ", \(Quantities.counted(report.bytes, "byte")), in \(Quantities.time(time))"
      text += Quantities.rateSuffix(report.bytes, in: time)
      return note.map { "\(text); it \($0)" } ?? text
    case .failure(ImmutaError.corrupted(let damage)) where damage.isNoLog: return "\(label): not a log"
    case .failure(ImmutaError.corrupted): return "\(label): damaged"
    case .failure(ImmutaError.undecodable): return "\(label): cannot be decoded"
    case .failure: return "\(label): not checked"
    }
  }

  /// “ok” is said of records that were compared with what was appended.
  private static func words(_ report: VerificationReport) -> String {
    let records = Quantities.counted(report.records, "record")
    let unverifiable = report.records - report.verifiable
    var text =
      unverifiable == 0
      ? "ok, \(records)"
      : report.verifiable == 0
        ? "\(records) readable, none verifiable (no checksum was taken when they were appended)"
        : "\(records) readable, \(Quantities.grouped(report.verifiable)) ok, "
          + "\(Quantities.grouped(unverifiable)) not verifiable (no checksum was taken when they were appended)"
    if !report.undecodedCodec.isEmpty {
      text += " (not decoded: written with \(report.undecodedCodec.printable))"
    }
    return text
  }

  /// The record that is to blame.
  private static func place(of error: any Error) -> Corruption? {
    switch error {
    case ImmutaError.corrupted(let corruption), ImmutaError.undecodable(let corruption): corruption
    default: nil
    }
  }

  /// One line for programs.
  private var json: [UInt8] {
    var object = JSONObject()
    object.add(kind, name)
    switch outcome {
    case .success(let report):
      // Nobody knows of records that have nothing to be compared with.
      if report.verifiable == report.records { object.add("ok", true) } else { object.addNull("ok") }
      object.add("records", report.records)
      object.add("verifiable", report.verifiable)
      if !report.undecodedCodec.isEmpty { object.add("undecoded", report.undecodedCodec) }
      object.add("bytes", report.bytes)
      object.add("smallest", report.smallestPayload)
      object.add("largest", report.largestPayload)
      object.add("seconds", seconds: time)
      object.add("note", note)
    case .failure(let error):
      object.add("ok", false)
      if let corruption = Self.place(of: error) {
        object.add("path", corruption.path)
        object.add("sequence", corruption.sequence)
        object.add("index", corruption.index)
        object.add("code", corruption.reason.code.rawValue)
        object.add("reason", corruption.reason.description)
      }
      object.add("error", Failure(error).message)
    }
    return object.line
  }
}
