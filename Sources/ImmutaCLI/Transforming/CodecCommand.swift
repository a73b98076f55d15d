import ArgumentParser
import Immuta
import ImmutaTransforms

/// `immuta codec`: what has to do with codecs themselves.
struct CodecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codec", abstract: "Train dictionaries for compression.", subcommands: [Train.self])
}

/// `immuta codec train`: a dictionary from a log's own records.
struct Train: ToolCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a Zstandard dictionary on a log's records.",
    discussion: """
      Small records compress badly one by one; a dictionary holds what they have in common.

      From the records of a log; then a new log, compressed with it:
        immuta codec train events --output events.dict
        immuta cat events | immuta append small --codec zstd --dictionary events.dict

      Keep the dictionary as carefully as the log: without it, records that were compressed with it cannot be read. A log \
      that is written with --codec zstd may get its dictionary later, and a new one in front of the old.
      """)

  @OptionGroup var location: Location
  @OptionGroup(title: "Codec") var codecOptions: CodecOptions

  @Argument(help: "The namespace to learn from.", completion: Completions.namespaces)
  var namespace: String

  @Option(
    help: ArgumentHelp("Where to put the dictionary; a file that exists is not replaced.", valueName: "file"),
    completion: .file())
  var output: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Look at up to so many records, taken evenly from all of the log.", valueName: "n"))
  var records = 10_000

  @Option(parsing: .unconditional, help: ArgumentHelp("Bytes of the dictionary, at most.", valueName: "n"))
  var size = 64 << 10

  @Flag(help: "Print a summary as JSON.")
  var json = false

  func validate() throws {
    try checkNamespace(namespace)
    try checkNumber("--records", records, isIn: 1...Int.max)
    try checkNumber("--size", size, isIn: 256...(16 << 20))
  }

  @MainActor func execute() async throws {
    #if Zstd
      let (storage, log) = try location.openForReading(namespace, codecOptions.configuration())
      defer { storage.close() }
      let dictionary: ZstdDictionary
      do {
        dictionary = try ZstdDictionary(trainedOn: log, records: records, size: size)
      } catch let error as TransformError {
        throw ToolError(error.description)
      }
      try System.create(output, dictionary.bytes)
      let printed = Output()
      if json {
        var object = JSONObject()
        object.add("output", output)
        object.add("id", Int(dictionary.id))
        object.add("bytes", dictionary.bytes.count)
        printed.bytes += object.line
      } else {
        try printed.line(
          "\(output): dictionary \(dictionary.id), \(Quantities.counted(dictionary.bytes.count, "byte"))")
      }
      try printed.flush()
    #else
      throw CompressionChoice.isMissing("Zstd", "libzstd-dev")
    #endif
  }
}
