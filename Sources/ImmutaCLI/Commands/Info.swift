import ArgumentParser
import Immuta

/// `immuta info`: what is known of logs without reading them.
struct Info: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what is known of logs without reading them.",
    discussion: """
      All namespaces of ./logs:
        immuta info

      Two of them, elsewhere:
        immuta info orders invoices --dir /var/lib/shop

      For programs, an object a line:
        immuta info --json

      Bytes are those of the log with its header. A namespace that cannot be opened is listed all the same; the exit \
      status is then 65 if one is damaged, or 1.
      """)

  @OptionGroup var location: Location

  @Argument(help: ArgumentHelp("The namespaces to show; all, if none is named.", valueName: "namespace"))
  var namespaces: [String] = []

  @Flag(help: "Print an object a line.")
  var json = false

  func validate() throws {
    try namespaces.forEach(checkNamespace)
  }

  @MainActor func execute() async throws {
    let names = try location.namespaces(namespaces)
    let output = Output()
    var rows: [InfoRow] = []
    for name in names {
      let row = InfoRow(name, details(of: name))
      if json { output.bytes += row.json }
      rows.append(row)
    }
    if !json {
      if rows.isEmpty { Failure.say("no namespaces in \(location.directory)") }
      for line in InfoRow.table(rows) { try output.line(line) }
      for row in rows { if let note = row.note { try output.line("\(row.namespace): \(note)") } }
    }
    try output.flush()
    for case let failure? in rows.map(\.failure) { failure.report() }
    let status = rows.compactMap(\.failure).reduce(ExitStatus.success) { $0.joined($1.status) }
    if status != .success { throw AlreadyReported(status: status) }
  }

  @MainActor private func details(of name: String) -> Result<Log.Details, any Error> {
    Result {
      let (storage, log) = try location.openForReading(name)
      defer { storage.close() }
      return try log.details
    }
  }
}

/// One namespace's line.
struct InfoRow {
  let namespace: String
  private let details: Log.Details?
  let failure: Failure?

  init(_ namespace: String, _ result: Result<Log.Details, any Error>) {
    self.namespace = namespace
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

  private var health: String {
    switch failure?.status {
    case nil: "ok"
    case .damaged: "damaged"
    default: "unreadable"
    }
  }

  /// - Parameter name: what the rows are called.
  static func table(_ rows: [InfoRow], name: String = "NAMESPACE") -> [String] {
    if rows.isEmpty { return [] }
    var table = Table([
      (name, .left), ("RECORDS", .right), ("BYTES", .right), ("FIRST", .left), ("LAST", .left),
      ("FORMAT", .left), ("HEALTH", .left),
    ])
    for row in rows {
      table.add([
        row.namespace,
        row.details.map { Quantities.grouped($0.count) } ?? "-",
        row.details.map { Quantities.grouped($0.byteCount) } ?? "-",
        row.details?.firstTimestamp.map(Self.short) ?? "-",
        row.details?.lastTimestamp.map(Self.short) ?? "-",
        row.details.map { "\($0.format)" } ?? "-",
        row.health,
      ])
    }
    return table.lines
  }

  var json: [UInt8] { json(name: "namespace") }

  /// One line for programs.
  func json(name: String) -> [UInt8] {
    var object = JSONObject()
    object.add(name, namespace)
    if let details {
      object.add("path", details.path)
      object.add("records", details.count)
      object.add("bytes", details.byteCount)
      object.add("stable", details.stableCount)
      object.add("first", details.firstTimestamp?.description)
      object.add("last", details.lastTimestamp?.description)
      object.add("format", "\(details.format)")
      if details.tornCount > 0 { object.add("torn", details.tornCount) }
    }
    object.add("health", health)
    object.add("note", note)
    object.add("error", failure?.message)
    return object.line
  }

  /// To the second: nine digits more help nobody to read a table.
  private static func short(_ timestamp: Timestamp) -> String { timestamp.description.dropLast(11) + "Z" }
}
