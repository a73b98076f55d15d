import Crypto
import Immuta

/// Decrypts payloads, and finds out whether they are what was encrypted, at this place: see ``SealedFormat``.
final class UnsealState: TransformerState {
  private let algorithm: SealingAlgorithm
  private let keys: KeyRing
  private var record = RecordContext(namespace: "", sequence: 0)
  private var header: [UInt8] = []
  private var context: [UInt8] = []
  /// Sealed bytes of the chunk that is not opened yet. A full one waits for more, which says that it is not the last.
  private var chunk: [UInt8] = []
  private var chunkNumber: UInt32 = 0
  /// The key of the salt seen last: whoever wrote the records wrote many with one salt.
  private var derived: (of: [UInt8], key: SymmetricKey)?

  init(_ algorithm: SealingAlgorithm, _ keys: KeyRing) {
    self.algorithm = algorithm
    self.keys = keys
  }

  func begin(_ record: RecordContext) {
    self.record = record
    header.removeAll(keepingCapacity: true)
    chunk.removeAll(keepingCapacity: true)
    chunkNumber = 0
  }

  func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
    try input.withUnsafeBytes { bytes in
      var taken = min(SealedFormat.headerSize - header.count, bytes.count)
      if taken > 0 {
        header.append(contentsOf: bytes[..<taken])
        if header.count == SealedFormat.headerSize { try takeHeader() }
      }
      let whole = SealedFormat.chunkSize + SealedFormat.tagSize
      while taken < bytes.count, !output.isFull {
        if chunk.count == whole { try open(isLast: false, into: output) }
        let more = min(whole - chunk.count, bytes.count - taken)
        chunk.append(contentsOf: bytes[taken..<taken + more])
        taken += more
      }
      return taken
    }
  }

  func finish(into output: TransformOutput) throws -> Bool {
    guard header.count == SealedFormat.headerSize else { throw Self.isCutOff }
    try open(isLast: true, into: output)
    return true
  }

  private func takeHeader() throws {
    guard header[0] == SealedFormat.version else {
      throw TransformError("it does not begin as an encrypted payload does")
    }
    let id = SealedFormat.keyID(in: header)
    guard let key = keys.key(id) else {
      let ids = keys.ids.map(String.init).joined(separator: ", ")
      throw TransformError("it is encrypted with key \(id), which is not among the keys given (\(ids))")
    }
    let origin = Array(header[1..<5 + SealedFormat.saltSize])
    if derived?.of != origin {
      derived = (origin, SealedFormat.derivedKey(key, salt: SealedFormat.salt(in: header), algorithm))
    }
    context = SealedFormat.context(header: header, record)
  }

  private func open(isLast: Bool, into output: TransformOutput) throws {
    guard chunk.count >= SealedFormat.tagSize else { throw Self.isCutOff }
    guard let derived, chunkNumber < UInt32.max else { throw Self.isNotGenuine }
    let nonce = SealedFormat.nonce(header: header, chunk: chunkNumber, isLast: isLast)
    do {
      try chunk.withUnsafeBytes {
        try algorithm.open($0, key: derived.key, nonce: nonce, authenticating: context, into: output)
      }
    } catch {
      throw Self.isNotGenuine
    }
    chunk.removeAll(keepingCapacity: true)
    chunkNumber += 1
  }

  private static var isCutOff: TransformError { TransformError("the encrypted payload is cut off") }

  private static var isNotGenuine: TransformError {
    TransformError(
      "it is not authentic: encrypted with another key, meant for another record, damaged, or cut off")
  }
}
