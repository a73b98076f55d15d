import Immuta

extension RepairReport {
  /// Prints it; throws unless the log is whole, or was mended without losing a record.
  func print(asJSON: Bool, as kind: LogKind) throws {
    let output = Output()
    if asJSON { output.bytes += json(kind) } else { try output.line(kind.label(description)) }
    try output.flush()
    let isMended = isHealthy || (isApplied && lost.isEmpty)
    if !isMended { throw AlreadyReported(status: .damaged) }
  }

  /// One line for programs.
  private func json(_ kind: LogKind) -> [UInt8] {
    var object = JSONObject()
    object.add(kind.rawValue, namespace)
    object.add("healthy", isHealthy)
    object.add("applied", isApplied)
    object.add("promised", promised)
    object.add("sound", sound)
    object.add("verifiable", verifiable)
    object.add("lost", objects: lost) { range, object in
      object.add("first", range.sequences.lowerBound)
      object.add("last", range.sequences.upperBound - 1)
      object.add("index", range.index)
      object.add("reason", range.reason)
    }
    object.add("actions", strings: actions)
    object.add("saved", strings: saved)
    return object.line
  }
}
