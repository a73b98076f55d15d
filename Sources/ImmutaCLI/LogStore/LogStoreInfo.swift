import ArgumentParser
import Immuta
import LogStore

/// `immuta logstore info`: what is known of a store without reading it.
struct LogStoreInfo: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show what is known of a store without reading it.",
    discussion: """
      A line for each partition:
        immuta logstore info chat

      For programs, an object a line:
        immuta logstore info chat --json
      """)

  @OptionGroup var location: StoreLocation

  @Flag(help: "Print an object a line.")
  var json = false

  @MainActor func execute() async throws {
    let store = try location.openForReading()
    defer { store.close() }
    let output = Output()
    let rows = try store.details.map { InfoRow($0.namespace, .success($0)) }
    if json {
      for row in rows { output.bytes += row.json(name: "partition") }
    } else {
      for line in InfoRow.table(rows, name: "PARTITION") { try output.line(line) }
      try output.line("\(Quantities.counted(store.partitionCount, "partition")), routed by \(store.routing.name)")
      for row in rows { if let note = row.note { try output.line("partition \(row.namespace): \(note)") } }
    }
    try output.flush()
    for case let failure? in rows.map(\.failure) { failure.report() }
    let status = rows.compactMap(\.failure).reduce(ExitStatus.success) { $0.joined($1.status) }
    if status != .success { throw AlreadyReported(status: status) }
  }
}
