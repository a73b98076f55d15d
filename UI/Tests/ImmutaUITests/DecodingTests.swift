import ArgumentParser
import Foundation
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

@testable import ImmutaUI

@Suite("What is shown of compressed and encrypted records")
struct DecodingTests {
  var site = Site()

  /// Long enough to be compressed.
  private let text = String(repeating: "what was appended ", count: 20)

  private func append(to name: String, _ codec: Codec?) async throws {
    var configuration = Storage.Configuration()
    configuration.codec = codec
    let storage = try site.writer(name, configuration: configuration)
    for _ in 0..<3 { try await storage.append(text, to: name) }
    try await storage.shutdown()
  }

  private func key(_ file: String, _ key: EncryptionKey, rights: Int = 0o600) throws -> String {
    try site.directory.write(key.bytes, to: file)
    try FileManager.default.setAttributes([.posixPermissions: rights], ofItemAtPath: site.directory.file(file))
    return site.directory.file(file)
  }

  private func decoding(_ arguments: String...) throws -> Decoding {
    try DecodingOptions.parse(arguments).decoding()
  }

  /// What the page would show of a log.
  private func shown(_ name: String) async throws -> (shown: String?, why: String?, text: String?) {
    try await site.serve { client in
      let log = try #require(try await client.get("/api/namespaces/\(name)").json["log"] as? [String: Any])
      let listed = try #require(try await client.get("/api/namespaces").json["namespaces"] as? [[String: Any]])
      let same = listed.first { $0["name"] as? String == name }
      #expect(same?["shown"] as? String == log["shown"] as? String)
      let record = try await client.get("/api/namespaces/\(name)/records/1").json
      return (log["shown"] as? String, log["whyStored"] as? String, record["text"] as? String)
    }
  }

  @Test("A log that was compressed is decoded by the codec's name beside it, everywhere")
  func compressed() async throws {
    try await append(to: "events", .deflate())
    let found = try await shown("events")
    #expect(found.shown == "decoded" && found.why == nil && found.text == text)
    try await site.serve { client in
      let path = "/api/namespaces/events"
      let records = try await client.get("\(path)/records").records
      #expect(records.allSatisfy { $0["text"] as? String == text })
      #expect(try await client.get("\(path)/records/0/payload").text == text)
      let found = try await client.get("\(path)/search?text=was%20app").json["found"] as? [Any]
      #expect(found?.count == 3)
      #expect(records.allSatisfy { $0["size"] as? Int == text.utf8.count })
      // As stored: they are counted without decoding them.
      let stored = try await client.get("\(path)/sizes").json["largest"] as? Int
      #expect(try #require(stored) < text.utf8.count && records[0]["storedSize"] as? Int == stored)
    }
  }

  @Test("--codec none shows what is stored, and says so")
  mutating func none() async throws {
    try await append(to: "events", .deflate())
    site.decoding = try decoding("--codec", "none")
    let found = try await shown("events")
    #expect(found.shown == "stored" && found.text != text && found.why == "--codec none asks for it")
    try await append(to: "plain", nil)
    let plain = try await shown("plain")
    #expect(plain.shown == "appended" && plain.text == text)
  }

  @Test("Encrypted records are shown as stored without the key, and decoded with it")
  mutating func encrypted() async throws {
    let (one, other) = (EncryptionKey.random(), EncryptionKey.random())
    try await append(to: "secret", Codec.deflate().then(.aes256GCM(KeyRing(one))))
    try await append(to: "chacha", .chaCha20Poly1305(KeyRing(other)))
    try await append(to: "plain", nil)
    var found = try await shown("secret")
    #expect(found.shown == "stored" && found.text == nil)
    #expect(found.why == "it is encrypted: start immuta-ui with its key, by --key-file, to see what was appended")
    site.decoding = try decoding("--key-file", key("one.key", one), "--key-file", key("other.key", other))
    for name in ["secret", "chacha"] {
      found = try await shown(name)
      #expect(found.shown == "decoded" && found.text == text, "\(name)")
    }
    // A key is for those logs that need one.
    found = try await shown("plain")
    #expect(found.shown == "appended" && found.text == text)
  }

  @Test("With a wrong key a record says so, and the live view goes on after it")
  mutating func wrongKey() async throws {
    try await append(to: "secret", .aes256GCM(KeyRing(.random())))
    site.decoding = try decoding("--key-file", key("wrong.key", .random()))
    try await site.serve { client in
      let records = try await client.get("/api/namespaces/secret/records").records
      #expect(records.count == 3 && records.allSatisfy { ($0["error"] as? String)?.contains("key") == true })
      let wire = try Wire(port: try #require(client.port))
      try wire.send("GET /api/namespaces/secret/tail?from=0 HTTP/1.1", "Host: 127.0.0.1")
      try wire.wait(for: "\"error\":", times: 3)
      #expect(wire.received.contains("id: 2") && !wire.received.contains("event: failure"))
    }
  }

  @Test("A codec that nobody here knows is shown as stored, with its name")
  func unknown() async throws {
    let turn = WholePayloadTransformer(name: "turn") { bytes, _ in bytes.map { ~$0 } }
    try await append(to: "events", Codec.deflate().then(Codec(writing: turn, reading: turn)))
    let found = try await shown("events")
    #expect(found.shown == "stored" && found.why == "this program does not know the codec “deflate + turn”")
  }

  @Test("Of a log without a codec's name beside it, the options say how to decode it")
  mutating func nameless() async throws {
    let secret = EncryptionKey.random()
    try await append(to: "secret", .aes256GCM(KeyRing(secret)))
    try await append(to: "small", .deflate())
    for name in ["secret", "small"] {
      for suffix in ["idx", "meta"] {
        try? FileManager.default.removeItem(atPath: site.directory.file("\(name).\(suffix)"))
      }
    }
    var found = try await shown("secret")
    #expect(found.shown == "stored" && found.why?.contains("nothing beside the log says how") == true)
    site.decoding = try decoding("--key-file", key("a.key", secret))
    found = try await shown("secret")
    #expect(found.shown == "decoded" && found.text == text)
    site.decoding = try decoding("--codec", "deflate")
    found = try await shown("small")
    #expect(found.shown == "decoded" && found.text == text)
  }

  @Test("A record that would come to more than the limit says so")
  mutating func limit() async throws {
    try await append(to: "events", .deflate())
    site.decoding = try decoding("--decoded-limit", "100")
    try await site.serve { client in
      let records = try await client.get("/api/namespaces/events/records").records
      #expect(records.count == 3 && records.allSatisfy { $0["error"] != nil && $0["text"] == nil })
    }
  }

  @Test("What is not built in is said")
  func notBuilt() throws {
    #if !LZ4
      let error = #expect(throws: Decoding.Missing.self) { try Decoding().codec(named: "lz4") }
      #expect(error?.reason.contains("--traits LZ4") == true)
      #expect(throws: Failure.self) { try decoding("--codec", "lz4") }
    #endif
    #if Zstd
      #expect(try Decoding().codec(named: "zstd").name == "zstd")
    #endif
  }

  @Test("Key files that hold no key, are of others, or are the same are refused, and no message shows them")
  func keyFiles() throws {
    let directory = site.directory
    let secret = EncryptionKey.random()
    let good = try key("good", secret)
    #expect(try KeyFile.read(good).id == secret.id)
    let digits = secret.bytes.map { String(0x100 + Int($0), radix: 16).dropFirst() }.joined()
    try directory.write(Array("\(digits)\n".utf8), to: "digits")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: directory.file("digits"))
    #expect(try KeyFile.read(directory.file("digits")).id == secret.id)
    let open = try key("open", secret, rights: 0o640)
    let refusal = #expect(throws: Failure.self) { try KeyFile.read(open) }
    #expect(refusal?.message.contains("chmod 600") == true)
    for (name, bytes) in [
      ("short", Array(secret.bytes.dropLast())), ("long", secret.bytes + [0]), ("text", Array(digits.dropLast().utf8)),
    ] {
      try directory.write(bytes, to: name)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: directory.file(name))
      let error = #expect(throws: Failure.self) { try KeyFile.read(directory.file(name)) }
      #expect(error?.message.contains("holds no key") == true && error?.message.contains(digits.prefix(8)) == false)
    }
    #expect(throws: Failure.self) { try KeyFile.read(directory.file("none")) }
    #expect(throws: Failure.self) { try decoding("--key-file", good, "--key-file", directory.file("digits")) }
  }

  @Test(
    "Options that make no sense are refused",
    arguments: [
      ["--codec", "gzip"], ["--codec", "none", "--key-file", "k"], ["--cipher", "aes-256-gcm"],
      ["--decoded-limit", "-1"],
      ["--cipher", "rot13", "--key-file", "k"],
    ])
  func refused(arguments: [String]) {
    #expect(throws: (any Error).self) { try ImmutaUI.parse(arguments) }
  }
}
