#if Zstd || LZ4
  import Immuta

  /// Frames of other programs' data, which Zstandard's and LZ4's decoders pass over as if nothing were there. As a
  /// record one would be an empty payload, which nobody appended.
  ///
  /// Their first four bytes, little-endian, are 184D2A50 to 184D2A5F (RFC 8878, section 3.1.2).
  enum SkippableFrame {
    static let magicSize = 4

    /// Throws when a frame begins with these bytes and is one to be skipped; with fewer than four there is no telling.
    static func refuse(_ bytes: [UInt8]) throws(TransformError) {
      guard bytes.count >= magicSize else { return }
      if bytes[0] & 0xF0 == 0x50, bytes[1] == 0x2A, bytes[2] == 0x4D, bytes[3] == 0x18 {
        throw TransformError("it is a frame to be skipped, which holds no payload")
      }
    }
  }
#endif
