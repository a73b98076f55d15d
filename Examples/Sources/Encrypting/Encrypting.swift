import Immuta
import ImmutaTransforms

/// Compresses and then encrypts; then changes the key, and still reads what the old one encrypted.
@main
struct Encrypting {
  /// Each run has keys of its own, and so a log of its own.
  static let namespace = "secrets-\(UInt32.random(in: 0 ... .max))"

  static func main() async throws {
    // In earnest: 32 bytes from where secrets are kept, `EncryptionKey(bytes)`.
    let january = EncryptionKey.random()
    try await append("order placed", with: KeyRing(january))

    let february = EncryptionKey.random()
    try await append("invoice sent", with: KeyRing(february, older: [january]))

    // Without January's key its record is an error that says so; the others are read.
    let (storage, log) = try open(with: KeyRing(february))
    defer { storage.close() }
    var stream = log.stream()
    while stream.position < log.count {
      do {
        if let record = try await stream.next() { print(record.sequence, record.text) }
      } catch ImmutaError.undecodable(let record) {
        print(record.sequence ?? 0, record.reason)
        stream.position += 1
      }
    }
  }

  static func open(with keys: KeyRing) throws -> (Storage, Log) {
    var configuration = Storage.Configuration()
    configuration.codec = .deflate().then(.aes256GCM(keys))
    let storage = try Storage(directory: "./log-data", namespaces: [namespace], configuration: configuration)
    return (storage, try storage.log(namespace))
  }

  static func append(_ text: String, with keys: KeyRing) async throws {
    let (storage, log) = try open(with: keys)
    defer { storage.close() }
    try await log.append(text)
    for record in try log.records(in: 0..<log.count) { print(record.sequence, record.text) }
  }
}
