/// What a stored payload looks like, without knowing which codec made it.
///
/// Sealed payloads are recognised by their structure, and so is raw DEFLATE; other compressed ones by their format's first bytes.
package enum PayloadAppearance: Hashable, Sendable {
  /// Encrypted: a version, a key's number, a salt, a counter, and chunks with their tags.
  case sealed
  /// A frame of Zstandard's.
  case zstd
  /// A frame of LZ4's.
  case lz4
  /// A stream of raw DEFLATE, or, of a large payload, the beginning of one.
  case deflate

  /// How many bytes are examined.
  package static var sampleSize: Int { 64 << 10 }

  /// - Parameters:
  ///   - bytes: the payload's first `sampleSize` bytes, or all of a shorter one.
  ///   - size: bytes of the whole payload.
  package init?(beginning bytes: UnsafeRawBufferPointer, size: Int) {
    if bytes.count >= 4 {
      switch unsafe bytes.loadInteger(at: 0, as: UInt32.self) {
      case 0xFD2F_B528: self = .zstd; return
      case 0x184D_2204: self = .lz4; return
      default: break
      }
    }
    if unsafe Self.isSealed(bytes, size: size) {
      self = .sealed
    } else if unsafe DeflateStructure.isStream(bytes, isWhole: bytes.count == size) {
      self = .deflate
    } else {
      return nil
    }
  }

  /// Its name, for people.
  package var words: String {
    switch self {
    case .sealed: "encrypted"
    case .zstd: "compressed with Zstandard"
    case .lz4: "compressed with LZ4"
    case .deflate: "compressed with DEFLATE"
    }
  }

  private static var sealedHeader: Int { 28 }
  private static var tag: Int { 16 }
  private static var chunk: Int { (64 << 10) + tag }

  /// Random bytes repeat themselves this seldom: of 16, fewer than 9 different ones come once in ten million times.
  private static var fewestDifferent: Int { 9 }

  private static func isSealed(_ bytes: UnsafeRawBufferPointer, size: Int) -> Bool {
    guard bytes.count >= sealedHeader, size >= sealedHeader + tag, unsafe bytes[0] == 1 else { return false }
    // No writer counts to 2^40 with one salt.
    guard unsafe bytes[26] == 0, unsafe bytes[27] == 0 else { return false }
    let rest = (size - sealedHeader) % chunk
    guard rest == 0 || rest >= tag else { return false }
    return unsafe Set(bytes[5..<21]).count >= fewestDifferent
  }
}
