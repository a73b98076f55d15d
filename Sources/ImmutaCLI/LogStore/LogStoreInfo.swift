import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore info`: what is known of a store without reading it.
struct LogStoreInfo: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show what is known of a store without reading it.",
    discussion: """
      A line for each partition:
        immuta logstore info chat

      For programs, an object a line, also of each file of a partition that is kept in segments:
        immuta logstore info chat --json --segments

      HEALTH, and what is looked at, are as in `immuta info`. A partition that is damaged is listed all the same; the exit status is then 65.
      """)

  @OptionGroup var location: StoreLocation

  @OptionGroup var view: InfoOptions

  @Flag(help: "Print an object a line.")
  var json = false

  @MainActor func execute() async throws {
    let store = try location.openForReading()
    defer { store.close() }
    if view.watch {
      var watch = InfoWatch(.partition, view.sizes)
      return try await Repetition.run(asJSON: json) { output in
        try watch.print(rows(store), asJSON: json, to: output)
      }
    }
    let partitions = Quantities.counted(store.partitionCount, "partition")
    try InfoReport(
      rows(store), kind: .partition, verifying: "immuta logstore verify \(ToolCommandLine.word(location.directory))",
      sizes: view.sizes
    ).print(
      asJSON: json, summary: "\(partitions), routed by \(store.routing.name)")
  }

  /// What is known of each partition.
  private func rows(_ store: LogStore) -> [InfoRow] {
    (0..<store.partitionCount).map { number in
      InfoRow(
        "\(number)", survey: try? LogSurvey("\(number)", in: location.directory, isPartition: true),
        Result { try KnownLog(store.partition(number).log, view) })
    }
  }
}
