import Crypto
import Immuta

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What seals a chunk: an authenticated cipher with keys of 256 bits, nonces of 96 and tags of 128.
enum SealingAlgorithm: String, Sendable {
  case aes256GCM = "aes-256-gcm"
  case chaCha20Poly1305 = "chacha20-poly1305"

  var name: String { rawValue }

  /// Appends the sealed bytes, and the tag after them.
  func seal(
    _ plain: UnsafeRawBufferPointer, key: SymmetricKey, nonce: [UInt8], authenticating context: [UInt8],
    into output: TransformOutput
  ) throws {
    switch self {
    case .aes256GCM:
      let box = try AES.GCM.seal(
        plain, using: key, nonce: AES.GCM.Nonce(data: nonce), authenticating: context)
      output.append(box.ciphertext)
      output.append(box.tag)
    case .chaCha20Poly1305:
      let box = try ChaChaPoly.seal(
        plain, using: key, nonce: ChaChaPoly.Nonce(data: nonce), authenticating: context)
      output.append(box.ciphertext)
      output.append(box.tag)
    }
  }

  /// Appends what was sealed; throws when key, nonce, context or a bit of the bytes is another.
  func open(
    _ sealed: UnsafeRawBufferPointer, key: SymmetricKey, nonce: [UInt8], authenticating context: [UInt8],
    into output: TransformOutput
  ) throws {
    let size = sealed.count - SealedFormat.tagSize
    let cipher = UnsafeRawBufferPointer(rebasing: sealed[..<size])
    let tag = UnsafeRawBufferPointer(rebasing: sealed[size...])
    switch self {
    case .aes256GCM:
      let box = try AES.GCM.SealedBox(nonce: AES.GCM.Nonce(data: nonce), ciphertext: cipher, tag: tag)
      output.append(try AES.GCM.open(box, using: key, authenticating: context))
    case .chaCha20Poly1305:
      let box = try ChaChaPoly.SealedBox(nonce: ChaChaPoly.Nonce(data: nonce), ciphertext: cipher, tag: tag)
      output.append(try ChaChaPoly.open(box, using: key, authenticating: context))
    }
  }
}
