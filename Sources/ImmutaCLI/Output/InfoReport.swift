import Immuta

/// What is known of some logs.
struct InfoReport {
  private let rows: [InfoRow]
  private let kind: LogKind
  private let verifying: String
  private let sizes: ByteWords

  /// - Parameters:
  ///   - verifying: the command that reads every record.
  ///   - sizes: how numbers of bytes are said in tables.
  init(_ rows: [InfoRow], kind: LogKind, verifying: String, sizes: ByteWords) {
    self.rows = rows
    self.kind = kind
    self.verifying = verifying
    self.sizes = sizes
  }

  /// Prints it, then what is wrong, and throws if anything is.
  ///
  /// - Parameter summary: a line for people below the table.
  func print(asJSON: Bool, summary: String? = nil) throws {
    let output = Output()
    if asJSON {
      for row in rows { output.bytes += row.object(kind).line }
    } else {
      let table = InfoRow.table(rows, kind, sizes)
      let isNarrow = table.allSatisfy { $0.count <= Paragraph.width }
      if isNarrow { for line in table { try output.line(line) } }
      if let summary { try output.line(summary) }
      for row in rows {
        let text = ((isNarrow ? [] : [row.inWords(sizes)]) + row.sentences(sizes)).joined(separator: "; ")
        if !text.isEmpty {
          for line in Paragraph.lines("\(kind.label(row.name)): \(text)".printable) { try output.line(line) }
        }
        for line in row.segmentTable(sizes) { try output.line(line) }
      }
      if rows.contains(where: \.wasLookedAt) {
        for line in Paragraph.lines("Looked at headers, last records and sizes; `\(verifying)` reads every record.") {
          try output.line(line)
        }
      }
    }
    try output.flush()
    let failures = rows.filter { !$0.isPassedOver }.flatMap(\.failures)
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
  /// What is wrong with the log, and with its segments, and what is of a newer version.
  var failures: [Failure] {
    let newer = survey?.newer.map { Failure(ImmutaError.unsupportedVersion($0)) }
    var said: Set<String?> = []
    return ([failure] + (segments?.failures ?? []) + [newer]).compactMap(\.self)
      .filter { said.insert($0.message).inserted }
  }
  /// Nil where nobody asks for them.
  private let segments: SegmentTable?
  /// How many records the slowest of its consumers has not acknowledged; nil where there are none, or nobody asks.
  let lag: Int?
  /// Whether it is a file that never was a log, and nobody asked for it by its name.
  let isPassedOver: Bool
  private let isNoLog: Bool

  init(
    _ name: String, survey: LogSurvey?, isPassedOver: (any Error) -> Bool = { _ in false },
    _ result: Result<KnownLog, any Error>
  ) {
    self.name = name
    switch result {
    case .success(let log):
      details = log.details
      self.survey = survey
      segments = log.segments.map { SegmentTable($0, survey) }
      failure = (log.details.damage ?? log.damage ?? survey?.damage).map { Failure(ImmutaError.corrupted($0)) }
      lag = log.consumers?.compactMap(\.lag).max()
      (self.isPassedOver, isNoLog) = (false, false)
    case .failure(let error):
      (details, failure, segments, lag) = (nil, Failure(error), nil, nil)
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

  /// What grows as records are appended; nil where it could not be looked at.
  var growth: (count: Int, bytes: Int)? { details.map { ($0.count, $0.byteCount) } }

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
  var health: String {
    if isNoLog { return "not a log" }
    switch failures.first?.status {
    case nil: break
    case .damaged: return "damaged"
    default: return "unreadable"
    }
    if survey?.holder != nil { return "open" }
    if survey?.wasClosed == false { return "not closed" }
    return isUnverifiable ? "unverifiable" : isPartlyVerifiable ? "partly verifiable" : "ok"
  }

  /// Records whose checksum was taken when they were appended, in all segments.
  private var verifiable: Int? { details.map { max(0, $0.verifiable - (survey?.unverifiableBefore ?? 0)) } }

  /// Records that there are, and nobody can verify.
  private var unverifiable: Int { (details?.recordCount ?? 0) - (verifiable ?? 0) }

  /// Whether nothing is known of any record but that it can be read.
  private var isUnverifiable: Bool { details.map { $0.recordCount > 0 } == true && verifiable == 0 }

  /// Whether that is so of some records, and the others can be compared with what was appended.
  private var isPartlyVerifiable: Bool { unverifiable > 0 }

  /// All that people should know, and that has no place in the table.
  fileprivate func sentences(_ sizes: ByteWords) -> [String] {
    var sentences: [String] = []
    if isPassedOver, let message = failure?.message { sentences.append(message) }
    if let holder = survey?.holder {
      let process = holder.processID.map { "process \($0)" } ?? "a process that did not say which it is"
      sentences.append("open in \(process)" + (holder.since.map { " since \($0.toTheSecond)" } ?? ""))
    } else if failure == nil, survey?.wasClosed == false {
      sentences.append("\(survey?.recovery ?? "was not closed"); opening it for appending recovers it")
    }
    if let details {
      if let first = details.firstTimestamp, let last = details.lastTimestamp {
        sentences.append("\(first.toTheSecond) to \(last.toTheSecond)")
      }
      if details.firstSequence > 0 { sentences.append("begins with record \(details.firstSequence)") }
      if details.segmentCount > 1 { sentences.append(Quantities.counted(details.segmentCount, "segment")) }
      if let survey { sentences.append("\(sizes.said(survey.sizeOnDisk)) on disk") }
      let none = survey?.isCodecKnown == true ? "no codec" : "no codec known"
      sentences.append(details.codec.isEmpty ? none : "codec \(details.codec)")
      if unverifiable > 0 {
        sentences.append(
          "\(Quantities.grouped(unverifiable)) of \(Quantities.counted(details.recordCount, "record")) cannot be verified"
        )
      }
    } else if let survey, failure?.status == .damaged {
      sentences.append("\(sizes.said(survey.sizeOnDisk)) on disk")
    }
    if let survey, details != nil || failure?.status == .damaged {
      sentences.append("companion \(survey.companion.rawValue)")
    }
    let isSaid = details?.openingNote == nil && details?.lastRecovery == nil
    return sentences + (isSaid ? [] : note.map { [$0] } ?? []) + clock
  }

  /// What the table says, for where it is too wide.
  fileprivate func inWords(_ sizes: ByteWords) -> String {
    guard let details else { return health }
    let records = Quantities.counted(details.recordCount, "record")
    return "\(health), \(records), \(sizes.said(details.byteCount)), \(details.format)"
  }

  /// A row for each segment, with its title; nothing where nobody asks for them.
  fileprivate func segmentTable(_ sizes: ByteWords) -> [String] { segments?.lines(sizes) ?? [] }

  static func table(_ rows: [InfoRow], _ kind: LogKind, _ sizes: ByteWords) -> [String] {
    if rows.isEmpty { return [] }
    var table = Table([
      (kind.title, .left), ("RECORDS", .right), (sizes.title, .right), ("FIRST", .left), ("LAST", .left),
      ("FORMAT", .left), ("HEALTH", .left),
    ])
    for row in rows {
      table.add([
        row.name,
        row.recordsInWords,
        row.details.map { sizes.of($0.byteCount) } ?? "-",
        row.details?.firstTimestamp?.day ?? "-",
        row.details?.lastTimestamp?.day ?? "-",
        row.details.map { "\($0.format)" } ?? "-",
        row.health,
      ])
    }
    return table.lines
  }

  /// Records that there are.
  var recordsInWords: String { details.map { Quantities.grouped($0.recordCount) } ?? "-" }

  var segmentsInWords: String { details.map { Quantities.grouped($0.segmentCount) } ?? "-" }

  /// What programs get.
  func object(_ kind: LogKind) -> JSONObject {
    var object = JSONObject()
    object.add(kind, name)
    if let details {
      object.add("path", details.path)
      object.add("identity", details.identity?.description)
      object.add("version", Int(details.format.rawValue))
      object.add("records", details.recordCount)
      object.add("count", details.count)
      object.add("firstSequence", details.firstSequence)
      object.add("segments", details.segmentCount)
      object.add("verifiable", verifiable)
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
    segments?.add(to: &object)
    object.add("health", health)
    object.add("note", note)
    if !clock.isEmpty { object.add("clock", strings: clock) }
    object.add("error", failures.first?.message)
    return object
  }
}

extension Log.Details {
  /// Records that exist: without removed ones, and without those of missing first segments.
  fileprivate var recordCount: Int { count - firstSequence - missingCount }
}
