import ArgumentParser
import Immuta
import ImmutaTransforms

/// How a log's payloads are stored, whichever options said it.
struct CodecSettings {
  /// What options begin with that describe the only log of a command, or the one that is written.
  static let targetPrefix = "--"
  /// What options begin with that describe the log that is migrated from.
  static let sourcePrefix = "--from-"

  let codec: CompressionChoice?
  let dictionary: [String]
  let keyFile: [String]
  let cipher: Cipher?
  let decodedLimit: Int?
  /// What the options begin with.
  let prefix: String

  enum Cipher: String, CaseIterable, ExpressibleByArgument {
    case aes256GCM = "aes-256-gcm"
    case chaCha20Poly1305 = "chacha20-poly1305"
  }

  /// Whether anything was said.
  var isGiven: Bool {
    codec != nil || !dictionary.isEmpty || !keyFile.isEmpty || cipher != nil || decodedLimit != nil
  }

  /// Throws a usage error unless the options make sense together.
  func check() throws {
    if codec?.kind == CompressionChoice.Kind.none, !keyFile.isEmpty {
      throw ValidationError("\(prefix)codec none says that nothing was done to the records: give no \(prefix)key-file")
    }
    if cipher != nil, keyFile.isEmpty { throw ValidationError("\(prefix)cipher needs a \(prefix)key-file") }
    if let decodedLimit {
      let name = "\(prefix)decoded-limit"
      try checkNumber(name, decodedLimit, isIn: 0...Int.max)
      if codec == nil, keyFile.isEmpty { throw ValidationError("\(name) is for \(prefix)codec and \(prefix)key-file") }
    }
    if !dictionary.isEmpty, codec?.kind != .zstd {
      throw ValidationError("\(prefix)dictionary is for \(prefix)codec zstd")
    }
  }

  /// A storage's configuration with the codec that the options describe.
  func configuration() throws -> Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.codec = try chosen()
    configuration.takesPayloadsAsStored = codec?.kind == CompressionChoice.Kind.none
    if let decodedLimit { configuration.largestDecodedPayload = decodedLimit }
    return configuration
  }

  /// The codec that the options describe; nil for none.
  private func chosen() throws -> Codec? {
    let compression = try codec?.codec(dictionaries: dictionary)
    guard !keyFile.isEmpty else { return compression }
    let keys = try keyFile.map(KeyFile.read)
    if let twin = Self.twin(keys) {
      throw ToolError("\(keyFile[twin.0]) and \(keyFile[twin.1]) hold the same key, or keys with the same id")
    }
    let ring = KeyRing(keys[0], older: Array(keys[1...]))
    let encryption: Codec =
      switch cipher ?? .aes256GCM {
      case .aes256GCM: .aes256GCM(ring)
      case .chaCha20Poly1305: .chaCha20Poly1305(ring)
      }
    return compression?.then(encryption) ?? encryption
  }

  /// Two keys of one id.
  private static func twin(_ keys: [EncryptionKey]) -> (Int, Int)? {
    for (position, key) in keys.enumerated() {
      if let first = keys[..<position].firstIndex(where: { $0.id == key.id }) { return (first, position) }
    }
    return nil
  }

  /// What to say when a log was written with another codec than the options describe.
  static func mismatch(written: String, opened: String, prefix: String) -> String {
    let advice =
      written.isEmpty
      ? "leave out \(prefix)codec, \(prefix)key-file and \(prefix)cipher"
      : "give the \(prefix)codec, \(prefix)key-file and \(prefix)cipher that it was written with"
    let (written, opened) = (
      written.isEmpty ? "no codec" : written.printable, opened.isEmpty ? "no codec" : opened
    )
    return "the log was written with \(written) and opened with \(opened): \(advice)"
  }
}
