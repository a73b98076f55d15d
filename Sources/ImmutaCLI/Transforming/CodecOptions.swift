import ArgumentParser
import Immuta
import ImmutaTransforms

/// How a log's payloads are stored: options of each subcommand that reads or writes them.
struct CodecOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Compression: deflate[:0-9], zstd[:1-19] or lz4[:0-12]; the level matters for writing only. none: take the \
      records as they are, of a log that looks compressed or encrypted and does not say how it was written.
      """,
      valueName: "name"))
  var codec: CompressionChoice?

  @Option(
    help: ArgumentHelp(
      "For zstd: a dictionary of `immuta codec train`. Repeat it for older ones; new records take the first.",
      valueName: "file"), completion: .file())
  var dictionary: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      Encryption: a file of 32 random bytes, or 64 hexadecimal digits. Repeat it for older keys; new records take the \
      first.
      """,
      valueName: "file"), completion: .file())
  var keyFile: [String] = []

  @Option(help: "What to encrypt with.")
  var cipher: CodecSettings.Cipher?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes that a record may come to when it is decoded, at most; appending more is refused, too. (default: 1 GiB)",
      valueName: "n"))
  var decodedLimit: Int?

  func validate() throws { try settings.check() }

  /// A storage's configuration with the codec that the options describe.
  func configuration() throws -> Storage.Configuration { try settings.configuration() }

  var settings: CodecSettings {
    CodecSettings(
      codec: codec, dictionary: dictionary, keyFile: keyFile, cipher: cipher, decodedLimit: decodedLimit,
      prefix: CodecSettings.targetPrefix)
  }
}

/// A compression and its level, as `--codec` names them.
struct CompressionChoice: ExpressibleByArgument {
  enum Kind: String {
    case none
    case deflate
    case zstd
    case lz4
  }

  let kind: Kind
  let level: Int

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let kind = Kind(rawValue: String(parts[0])) else { return nil }
    self.kind = kind
    let (levels, usual) =
      switch kind {
      case .none: (0...0, 0)
      case .deflate: (0...9, 6)
      case .zstd: (1...19, 3)
      case .lz4: (0...12, 0)
      }
    if kind == .none, parts.count > 1 { return nil }
    if parts.count == 1 {
      level = usual
    } else {
      guard let level = Int(parts[1]), levels.contains(level) else { return nil }
      self.level = level
    }
  }

  /// Nil for none.
  func codec(dictionaries: [String]) throws -> Codec? {
    switch kind {
    case .none: nil
    case .deflate: .deflate(level: level)
    case .zstd: try zstd(dictionaries)
    case .lz4: try lz4()
    }
  }

  private func zstd(_ files: [String]) throws -> Codec {
    #if Zstd
      let dictionaries = try files.map { file in
        let bytes = try FileSource(file).all(atMost: 64 << 20)
        do {
          return try ZstdDictionary(bytes)
        } catch {
          throw ToolError("cannot use \(file): \(error)")
        }
      }
      return .zstd(level: level, dictionary: dictionaries.first, older: Array(dictionaries.dropFirst()))
    #else
      throw Self.isMissing("Zstd", "libzstd-dev")
    #endif
  }

  private func lz4() throws -> Codec {
    #if LZ4
      return .lz4(level: level)
    #else
      throw Self.isMissing("LZ4", "liblz4-dev")
    #endif
  }

  /// What to say where the tool was built without it.
  static func isMissing(_ trait: String, _ package: String) -> ToolError {
    ToolError(
      "this immuta was built without \(trait): install \(package), and build it with "
        + "`swift build -c release --product immuta --traits \(trait)`")
  }
}
