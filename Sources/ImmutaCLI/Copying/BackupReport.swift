import Immuta

/// What became of one log in a backup, or when it was put back.
struct BackupReport {
  let kind: LogKind
  let name: String
  let outcome: Result<LogCopyReport, any Error>
  /// Damaged records that the copy has, including those of earlier backups.
  var damagedCount = 0
  /// What the copy does not have, such as the state of a work queue, and why.
  var faults: [ImmutaError] = []

  private var isWhole: Bool { damagedCount == 0 && faults.isEmpty }

  static func table(_ reports: [BackupReport], added title: String) -> [String] {
    let hasPartitions = reports.contains { $0.kind == .partition }
    var table = Table([
      (hasPartitions ? "LOG" : "NAMESPACE", .left), ("RECORDS", .right), (title, .right), ("FIRST", .right),
      ("BYTES", .right), ("STATE", .left),
    ])
    for report in reports { table.add(report.cells) }
    return table.lines
  }

  private var cells: [String] {
    let label = kind.label(name)
    guard case .success(let copy) = outcome else { return [label, "–", "–", "–", "–", "failed"] }
    let state =
      damagedCount > 0
      ? "\(Quantities.counted(damagedCount, "damaged record"))" : isWhole ? "verified" : "incomplete"
    return [
      label, Quantities.grouped(copy.count - copy.firstSequence), Quantities.grouped(copy.added),
      "\(copy.firstSequence)",
      Quantities.grouped(copy.bytes), state,
    ]
  }

  /// One line for programs.
  var json: [UInt8] {
    var object = JSONObject()
    object.add(kind, name)
    switch outcome {
    case .success(let copy):
      object.add("ok", isWhole)
      object.add("identity", copy.identity.map { "\($0)" })
      object.add("firstSequence", copy.firstSequence)
      object.add("count", copy.count)
      object.add("added", copy.added)
      object.add("bytes", copy.bytes)
      object.add("damaged", damagedCount)
    case .failure(let error):
      object.add("ok", false)
      object.add("error", Failure(error).message)
    }
    return object.line
  }

  /// Says what went wrong; throws where not all logs are whole in the copy.
  static func throwUnlessWhole(_ reports: [BackupReport]) throws(AlreadyReported) {
    var status = ExitStatus.success
    for report in reports {
      switch report.outcome {
      case .success:
        if report.damagedCount > 0 { status = status.joined(.damaged) }
        for fault in report.faults { status = status.joined(Failure(fault).status) }
      case .failure(let error):
        let failure = Failure(error)
        failure.report()
        status = status.joined(failure.status)
      }
    }
    if status != .success { throw AlreadyReported(status: status) }
  }

  /// Prints what became of all logs.
  static func print(_ reports: [BackupReport], added title: String, asJSON: Bool) throws {
    try Output().report(table(reports, added: title), json: reports.map(\.json), asJSON: asJSON)
  }
}

extension Manifest.Entry {
  /// What is said of a log that was copied.
  init(_ copy: LogCopyReport, at: String, damaged: Int) {
    self.init(
      identity: copy.identity.map { "\($0)" }, first: copy.firstSequence, count: copy.count, bytes: copy.bytes, at: at,
      damaged: damaged)
  }
}
