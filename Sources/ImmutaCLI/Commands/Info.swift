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

      Bytes are those of the log with its header. HEALTH is “unverifiable” where no record has a checksum from when it was \
      appended, as after the companion was lost; where only some have none, it says how many, and in JSON it is “partly \
      verifiable”. A namespace that cannot be opened is listed all the same; the exit \
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
    if names.isEmpty, !json { Failure.say("no namespaces in \(location.directory)") }
    let rows = names.map { name in
      InfoRow(
        name,
        Result {
          let (storage, log) = try location.openForReading(name, .storedPayloads)
          defer { storage.close() }
          return try log.details
        })
    }
    try InfoReport(rows, kind: .namespace).print(asJSON: json)
  }
}
