import Crypto
import Immuta

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Transformers that Immuta doesn't bring: one around another library, here swift-crypto, and one written in ten lines.
@main
struct ThirdPartyTransform {
  static func main() async throws {
    let key = SymmetricKey(size: .bits256)
    var configuration = Storage.Configuration()
    configuration.codec = inverting.then(signed(with: key))

    // Each run has a key of its own, and so a log of its own.
    let namespace = "signed-\(UInt32.random(in: 0 ... .max))"
    let storage = try Storage(directory: "./log-data", namespaces: [namespace], configuration: configuration)
    defer { storage.close() }
    let receipt = try await storage.append("hello world", to: namespace)
    let record = try await storage.log(namespace).record(at: receipt.sequence)
    print("\(record.text): \(record.payload.count) bytes, \(receipt.size) with the signature")
  }

  /// A signature behind each payload, by a library that wants it whole: two closures.
  static func signed(with key: SymmetricKey) -> Codec {
    let writing = WholePayloadTransformer(name: "hmac-sha-256") { payload, _ in
      payload + Array(HMAC<SHA256>.authenticationCode(for: payload, using: key))
    }
    let reading = WholePayloadTransformer(name: "hmac-sha-256") { stored, _ in
      let (payload, code) = (stored.dropLast(SHA256.byteCount), stored.suffix(SHA256.byteCount))
      guard HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: payload, using: key) else {
        throw TransformError("its signature is not valid")
      }
      return Array(payload)
    }
    return Codec(writing: writing, reading: reading)
  }

  static let inverting = Codec(writing: Inversion(), reading: Inversion())
}

/// Works in pieces, so payloads may be of any size.
struct Inversion: Transformer {
  let name = "inversion"

  func makeState() -> sending any TransformerState { State() }

  final class State: TransformerState {
    func transform(_ input: RawSpan, into output: TransformOutput) -> Int {
      input.withUnsafeBytes { bytes in for byte in bytes { output.append(~byte) } }
      return input.byteCount
    }
  }
}
