import Crypto
import Immuta

/// Encrypts payloads: see ``SealedFormat``.
final class SealState: TransformerState {
  private let algorithm: SealingAlgorithm
  private let key: EncryptionKey
  private var salt = [UInt8](repeating: 0, count: SealedFormat.saltSize)
  private var derived = SymmetricKey(size: .bits256)
  /// Records begun with this salt. It never goes down, so no nonce comes twice.
  private var counter: UInt64 = SealedFormat.mostRecords
  // Each keeps its memory from record to record.
  private var context: [UInt8] = []
  private var nonce = [UInt8](repeating: 0, count: SealedFormat.nonceSize)
  /// Bytes of the chunk that is not sealed yet. A full one waits for more, which says that it is not the last.
  private var chunk: [UInt8] = []
  private var chunkNumber: UInt32 = 0

  init(_ algorithm: SealingAlgorithm, _ key: EncryptionKey) {
    self.algorithm = algorithm
    self.key = key
  }

  func begin(_ record: RecordContext) {
    if counter >= SealedFormat.mostRecords { drawSalt() }
    counter += 1
    context.removeAll(keepingCapacity: true)
    SealedFormat.appendHeader(key: key.id, salt: salt, counter: counter, to: &context)
    SealedFormat.append(record, to: &context)
    chunk.removeAll(keepingCapacity: true)
    chunkNumber = 0
  }

  private func drawSalt() {
    var generator = SystemRandomNumberGenerator()
    for position in salt.indices { salt[position] = .random(in: 0...255, using: &generator) }
    derived = SealedFormat.derivedKey(key, salt: salt, algorithm)
    counter = 0
  }

  func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
    try input.withUnsafeBytes { bytes in
      var taken = 0
      while taken < bytes.count, !output.isFull {
        if chunk.count == SealedFormat.chunkSize { try seal(isLast: false, into: output) }
        let more = min(SealedFormat.chunkSize - chunk.count, bytes.count - taken)
        chunk.append(contentsOf: bytes[taken..<taken + more])
        taken += more
      }
      return taken
    }
  }

  func finish(into output: TransformOutput) throws -> Bool {
    try seal(isLast: true, into: output)
    return true
  }

  private func seal(isLast: Bool, into output: TransformOutput) throws {
    guard chunkNumber < UInt32.max else { throw TransformError("it is too large to be encrypted as one record") }
    if chunkNumber == 0 { output.append(context[..<SealedFormat.headerSize]) }
    SealedFormat.setNonce(&nonce, header: context, chunk: chunkNumber, isLast: isLast)
    try chunk.withUnsafeBytes {
      try algorithm.seal($0, key: derived, nonce: nonce, authenticating: context, into: output)
    }
    chunk.removeAll(keepingCapacity: true)
    chunkNumber += 1
  }
}
