import Immuta

/// What people may do after a repair has said something: commands, as they are typed.
struct NextStep {
  let apply: String
  /// Nil where there is no such command.
  let salvage: String?
  let verify: String

  /// The next step after a report; nil where there is none.
  func after(_ report: RepairReport) -> String? {
    if report.isHealthy || report.possibleFormat != nil { return nil }
    if report.isApplied {
      return report.lost.isEmpty
        ? "`\(verify)` checks it" : "what is lost can only come from a backup; what is left can be used as it is"
    }
    if report.opensAsItIs, report.lost.isEmpty, report.problems.isEmpty {
      return "none is needed: opening it for appending does the same"
    }
    if report.actions.isEmpty, report.lost.isEmpty {
      return "put right by hand what it says above: no record is lost, and the log cannot be appended to before"
    }
    if !report.actions.isEmpty { return "`\(apply)` does it, and keeps a copy of what it takes away" }
    let others = "nothing is to be done in place: what is lost can only come from a backup, and the others can be read"
    return salvage.map { "\(others); `\($0)` copies them into a log of their own" } ?? others
  }
}

extension RepairReport {
  /// Prints it; throws unless the log is whole, opens by itself, or was repaired without losing a record.
  func print(asJSON: Bool, as kind: LogKind, next: NextStep) throws {
    let output = Output()
    let next = next.after(self)
    if asJSON {
      output.bytes += json(kind, next: next)
    } else {
      try output.line(kind.label(description))
      if let next { try output.line("  next: \(next)".printable) }
    }
    try output.flush()
    let isWell = isHealthy || ((isApplied || opensAsItIs) && lost.isEmpty && possibleFormat == nil && problems.isEmpty)
    if !isWell { throw AlreadyReported(status: .damaged) }
  }

  /// One line for programs.
  private func json(_ kind: LogKind, next: String?) -> [UInt8] {
    var object = JSONObject()
    object.add(kind, namespace)
    object.add("healthy", isHealthy)
    object.add("applied", isApplied)
    object.add("promised", promised)
    object.add("sound", sound)
    object.add("verifiable", verifiable)
    object.add("lost", objects: lost) { range, object in
      object.add("first", range.sequences.lowerBound)
      object.add("last", range.sequences.upperBound - 1)
      object.add("index", range.index)
      object.add("code", range.reason.code)
      object.add("reason", range.reason.description)
    }
    if !problems.isEmpty {
      object.add("problems", objects: problems) { problem, object in
        object.add("path", problem.path)
        object.add("sequence", problem.sequence)
        object.add("index", problem.index)
        object.add("code", problem.reason.code.rawValue)
        object.add("reason", problem.reason.description)
      }
    }
    object.add("actions", strings: actions.map(\.description))
    object.add("saved", strings: saved)
    object.add("next", next)
    return object.line
  }
}
