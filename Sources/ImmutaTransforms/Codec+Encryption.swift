public import Immuta

extension Codec {
  /// Encrypts with AES-256-GCM. Reading detects whether a payload was changed, cut off, or moved to another place.
  public static func aes256GCM(_ keys: KeyRing) -> Codec { sealed(with: .aes256GCM, keys) }

  /// The same with ChaCha20-Poly1305: for machines without AES instructions.
  public static func chaCha20Poly1305(_ keys: KeyRing) -> Codec { sealed(with: .chaCha20Poly1305, keys) }

  private static func sealed(with algorithm: SealingAlgorithm, _ keys: KeyRing) -> Codec {
    Codec(writing: Seal(algorithm: algorithm, keys: keys), reading: Unseal(algorithm: algorithm, keys: keys))
  }
}

private struct Seal: Transformer {
  let algorithm: SealingAlgorithm
  let keys: KeyRing
  var name: String { algorithm.name }

  func makeState() -> sending any TransformerState { SealState(algorithm, keys.current) }
}

private struct Unseal: Transformer {
  let algorithm: SealingAlgorithm
  let keys: KeyRing
  var name: String { algorithm.name }

  func makeState() -> sending any TransformerState { UnsealState(algorithm, keys) }
}
