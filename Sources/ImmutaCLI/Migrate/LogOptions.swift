import ArgumentParser
import Immuta

/// How the log that is migrated from is stored.
///
/// Its options begin with `--from-`, as the target may be a log with a codec of its own: so a log is compressed, or
/// gets another key.
struct SourceLogOptions: ParsableArguments {
  @Option(
    name: .customLong("from-codec"),
    help: ArgumentHelp("Its compression: see --codec.", valueName: "name"))
  var codec: CompressionChoice?

  @Option(
    name: .customLong("from-dictionary"),
    help: ArgumentHelp("Its dictionary; repeat it where there are several.", valueName: "file"), completion: .file())
  var dictionary: [String] = []

  @Option(
    name: .customLong("from-key-file"),
    help: ArgumentHelp("Its encryption key; repeat it where there are several.", valueName: "file"), completion: .file()
  )
  var keyFile: [String] = []

  @Option(name: .customLong("from-cipher"), help: "What it is encrypted with.")
  var cipher: CodecSettings.Cipher?

  @Option(
    name: .customLong("from-decoded-limit"),
    parsing: .unconditional,
    help: ArgumentHelp("Bytes that a record of it may come to: see --decoded-limit. (default: 1 GiB)", valueName: "n"))
  var decodedLimit: Int?

  @Option(
    name: .customLong("from-log-format"),
    help: "Its format, where it cannot be recognised: see --log-format.")
  var logFormat: LogFormatOption?

  func validate() throws { try settings.check() }

  private var settings: CodecSettings {
    CodecSettings(
      codec: codec, dictionary: dictionary, keyFile: keyFile, cipher: cipher, decodedLimit: decodedLimit,
      prefix: CodecSettings.sourcePrefix)
  }

  /// Whether anything was said.
  var isGiven: Bool { settings.isGiven || logFormat != nil }

  /// Opens the log for reading.
  func open(_ namespace: String, in directory: String, allowForeignOwner: Bool) throws -> Storage {
    var configuration = try settings.configuration().showingProgress
    configuration.access = .readOnly
    configuration.acceptsFilesOfOthers = allowForeignOwner
    configuration.format = logFormat?.format
    do {
      return try Storage(directory: directory, namespaces: [namespace], configuration: configuration)
    } catch {
      throw ToolError(error, directory: directory, prefix: CodecSettings.sourcePrefix)
    }
  }
}

/// How the logs that are migrated to are stored.
struct TargetLogOptions: ParsableArguments {
  @OptionGroup private var codec: CodecOptions
  @OptionGroup private var segments: SegmentOptions

  @Option(
    help: """
      The format of new ones. Also needed for one of the old format, v1, with bytes after its last record, as a crash \
      leaves them: it looks like a damaged one of v2. (default: v2 for new ones)
      """)
  var logFormat: LogFormatOption?

  /// Whether anything was said.
  var isGiven: Bool {
    codec.settings.isGiven || logFormat != nil || segments.isGiven
  }

  /// Opens logs for appending; makes them if they are not there.
  ///
  /// - Parameter firsts: the numbers of the first records of new logs; 0 for all by default.
  func open(
    _ namespaces: [String], in directory: String, firsts: [Int] = [], allowForeignOwner: Bool
  ) throws -> Storage {
    for namespace in namespaces { try Location.checkIsNoStore(directory, for: namespace) }
    try System.makeParents(of: directory)
    var configuration = try codec.configuration().showingProgress
    configuration.format = logFormat?.format
    configuration.acceptsFilesOfOthers = allowForeignOwner
    segments.set(in: &configuration)
    let present = (try? Storage.namespaces(in: directory)) ?? []
    for (namespace, first) in zip(namespaces, firsts) where first > 0 && !present.contains(namespace) {
      try Storage.begin(namespace, at: first, in: directory, configuration)
    }
    return try Storage(directory: directory, namespaces: namespaces, configuration: configuration)
  }
}
