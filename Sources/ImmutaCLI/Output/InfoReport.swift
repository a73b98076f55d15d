import Immuta

/// What is known of some logs.
struct InfoReport {
  private let rows: [InfoRow]
  private let kind: LogKind
  private let verifying: String

  /// - Parameter verifying: the command that reads every record.
  init(_ rows: [InfoRow], kind: LogKind, verifying: String) {
    self.rows = rows
    self.kind = kind
    self.verifying = verifying
  }

  /// Prints it, then what is wrong, and throws if anything is.
  ///
  /// - Parameter summary: a line for people below the table.
  func print(asJSON: Bool, summary: String? = nil) throws {
    let output = Output()
    if asJSON {
      for row in rows { output.bytes += row.json(kind) }
    } else {
      let table = InfoRow.table(rows, kind)
      let isNarrow = table.allSatisfy { $0.count <= Paragraph.width }
      if isNarrow { for line in table { try output.line(line) } }
      if let summary { try output.line(summary) }
      for row in rows {
        let text = ((isNarrow ? [] : [row.inWords]) + row.sentences).joined(separator: "; ")
        if !text.isEmpty {
          for line in Paragraph.lines("\(kind.label(row.name)): \(text)".printable) { try output.line(line) }
        }
      }
      if rows.contains(where: \.wasLookedAt) {
        for line in Paragraph.lines("Looked at headers, last records and sizes; `\(verifying)` reads every record.") {
          try output.line(line)
        }
      }
    }
    try output.flush()
    let failures = rows.filter { !$0.isPassedOver }.compactMap(\.failure)
    for failure in failures { failure.report() }
    try ExitStatus.throwUnlessSuccess(of: failures)
  }
}

/// One log's line.
struct InfoRow {
  let name: String
  private let details: Log.Details?
  private let survey: LogSurvey?
  let failure: Failure?
  /// Whether it is a file that never was a log, and nobody asked for it by its name.
  let isPassedOver: Bool
  private let isNoLog: Bool

  init(
    _ name: String, survey: LogSurvey?, isPassedOver: (any Error) -> Bool = { _ in false },
    _ result: Result<(Log.Details, Corruption?), any Error>
  ) {
    self.name = name
    switch result {
    case .success(let (details, damage)):
      self.details = details
      self.survey = survey
      failure = (details.damage ?? damage).map { Failure(ImmutaError.corrupted($0)) }
      (self.isPassedOver, isNoLog) = (false, false)
    case .failure(let error):
      (details, failure) = (nil, Failure(error))
      self.isPassedOver = isPassedOver(error)
      if case ImmutaError.corrupted(let damage) = error { isNoLog = damage.isNoLog } else { isNoLog = false }
      // What is no log has no companion to speak of.
      self.survey = isNoLog ? nil : survey
    }
  }

  /// What is wrong with the last record of a log; nil where nothing is.
  static func damage(atEndOf log: Log) throws(ImmutaError) -> Corruption? {
    do throws(ImmutaError) {
      try log.checkLastRecord()
      return nil
    } catch .corrupted(let damage) {
      return damage
    }
  }

  var wasLookedAt: Bool { details != nil }

  /// What opening found, or will do, that people should know.
  var note: String? {
    if let details, let lastRecovery = details.lastRecovery {
      let torn = Quantities.counted(details.tornCount, "record")
      return "cut off \(torn) torn by power cuts and never promised to be stable, last on \(lastRecovery)"
    }
    return details?.openingNote ?? survey?.recovery
  }

  /// Why its times may be wrong.
  private var clock: [String] { details?.clock.map(\.description) ?? [] }

  /// In one or two words.
  private var health: String {
    if isNoLog { return "not a log" }
    switch failure?.status {
    case nil: break
    case .damaged: return "damaged"
    default: return "unreadable"
    }
    if survey?.holder != nil { return "open" }
    if survey?.wasClosed == false { return "not closed" }
    return isUnverifiable ? "unverifiable" : "ok"
  }

  /// Whether nothing is known of any record but that it can be read.
  private var isUnverifiable: Bool { details.map { $0.count > 0 && $0.verifiable == 0 } ?? false }

  /// All that people should know, and that has no place in the table.
  fileprivate var sentences: [String] {
    var sentences: [String] = []
    if isPassedOver, let message = failure?.message { sentences.append(message) }
    if let holder = survey?.holder {
      let process = holder.processID.map { "process \($0)" } ?? "a process that did not say which it is"
      sentences.append("open in \(process)" + (holder.since.map { " since \(Self.short($0))" } ?? ""))
    } else if failure == nil, survey?.wasClosed == false {
      sentences.append("\(survey?.recovery ?? "was not closed"); opening it for appending recovers it")
    }
    if let details {
      if let first = details.firstTimestamp, let last = details.lastTimestamp {
        sentences.append("\(Self.short(first)) to \(Self.short(last))")
      }
      if let survey { sentences.append("\(Quantities.counted(survey.sizeOnDisk, "byte")) on disk") }
      sentences.append(details.codec.isEmpty ? "no codec known" : "codec \(details.codec)")
      if details.verifiable < details.count {
        let unverifiable = Quantities.grouped(details.count - details.verifiable)
        sentences.append("\(unverifiable) of \(Quantities.counted(details.count, "record")) cannot be verified")
      }
    } else if let survey, failure?.status == .damaged {
      sentences.append("\(Quantities.counted(survey.sizeOnDisk, "byte")) on disk")
    }
    if let survey, details != nil || failure?.status == .damaged {
      sentences.append("companion \(survey.companion.rawValue)")
    }
    let isSaid = details?.openingNote == nil && details?.lastRecovery == nil
    return sentences + (isSaid ? [] : note.map { [$0] } ?? []) + clock
  }

  /// What the table says, for where it is too wide.
  fileprivate var inWords: String {
    guard let details else { return health }
    let records = Quantities.counted(details.count, "record")
    return "\(health), \(records), \(Quantities.counted(details.byteCount, "byte")), \(details.format)"
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
        row.details?.firstTimestamp.map(Self.day) ?? "-",
        row.details?.lastTimestamp.map(Self.day) ?? "-",
        row.details.map { "\($0.format)" } ?? "-",
        row.health,
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
      object.add("version", Int(details.format.rawValue))
      object.add("records", details.count)
      object.add("count", details.count)
      object.add("firstSequence", 0)
      object.add("segments", 1)
      object.add("verifiable", details.verifiable)
      object.add("bytes", details.byteCount)
      object.add("stable", details.stableCount)
      object.add("first", details.firstTimestamp?.description)
      object.add("last", details.lastTimestamp?.description)
      object.add("format", "\(details.format)")
      if details.codec.isEmpty { object.addNull("codec") } else { object.add("codec", details.codec) }
      if details.tornCount > 0 { object.add("torn", details.tornCount) }
    }
    if let survey {
      object.add("companion", survey.companion.rawValue)
      if let holder = survey.holder { object.add("open", Int(holder.processID ?? 0)) } else { object.addNull("open") }
      object.add("openSince", survey.holder?.since?.description)
      object.add("closed", survey.holder == nil && survey.wasClosed)
      object.add("sizeOnDisk", survey.sizeOnDisk)
    }
    object.add("health", health)
    object.add("note", note)
    if !clock.isEmpty { object.add("clock", strings: clock) }
    object.add("error", failure?.message)
    return object.line
  }

  private static func day(_ timestamp: Timestamp) -> String { String(timestamp.description.prefix { $0 != "T" }) }

  /// To the second: nine digits more help nobody to read a table.
  private static func short(_ timestamp: Timestamp) -> String { timestamp.description.dropLast(11) + "Z" }
}
