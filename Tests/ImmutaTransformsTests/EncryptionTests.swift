import Foundation
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// Who has the key reads what was written, where it was written; nobody else does, and nothing else is read.
@Suite("Encryption")
struct EncryptionTests {
  let bench: Workbench
  /// Bytes of an encrypted payload that are not the payload's.
  static let headerSize = 28
  static let sealedChunk = 65_536 + 16

  init() throws {
    bench = try Workbench()
  }

  /// The error of reading each record of the log; nil where it is read.
  private func failures(_ codec: Codec, namespace: String = Workbench.name) throws -> [String?] {
    let (storage, log) = try bench.open(codec, access: .readOnly, namespace: namespace)
    defer { storage.close() }
    var stream = log.stream(from: .beginning)
    return (0..<log.count).map { (number) -> String? in
      do {
        stream.position = number
        _ = try stream.nextAtOnce()
        return nil
      } catch ImmutaError.undecodable(let corruption) {
        #expect(corruption.sequence == number)
        #expect(corruption.index != nil && corruption.path == bench.directory.file("\(namespace).log"))
        return corruption.reason.description
      } catch {
        return "\(error)"
      }
    }
  }

  @Test(
    "A stored payload shows nothing of what was appended, and no two of them are alike", arguments: Codecs.encrypting)
  func secrecy(codec: Codec) throws {
    let payload = Array("attack at dawn, attack at dawn".utf8)
    try bench.write([payload, payload], codec)
    let stored = try bench.stored()
    #expect(stored.map(\.count) == [Self.headerSize + payload.count + 16, Self.headerSize + payload.count + 16])
    for bytes in stored { #expect(bytes.firstRange(of: "dawn".utf8) == nil) }
    #expect(stored[0].dropFirst(Self.headerSize) != stored[1].dropFirst(Self.headerSize))
  }

  @Test("Records of an old key are read beside those of a new one; without the old key they are told apart")
  func rotation() throws {
    let (old, new) = (Codecs.key(1), Codecs.key(2))
    try bench.write([Payloads.json(0)], .aes256GCM(KeyRing(old)))
    try bench.write([Payloads.json(1)], .aes256GCM(KeyRing(new, older: [old])))
    #expect(try failures(.aes256GCM(KeyRing(new, older: [old]))) == [nil, nil])
    #expect(try failures(.aes256GCM(KeyRing(old, older: [new]))) == [nil, nil])
    let withoutOld = try failures(.aes256GCM(KeyRing(new)))
    #expect(withoutOld[0]?.contains("key \(old.id)") == true && withoutOld[1] == nil)
    let withoutNew = try failures(.aes256GCM(KeyRing(old)))
    #expect(withoutNew[0] == nil && withoutNew[1]?.contains("key \(new.id)") == true)
  }

  @Test("Another key of the same id is found out, and says nothing of either")
  func wrongKey() throws {
    let right = try #require(EncryptionKey([UInt8](repeating: 1, count: 32), id: 7))
    let wrong = try #require(EncryptionKey([UInt8](repeating: 2, count: 32), id: 7))
    try bench.write([Payloads.json(0), []], .chaCha20Poly1305(KeyRing(right)))
    let failures = try failures(.chaCha20Poly1305(KeyRing(wrong)))
    #expect(failures.allSatisfy { $0?.contains("not authentic") == true })
    for text in ["\(right)", String(reflecting: right), "\(KeyRing(right))"] { #expect(!text.contains("1, 1")) }
    var dumped = ""
    dump(right, to: &dumped)
    #expect(!dumped.contains("1, 1") && !dumped.contains("0x0101"))
  }

  @Test("A record in another's place, or in another log, is found out", arguments: Codecs.encrypting)
  func moved(codec: Codec) throws {
    try bench.write((0..<4).map(Payloads.json), codec)
    var stored = try bench.stored()
    stored.swapAt(1, 2)
    try bench.writeStored(stored)
    let swapped = try failures(codec)
    #expect(swapped[0] == nil && swapped[1] != nil && swapped[2] != nil && swapped[3] == nil)
    stored.swapAt(1, 2)
    try bench.writeStored(stored, namespace: "other")
    #expect(try failures(codec, namespace: "other").allSatisfy { $0 != nil })
    try bench.writeStored(stored)
    #expect(try failures(codec).allSatisfy { $0 == nil })
  }

  @Test("A payload cut off anywhere, or with chunks moved or left out, is found out", arguments: Codecs.encrypting)
  func cutOff(codec: Codec) throws {
    // Three whole chunks and a bit.
    try bench.write([Payloads.random(3 * 65_536 + 100)], codec)
    let whole = try bench.stored()[0]
    let chunk = { (number: Int) in Self.headerSize + number * Self.sealedChunk }
    var forged: [[UInt8]] = [0, 1, 27, 28, 29, 43, 44, 45, whole.count - 1].map { Array(whole.prefix($0)) }
    for number in 1...3 { forged.append(Array(whole.prefix(chunk(number)))) }
    forged.append(Array(whole[..<chunk(0)] + whole[chunk(1)...]))
    forged.append(
      Array(whole[..<chunk(0)] + whole[chunk(1)..<chunk(2)] + whole[chunk(0)..<chunk(1)] + whole[chunk(2)...]))
    forged.append(whole + [0])
    forged.append(whole + whole[chunk(3)...])
    for bytes in forged {
      try bench.writeStored([bytes])
      #expect(try failures(codec) != [nil], "\(bytes.count) of \(whole.count) bytes")
    }
    try bench.writeStored([whole])
    #expect(try failures(codec) == [nil])
  }

  @Test("Each flipped bit of a stored payload is found out", arguments: Codecs.encrypting)
  func flipped(codec: Codec) throws {
    try bench.write([Payloads.json(0)], codec)
    let whole = try bench.stored()[0]
    var forged: [[UInt8]] = []
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << (bit % 8)
      forged.append(bytes)
    }
    for bytes in forged {
      try bench.writeStored([bytes])
      #expect(try failures(codec) != [nil])
    }
  }

  @Test("A number that is used again after a crash, with other bytes, has another nonce")
  func rolledBack() throws {
    let codec = Codec.aes256GCM(KeyRing(Codecs.key))
    var seen: Set<[UInt8]> = []
    // The same record number each time: rolled back within one opening, and the log put back between openings.
    for _ in 0..<3 {
      try bench.writeStored([])
      let (storage, log) = try bench.open(codec)
      for _ in 0..<3 {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
          try log.transaction { transaction in
            try transaction.append("draft")
            throw Stop()
          }
        }
      }
      try log.append("final")
      storage.close()
      let stored = try bench.stored()[0]
      #expect(seen.insert(Array(stored[5..<Self.headerSize])).inserted)
      // Three drafts went before: their counters are not used again.
      #expect(stored[21] == 4)
    }
  }

  @Test("A sealed record of the first version stays readable")
  func version() async throws {
    // Sealed once, by the format's description: AES-256-GCM, key of 32 bytes 0x01 with id 7, record 0 of “events”.
    let key = try #require(EncryptionKey([UInt8](repeating: 1, count: 32), id: 7))
    let codec = Codec.aes256GCM(KeyRing(key))
    try bench.writeStored([Self.sample])
    let (storage, log) = try bench.open(codec, access: .readOnly)
    defer { storage.close() }
    #expect(try await log.record(at: 0).text == "hello world")
  }

  /// Made with Python's `cryptography`, from the format's description.
  static let sample: [UInt8] = [
    0x01, 0x07, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
    0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x01, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x18, 0x4D, 0x2D, 0x63, 0xDF, 0x65, 0xFA, 0x40,
    0x8E, 0x29, 0xF2, 0xE6, 0x13, 0xC7, 0xB5, 0xFF, 0x8E, 0x51, 0xA9, 0xEE,
    0x91, 0x13, 0x52, 0xCB, 0x66, 0x51, 0xC9,
  ]

  /// Gives all files of the log another name.
  private func rename(to name: String) throws {
    for suffix in ["log", "idx", "meta"] {
      try FileManager.default.moveItem(
        atPath: bench.directory.file("\(Workbench.name).\(suffix)"), toPath: bench.directory.file("\(name).\(suffix)"))
    }
  }

  @Test("A log that got another name says which one it was sealed for, and does not blame the key")
  func renamed() throws {
    let codec = Codec.deflate().then(.aes256GCM(KeyRing(Codecs.key(1))))
    try bench.write([Payloads.json(0), Payloads.repetitive(3 << 20)], codec)
    try rename(to: "renamed")
    for reason in try failures(codec, namespace: "renamed") {
      #expect(reason?.contains("it was sealed for the namespace “\(Workbench.name)”") == true, "\(reason ?? "")")
      #expect(reason?.contains("“renamed” now") == true)
    }
    // Records sealed for two names in one log, nobody could read.
    let before = try FileBytes.read(bench.directory.file("renamed.log"))
    #expect {
      try bench.open(codec, namespace: "renamed").0.close()
    } throws: { "\($0)".contains("it was sealed for the namespace “\(Workbench.name)”") }
    #expect(try FileBytes.read(bench.directory.file("renamed.log")) == before)
    // Nothing else is bound to the name.
    bench.lose("meta", namespace: "renamed")
    for reason in try failures(codec, namespace: "renamed") {
      #expect(reason?.contains("was it renamed?") == true, "\(reason ?? "")")
    }
  }

  @Test("A log whose codec is not bound to its name may get another one")
  func renamedWithoutEncryption() throws {
    try bench.write([Payloads.json(0)], .deflate())
    try rename(to: "renamed")
    let (storage, log) = try bench.open(.deflate(), namespace: "renamed")
    defer { storage.close() }
    try log.append(Payloads.json(1))
    #expect(try log.records(in: 0..<2).map { Array($0.payload) } == [Payloads.json(0), Payloads.json(1)])
  }
}
