import Foundation
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// The files beside a log are taken away, one or both: what is left of the knowledge how it was written is enough, or
/// nothing is appended.
@Suite struct LossTests {
  private struct Opener {
    let name: String
    let codec: Codec?
    let isWrongKey: Bool

    init(_ name: String, _ codec: Codec?, isWrongKey: Bool = false) {
      (self.name, self.codec, self.isWrongKey) = (name, codec, isWrongKey)
    }
  }

  private static func key(_ byte: UInt8) -> KeyRing {
    guard let key = EncryptionKey([UInt8](repeating: byte, count: 32)) else { preconditionFailure("a key") }
    return KeyRing(key)
  }

  private static let openers = [
    Opener("none", nil), Opener("deflate", .deflate()), Opener("sealed", .aes256GCM(key(1))),
    Opener("deflate and sealed", .deflate().then(.aes256GCM(key(1)))),
    Opener("sealed with another key", .aes256GCM(key(2)), isWrongKey: true),
  ]

  @Test func aLogIsExtendedAsItWasWrittenOrNotAtAll() async throws {
    try await Rounds.run(default: 2, "lost companions") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      for written in Self.openers where !written.isWrongKey {
        for lost in [[], ["idx"], ["meta"], ["idx", "meta"]] {
          // Not numbered: two bytes that begin with a 3 are a whole stream of DEFLATE.
          let payloads = (0..<Int.random(in: 1...9, using: &generator)).map { _ in
            Content(identity: generator.next(), size: Int.random(in: 0...300, using: &generator)).bytes
          }
          for opener in Self.openers {
            do {
              try await Self.trial(written, opener, lost, payloads, directory)
            } catch {
              throw Finding("\(error)\nwritten with \(written.name), opened with \(opener.name), lost: \(lost)")
            }
          }
        }
      }
    }
  }

  private static func open(_ codec: Codec?, _ directory: TemporaryDirectory) throws -> Storage {
    var configuration = Storage.Configuration()
    configuration.codec = codec
    return try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
  }

  private static func append(_ payloads: [[UInt8]], _ codec: Codec?, _ directory: TemporaryDirectory) throws {
    let storage = try open(codec, directory)
    defer { storage.close() }
    let log = try storage.log("events")
    for payload in payloads { try log.append(payload) }
  }

  private static func trial(
    _ written: Opener, _ opener: Opener, _ lost: [String], _ payloads: [[UInt8]], _ directory: TemporaryDirectory
  ) async throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) { unlink(directory.file(name)) }
    try append(payloads, written.codec, directory)
    for suffix in lost { unlink(directory.file("events.\(suffix)")) }
    let isCompanionLost = lost.contains("idx")
    let isNamed = !isCompanionLost || (written.codec != nil && !lost.contains("meta"))
    let isSameName = opener.codec?.name == written.codec?.name
    let before = try FileBytes.read(directory.file("events.log"))
    let isRefused: Bool
    do {
      try open(opener.codec, directory).close()
      isRefused = false
    } catch ImmutaError.codecMismatch where isNamed && !isSameName {
      isRefused = true
    } catch ImmutaError.codecUnknown where isCompanionLost || opener.isWrongKey {
      isRefused = true
    }
    guard try FileBytes.read(directory.file("events.log")) == before else { throw Finding("opening changed the log") }
    // Nothing tells raw DEFLATE from what was appended just so, sealed or not.
    let cannotBeTold =
      !isNamed
      && (written.name == "deflate" && opener.codec == nil
        || written.name == "deflate and sealed" && opener.name == "sealed")
    if cannotBeTold { return }
    // The names do not tell one key from another: the records do.
    let isRight = isSameName && !opener.isWrongKey
    guard isRefused != isRight else { throw Finding(isRefused ? "it is refused" : "it is opened") }
    guard !opener.isWrongKey else { return }
    try append([Array("more".utf8)], written.codec, directory)
    let storage = try open(written.codec, directory)
    defer { storage.close() }
    let log = try storage.log("events")
    let found = try log.records(in: 0..<log.count).map { Array($0.payload) }
    guard found == payloads + [Array("more".utf8)] else { throw Finding("it holds other records") }
    let verifiable = isCompanionLost ? 1 : log.count
    let reports = (try log.details.verifiable, try await log.verify().verifiable)
    guard reports == (verifiable, verifiable) else { throw Finding("\(reports) are verifiable, not \(verifiable)") }
  }
}
