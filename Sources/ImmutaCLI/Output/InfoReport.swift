import Immuta

/// What is known of some logs.
struct InfoReport {
  private let rows: [InfoRow]
  private let kind: LogKind

  init(_ rows: [InfoRow], kind: LogKind) {
    self.rows = rows
    self.kind = kind
  }

  /// Prints it, then what is wrong, and throws if anything is.
  ///
  /// - Parameter summary: a line for people below the table.
  func print(asJSON: Bool, summary: String? = nil) throws {
    let output = Output()
    if asJSON {
      for row in rows { output.bytes += row.json(kind) }
    } else {
      for line in InfoRow.table(rows, kind) { try output.line(line) }
      if let summary { try output.line(summary) }
      for row in rows { for note in row.notes { try output.line("\(kind.label(row.name)): \(note)".printable) } }
    }
    try output.flush()
    let failures = rows.compactMap(\.failure)
    for failure in failures { failure.report() }
    try ExitStatus.throwUnlessSuccess(of: failures)
  }
}

/// One log's line.
struct InfoRow {
  let name: String
  private let details: Log.Details?
  let failure: Failure?

  init(_ name: String, _ result: Result<Log.Details, any Error>) {
    self.name = name
    switch result {
    case .success(let details):
      self.details = details
      failure = details.damage.map { Failure(ImmutaError.corrupted($0)) }
    case .failure(let error): (details, failure) = (nil, Failure(error))
    }
  }

  /// What opening found that people should know.
  var note: String? {
    if let details, let lastRecovery = details.lastRecovery {
      let torn = Quantities.counted(details.tornCount, "record")
      return "cut off \(torn) torn by power cuts and never promised to be stable, last on \(lastRecovery)"
    }
    return details?.openingNote
  }

  /// All that people should know.
  fileprivate var notes: [String] { (note.map { [$0] } ?? []) + clock }

  /// Why its times may be wrong.
  private var clock: [String] { details?.clock.map(\.description) ?? [] }

  private var health: String {
    switch failure?.status {
    case nil: isUnverifiable ? "unverifiable" : isPartlyVerifiable ? "partly verifiable" : "ok"
    case .damaged: "damaged"
    default: "unreadable"
    }
  }

  /// Whether nothing is known of any record but that it can be read.
  private var isUnverifiable: Bool { details.map { $0.count > 0 && $0.verifiable == 0 } ?? false }

  /// Whether that is so of some records, and the others can be compared with what was appended.
  private var isPartlyVerifiable: Bool { details.map { $0.verifiable < $0.count } ?? false }

  /// The same, and how much of the log it is said of.
  private var healthInWords: String {
    guard let details, failure == nil, !isUnverifiable, isPartlyVerifiable else { return health }
    let unverifiable = Quantities.grouped(details.count - details.verifiable)
    return "ok, \(unverifiable) of \(Quantities.grouped(details.count)) cannot be verified"
  }

  static func table(_ rows: [InfoRow], _ kind: LogKind) -> [String] {
    if rows.isEmpty { return [] }
    var table = Table([
      (kind.title, .left), ("RECORDS", .right), ("BYTES", .right), ("FIRST", .left), ("LAST", .left),
      ("FORMAT", .left), ("HEALTH", .left),
    ])
    for row in rows {
      table.add([
        row.name,
        row.details.map { Quantities.grouped($0.count) } ?? "-",
        row.details.map { Quantities.grouped($0.byteCount) } ?? "-",
        row.details?.firstTimestamp.map(Self.short) ?? "-",
        row.details?.lastTimestamp.map(Self.short) ?? "-",
        row.details.map { "\($0.format)" } ?? "-",
        row.healthInWords,
      ])
    }
    return table.lines
  }

  /// One line for programs.
  func json(_ kind: LogKind) -> [UInt8] {
    var object = JSONObject()
    object.add(kind.rawValue, name)
    if let details {
      object.add("path", details.path)
      object.add("identity", details.identity?.description)
      object.add("records", details.count)
      object.add("verifiable", details.verifiable)
      object.add("bytes", details.byteCount)
      object.add("stable", details.stableCount)
      object.add("first", details.firstTimestamp?.description)
      object.add("last", details.lastTimestamp?.description)
      object.add("format", "\(details.format)")
      if !details.codec.isEmpty { object.add("codec", details.codec) }
      if details.tornCount > 0 { object.add("torn", details.tornCount) }
    }
    object.add("health", health)
    object.add("note", note)
    if !clock.isEmpty { object.add("clock", strings: clock) }
    object.add("error", failure?.message)
    return object.line
  }

  /// To the second: nine digits more help nobody to read a table.
  private static func short(_ timestamp: Timestamp) -> String { timestamp.description.dropLast(11) + "Z" }
}
