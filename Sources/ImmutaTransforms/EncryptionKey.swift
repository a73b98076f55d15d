import Crypto

/// A secret of 256 bits, and the number that each record encrypted with it stores.
///
/// Neither its description nor a dump of it shows the secret.
public struct EncryptionKey: Sendable {
  /// The number stored with each record. Not secret.
  public let id: UInt32
  let secret: SymmetricKey

  /// Bytes of a key.
  public static var size: Int { 32 }

  /// A key from its 32 bytes; nil for any other number of them.
  ///
  /// - Parameters:
  ///   - bytes: random bytes: from ``random(id:)``, a key management service, or `/dev/urandom`. Not a password.
  ///   - id: the key's number in records; by default 32 bits of a hash of it, so that you need not number keys.
  public init?(_ bytes: some Collection<UInt8>, id: UInt32? = nil) {
    guard bytes.count == Self.size else { return nil }
    // No copy remains if the bytes are contiguous: SymmetricKey wipes its own.
    let key = bytes.withContiguousStorageIfAvailable { SymmetricKey(data: UnsafeRawBufferPointer($0)) }
    secret = key ?? SymmetricKey(data: Array(bytes))
    self.id = id ?? Self.fingerprint(secret)
  }

  /// A new random key. Keep its ``bytes``: without them nothing that it encrypts is ever read again.
  public static func random(id: UInt32? = nil) -> EncryptionKey {
    let bytes = SymmetricKey(size: .bits256).withUnsafeBytes { [UInt8]($0) }
    guard let key = EncryptionKey(bytes, id: id) else { preconditionFailure("256 bits are 32 bytes") }
    return key
  }

  /// The secret itself.
  public var bytes: [UInt8] { secret.withUnsafeBytes { [UInt8]($0) } }

  private static func fingerprint(_ secret: SymmetricKey) -> UInt32 {
    var hash = SHA256()
    hash.update(data: Array("immuta key id".utf8))
    secret.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return hash.finalize().prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }
}

extension EncryptionKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The id.
  public var description: String { "key \(id)" }
  /// The id.
  public var debugDescription: String { description }
  /// The id alone.
  public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// The keys of a log: one for new records, and the keys that older records were encrypted with.
///
/// To rotate keys, open the log with a new key first and the old ones after it. Old records are not encrypted again.
public struct KeyRing: Sendable {
  /// The key that new records are encrypted with.
  public let current: EncryptionKey
  private let keys: [UInt32: EncryptionKey]

  /// A ring. Traps when two different keys have the same id: a record could not say which one it needs.
  ///
  /// - Parameters:
  ///   - current: encrypts new records.
  ///   - older: decrypt older records.
  public init(_ current: EncryptionKey, older: [EncryptionKey] = []) {
    self.current = current
    keys = Dictionary(([current] + older).map { ($0.id, $0) }) { one, other in
      precondition(one.secret == other.secret, "two keys have the id \(one.id); give each its own")
      return one
    }
  }

  /// The ids of all keys, ascending.
  public var ids: [UInt32] { keys.keys.sorted() }

  func key(_ id: UInt32) -> EncryptionKey? { keys[id] }
}
