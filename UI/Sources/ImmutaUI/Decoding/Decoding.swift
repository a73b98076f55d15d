import Immuta
import ImmutaTransforms

/// What the program can decode: by the codec's name that a log has beside it, or by what the command line says of logs without
/// one.
struct Decoding: Sendable {
  /// A compression, as `--codec` names it.
  enum Compression: String, CaseIterable, Sendable {
    /// Nothing is decoded.
    case none
    case deflate
    case zstd
    case lz4
  }

  enum Cipher: String, CaseIterable, Sendable {
    case aes256GCM = "aes-256-gcm"
    case chaCha20Poly1305 = "chacha20-poly1305"
  }

  /// Of logs that have no codec's name beside them.
  var compression: Compression?
  /// The same.
  var cipher: Cipher?
  var keys: KeyRing?
  #if Zstd
    var dictionaries: [ZstdDictionary] = []
  #endif
  /// Bytes that a payload may come to: a few stored bytes can claim to be many.
  var largestPayload = Self.usualLimit

  static let usualLimit = 64 << 20

  /// Why a codec cannot be used here.
  struct Missing: Error {
    let reason: String
  }

  /// Whether nothing is to be decoded.
  var isOff: Bool { compression == Compression.none }

  /// Whether the command line says how logs were written that don't say it themselves. Keys alone do not: other logs may have
  /// none.
  var describesLogs: Bool { compression != nil || cipher != nil }

  /// The codec that the command line describes; nil for none.
  func described() throws(Missing) -> Codec? {
    let compression = try compression.flatMap { compression throws(Missing) in try codec(compression) }
    guard keys != nil else { return compression }
    let encryption = try codec(cipher ?? .aes256GCM)
    return compression?.then(encryption) ?? encryption
  }

  /// The codec with a name that a log has beside it, such as “deflate + aes-256-gcm”.
  func codec(named name: String) throws(Missing) -> Codec {
    var whole: Codec?
    for part in name.split(separator: "+").map({ $0.filter { $0 != " " } }) {
      let next: Codec?
      if let compression = Compression(rawValue: part) {
        next = try codec(compression)
      } else if let cipher = Cipher(rawValue: part) {
        next = try codec(cipher)
      } else {
        next = nil
      }
      guard let next else { throw Missing(reason: "this program does not know the codec “\(name)”") }
      whole = whole?.then(next) ?? next
    }
    guard let whole, whole.name == name else {
      throw Missing(reason: "this program does not know the codec “\(name)”")
    }
    return whole
  }

  private func codec(_ compression: Compression) throws(Missing) -> Codec? {
    switch compression {
    case .none: return nil
    case .deflate: return .deflate()
    case .zstd:
      #if Zstd
        return .zstd(dictionary: dictionaries.first, older: Array(dictionaries.dropFirst()))
      #else
        throw Self.isNotBuilt("Zstd")
      #endif
    case .lz4:
      #if LZ4
        return .lz4()
      #else
        throw Self.isNotBuilt("LZ4")
      #endif
    }
  }

  private func codec(_ cipher: Cipher) throws(Missing) -> Codec {
    guard let keys else {
      throw Missing(reason: "it is encrypted: start immuta-ui with its key, by --key-file, to see what was appended")
    }
    switch cipher {
    case .aes256GCM: return .aes256GCM(keys)
    case .chaCha20Poly1305: return .chaCha20Poly1305(keys)
    }
  }

  static func isNotBuilt(_ trait: String) -> Missing {
    Missing(
      reason: "this immuta-ui was built without \(trait): build it with `swift build -c release --package-path UI "
        + "--traits \(trait)`")
  }
}
