import Foundation
public import Immuta
import ImmutaTestSupport
import ImmutaTransforms
public import Testing

/// The codecs that this build has.
enum Codecs {
  static let key = key(1)

  /// A key whose bytes are all the same; its id is its own.
  static func key(_ byte: UInt8) -> EncryptionKey {
    guard let key = EncryptionKey([UInt8](repeating: byte, count: 32)) else {
      preconditionFailure("32 bytes are a key")
    }
    return key
  }

  static var all: [Codec] { compressing + encrypting + [.deflate().then(.aes256GCM(KeyRing(key)))] }

  static var compressing: [Codec] {
    var codecs: [Codec] = [.deflate(), .deflate(level: 0), .deflate(level: 9)]
    #if Zstd
      codecs += [.zstd(), .zstd(level: 19)]
    #endif
    #if LZ4
      codecs += [.lz4(), .lz4(level: 9)]
    #endif
    return codecs
  }

  static var encrypting: [Codec] { [.aes256GCM(KeyRing(key)), .chaCha20Poly1305(KeyRing(key))] }
}

extension Codec: CustomTestStringConvertible {
  /// The name.
  public var testDescription: String { name }
}

/// A directory in memory, and what is done with its one log.
final class Workbench {
  let directory: TemporaryDirectory
  static let name = "events"

  init() throws {
    directory = TemporaryDirectory(inMemory: true)
  }

  var logPath: String { directory.file("\(Self.name).log") }
  var companionPath: String { directory.file("\(Self.name).idx") }

  func configuration(_ codec: Codec?, limit: Int? = nil, access: Storage.Access = .readWrite) -> Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.codec = codec
    configuration.access = access
    if let limit { configuration.largestDecodedPayload = limit }
    return configuration
  }

  func open(
    _ codec: Codec?, limit: Int? = nil, access: Storage.Access = .readWrite, namespace: String = name
  ) throws -> (storage: Storage, log: Log) {
    let storage = try Storage(
      directory: directory.path, namespaces: [namespace],
      configuration: configuration(codec, limit: limit, access: access))
    return (storage, try storage.log(namespace))
  }

  /// A closed log of these payloads.
  func write(_ payloads: [[UInt8]], _ codec: Codec?, namespace: String = name) throws {
    let (storage, log) = try open(codec, namespace: namespace)
    defer { storage.close() }
    for payload in payloads { try log.append(payload) }
  }

  /// The stored bytes of each record of a closed log.
  func stored(_ namespace: String = name) throws -> [[UInt8]] {
    let bytes = try #require(try FileBytes.read(directory.file("\(namespace).log")))
    return payloads(in: bytes)
  }

  /// Removes a file beside the log, if it is there.
  func lose(_ suffix: String, namespace: String = name) {
    try? FileManager.default.removeItem(atPath: directory.file("\(namespace).\(suffix)"))
  }

  /// Makes a log of these stored bytes, as another program would: without a companion.
  func writeStored(_ payloads: [[UInt8]], namespace: String = name) throws {
    try FileBytes.write(logBytes(payloads), to: directory.file("\(namespace).log"))
    for suffix in ["idx", "meta"] { lose(suffix, namespace: namespace) }
  }
}

/// The payloads in a log file's bytes.
private func payloads(in bytes: [UInt8]) -> [[UInt8]] {
  var payloads: [[UInt8]] = []
  var index = 16
  for _ in 0..<integer(bytes, at: 0) {
    let size = integer(bytes, at: index)
    payloads.append(Array(bytes[index + 8..<index + 8 + size]))
    index += 8 + size
  }
  return payloads
}

/// Payloads of many sizes: none, few, around the transformers' pieces, and larger than what is held.
enum Payloads {
  static let sizes = [0, 1, 7, 100, 4096, 65_535, 65_536, 65_537, 131_072, 262_144, 1 << 20, (1 << 20) + 1, 3_000_000]

  static func random(_ size: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed &+ UInt64(size))
    var words = [UInt64](repeating: 0, count: (size + 7) / 8)
    for position in words.indices { words[position] = generator.next() }
    return words.withUnsafeBytes { Array($0.prefix(size)) }
  }

  static func repetitive(_ size: Int) -> [UInt8] {
    let line = Array(#"{"time":"2026-01-01T00:00:00Z","user":17,"event":"click"}"#.utf8)
    var bytes: [UInt8] = []
    while bytes.count < size { bytes += line }
    return Array(bytes.prefix(size))
  }

  static func json(_ number: Int) -> [UInt8] {
    let user = number * 7919 % 1009
    return Array(
      #"{"sequence":\#(number),"user":"user-\#(user)","event":"page.viewed","path":"/products/\#(number % 97)","ok":true}"#
        .utf8)
  }
}
