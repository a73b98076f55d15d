import Foundation
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// A log is opened with what it was written with, or not at all.
@Suite("A codec's name")
struct CodecNameTests {
  let bench: Workbench

  init() throws {
    bench = try Workbench()
  }

  @Test("Opening with another codec, or with none, is an error that names both")
  func mismatch() throws {
    let key = KeyRing(Codecs.key)
    let codecs: [Codec?] = [nil, .deflate(), .aes256GCM(key), .deflate().then(.aes256GCM(key))]
    for written in codecs {
      let bench = try Workbench()
      try bench.write([Payloads.json(0)], written)
      for opened in codecs {
        for access in [Storage.Access.readWrite, .readOnly] {
          if opened?.name == written?.name {
            try bench.open(opened, access: access).storage.close()
            continue
          }
          let error = #expect(throws: ImmutaError.self) { try bench.open(opened, access: access) }
          #expect(error == .codecMismatch(written: written?.name ?? "", opened: opened?.name ?? ""))
          for name in [written?.name ?? "no codec", opened?.name ?? "no codec"] {
            #expect(error?.description.contains(name) == true)
          }
        }
      }
    }
  }

  @Test("The two sides apart are known by the same name as the codec of them")
  func sides() async throws {
    let codec = Codec.deflate().then(.aes256GCM(KeyRing(Codecs.key)))
    var configuration = Storage.Configuration()
    configuration.writeTransform = Codec.deflate().writing.then(Codec.aes256GCM(KeyRing(Codecs.key)).writing)
    configuration.readTransform = Codec.aes256GCM(KeyRing(Codecs.key)).reading.then(Codec.deflate().reading)
    let storage = try Storage(
      directory: bench.directory.path, namespaces: [Workbench.name], configuration: configuration)
    try await storage.append("both ways", to: Workbench.name)
    storage.close()
    let (again, log) = try bench.open(codec)
    #expect(try await log.record(at: 0).text == "both ways")
    again.close()
    configuration.writeTransform = nil
    configuration.access = .readOnly
    let readers = try Storage(
      directory: bench.directory.path, namespaces: [Workbench.name], configuration: configuration)
    defer { readers.close() }
    #expect(try await readers.log(Workbench.name).record(at: 0).text == "both ways")
  }

  @Test("Without a companion a log is taken as whatever the opener says, and then known by it")
  func withoutCompanion() async throws {
    try bench.write([Payloads.json(0)], .deflate())
    try bench.writeStored(try bench.stored())
    try bench.open(.deflate()).storage.close()
    #expect(throws: ImmutaError.codecMismatch(written: "deflate", opened: "")) { try bench.open(nil) }
  }

  @Test("Repair keeps the name; where the companion's header is lost, the next who writes tells it")
  func repair() async throws {
    try bench.write([Payloads.json(0), Payloads.json(1)], .deflate())
    // A damaged COUNT needs repair.
    var log = try #require(try FileBytes.read(bench.logPath))
    log[0] = 77
    try FileBytes.write(log, to: bench.logPath)
    #expect(try Storage.repair(Workbench.name, in: bench.directory.path, applying: true).isApplied)
    #expect(throws: ImmutaError.codecMismatch(written: "deflate", opened: "")) { try bench.open(nil) }

    var companion = try #require(try FileBytes.read(bench.companionPath))
    companion.replaceSubrange(0..<4096, with: [UInt8](repeating: 0xA5, count: 4096))
    try FileBytes.write(companion, to: bench.companionPath)
    #expect(try Storage.repair(Workbench.name, in: bench.directory.path, applying: true).isApplied)
    let (storage, opened) = try bench.open(.deflate())
    try await opened.append("more")
    #expect(try opened.records(in: 0..<3).map(\.payload.count).count == 3)
    storage.close()
    #expect(throws: ImmutaError.codecMismatch(written: "deflate", opened: "")) { try bench.open(nil) }
  }

  @Test("Salvaging decodes, and encodes for the new place; what cannot be decoded is told")
  func salvage() async throws {
    let codec = Codec.deflate().then(.aes256GCM(KeyRing(Codecs.key(2), older: [Codecs.key(1)])))
    try bench.write([Payloads.json(0), Payloads.json(1)], .deflate().then(.aes256GCM(KeyRing(Codecs.key(1)))))
    try bench.write([Payloads.json(2), Payloads.repetitive(3_000_000), Payloads.json(4)], codec)
    var log = try #require(try FileBytes.read(bench.logPath))
    log[16 + 8 + 40] ^= 1
    try FileBytes.write(log, to: bench.logPath)
    #expect(throws: ImmutaError.self) {
      try Storage.salvage(Workbench.name, in: bench.directory.path, into: "raw")
    }
    let report = try Storage.salvage(
      Workbench.name, in: bench.directory.path, into: "whole", configuration: bench.configuration(codec))
    #expect(report.sound == 4 && report.lost.map(\.sequences) == [0..<1])
    let (storage, salvaged) = try bench.open(codec, namespace: "whole")
    #expect(try await salvaged.record(at: 0).payload.elementsEqual(Payloads.json(1)))
    #expect(holds(try await salvaged.record(at: 2).payload, Payloads.repetitive(3_000_000)))
    storage.close()
    // Without the old key its record is lost, too.
    let newOnly = Codec.deflate().then(.aes256GCM(KeyRing(Codecs.key(2))))
    let second = try Storage.salvage(
      Workbench.name, in: bench.directory.path, into: "part", configuration: bench.configuration(newOnly))
    #expect(second.sound == 3 && second.lost.map(\.sequences) == [0..<1, 1..<2])
    #expect(second.lost.last?.reason.description.contains("key \(Codecs.key(1).id)") == true)
  }

  @Test("Salvaging without a codec says so when nothing tells whether there was one")
  func salvageUntold() throws {
    try bench.write([Payloads.json(0)], .deflate())
    try bench.writeStored(try bench.stored())
    let raw = try Storage.salvage(Workbench.name, in: bench.directory.path, into: "raw")
    #expect(raw.actions.count == 2 && raw.description.contains("whether a codec was used"))
    let told = try Storage.salvage(
      Workbench.name, in: bench.directory.path, into: "told", configuration: bench.configuration(.deflate()))
    #expect(told.actions.count == 1)
    try bench.write([Payloads.json(0)], nil, namespace: "plain")
    #expect(try Storage.salvage("plain", in: bench.directory.path, into: "copy").actions.count == 1)
  }

  @Test("What cannot be a configuration is refused")
  func configuration() throws {
    var both = Storage.Configuration()
    both.codec = .deflate()
    both.readTransform = Codec.deflate().reading
    var nameless = Storage.Configuration()
    nameless.writeTransform = WholePayloadTransformer(name: "") { bytes, _ in bytes }
    nameless.readTransform = nameless.writeTransform
    var long = Storage.Configuration()
    long.writeTransform = WholePayloadTransformer(name: String(repeating: "x", count: 1025)) { bytes, _ in bytes }
    long.readTransform = long.writeTransform
    var limit = Storage.Configuration()
    limit.largestDecodedPayload = -1
    for configuration in [both, nameless, long, limit] {
      #expect(throws: ImmutaError.self) {
        try Storage(directory: bench.directory.path, namespaces: ["x"], configuration: configuration)
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.path).isEmpty)
  }

  @Test("One side without the other is refused, but for reading only, which needs no writing side")
  func oneSide() async throws {
    try bench.write([Payloads.json(0)], .deflate())
    var readSide = Storage.Configuration()
    readSide.readTransform = Codec.deflate().reading
    var writeSide = Storage.Configuration()
    writeSide.writeTransform = Codec.deflate().writing
    var deaf = writeSide
    deaf.access = .readOnly
    for configuration in [readSide, writeSide, deaf] {
      let error = #expect(throws: ImmutaError.self) {
        try Storage(directory: bench.directory.path, namespaces: [Workbench.name], configuration: configuration)
      }
      guard case .invalidConfiguration(let reason)? = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(reason.description.contains("readTransform") && reason.description.contains("writeTransform"))
    }
    readSide.access = .readOnly
    let readers = try Storage(
      directory: bench.directory.path, namespaces: [Workbench.name], configuration: readSide)
    defer { readers.close() }
    #expect(try await readers.log(Workbench.name).record(at: 0).payload.elementsEqual(Payloads.json(0)))
  }
}
