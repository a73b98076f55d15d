import Crypto
import Immuta

/// Decrypts payloads, and checks that they are as they were encrypted, for this place: see ``SealedFormat``.
final class UnsealState: TransformerState {
  private let algorithm: SealingAlgorithm
  private let keys: KeyRing
  private var record = RecordContext(namespace: "", sequence: 0)
  // Each keeps its memory from record to record.
  /// The record's header, and after it, once it is complete, the rest of what chunks authenticate.
  private var context: [UInt8] = []
  private var nonce = [UInt8](repeating: 0, count: SealedFormat.nonceSize)
  /// Sealed bytes of the chunk that is not opened yet. A full one waits for more, which says that it is not the last.
  private var chunk: [UInt8] = []
  private var chunkNumber: UInt32 = 0
  /// The record's key.
  private var key: SymmetricKey?
  /// The keys derived last, and from what: a writer writes many records with one salt, or takes turns with a few others.
  private var derived: [(of: [UInt8], key: SymmetricKey)] = []
  private var nextDerived = 0
  private static let mostDerived = 8

  init(_ algorithm: SealingAlgorithm, _ keys: KeyRing) {
    self.algorithm = algorithm
    self.keys = keys
  }

  func begin(_ record: RecordContext) {
    self.record = record
    context.removeAll(keepingCapacity: true)
    key = nil
    chunk.removeAll(keepingCapacity: true)
    chunkNumber = 0
  }

  func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
    try input.withUnsafeBytes { bytes in
      var taken = 0
      if key == nil {
        taken = min(SealedFormat.headerSize - context.count, bytes.count)
        context.append(contentsOf: bytes[..<taken])
        if context.count == SealedFormat.headerSize { try takeHeader() }
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
    try open(isLast: true, into: output)
    return true
  }

  private func takeHeader() throws {
    guard context[0] == SealedFormat.version else {
      throw TransformError(
        "it is sealed in version \(context[0]), and this library knows version \(SealedFormat.version): use a newer version "
          + "of the library; or it was never encrypted")
    }
    let id = SealedFormat.keyID(in: context)
    guard let secret = keys.key(id) else {
      let ids = keys.ids.map(String.init).joined(separator: ", ")
      throw TransformError("it is encrypted with key \(id), which is not among the keys given (\(ids))")
    }
    key = derivedKey(secret)
    SealedFormat.append(record, to: &context)
  }

  private func derivedKey(_ secret: EncryptionKey) -> SymmetricKey {
    let origin = context[1..<5 + SealedFormat.saltSize]
    if let known = derived.first(where: { $0.of.elementsEqual(origin) }) { return known.key }
    let new = (Array(origin), SealedFormat.derivedKey(secret, salt: SealedFormat.salt(in: context), algorithm))
    if derived.count < Self.mostDerived {
      derived.append(new)
    } else {
      derived[nextDerived] = new
      nextDerived = (nextDerived + 1) % Self.mostDerived
    }
    return new.1
  }

  private func open(isLast: Bool, into output: TransformOutput) throws {
    guard let key, chunk.count >= SealedFormat.tagSize else { throw Self.isCutOff }
    guard chunkNumber < UInt32.max else { throw Self.isNotGenuine }
    SealedFormat.setNonce(&nonce, header: context, chunk: chunkNumber, isLast: isLast)
    do {
      try chunk.withUnsafeBytes {
        try algorithm.open($0, key: key, nonce: nonce, authenticating: context, into: output)
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
      "it is not authentic: encrypted with another key, meant for another record or a log of another name (was it "
        + "renamed?), damaged, or cut off")
  }
}
