import Foundation
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

extension LostCodecTests {
  @Test("A companion and a meta file of different logs are refused, and nothing is changed")
  func disagreement() throws {
    try bench.write([Payloads.json(0)], Self.right)
    try bench.write([Payloads.json(0)], Self.right, namespace: "other")
    try bench.write([Payloads.json(0)], .deflate(), namespace: "deflated")
    for other in ["other", "deflated"] {
      try FileBytes.write(
        try #require(try FileBytes.read(bench.directory.file("\(other).meta"))), to: bench.directory.file("events.meta")
      )
      for access in [Storage.Access.readWrite, .readOnly] {
        guard case .corrupted(let corruption)? = try refuses(Self.right, access: access) else {
          Issue.record("opened")
          continue
        }
        #expect(corruption.path.hasSuffix("events.meta") && corruption.reason.code == .metaFile)
      }
      #expect(throws: ImmutaError.self) { try Storage.repair(Workbench.name, in: bench.directory.path, applying: true) }
    }
    bench.lose("meta")
    try bench.write([Payloads.json(1)], Self.right)
  }

  @Test("A meta file of a newer version is refused by everything, which names both versions")
  func newerMeta() throws {
    try bench.write([Payloads.json(0)], Self.right)
    let slot = TwoSlots.encoded(magic: 0x4154_454D_4154_4D49, version: 7, generation: 2) { _ in }
    try FileBytes.write(slot + slot.map { _ in 0 }, to: bench.directory.file("events.meta"))
    let files = try FileManager.default.contentsOfDirectory(atPath: bench.directory.path).sorted()
    for access in [Storage.Access.readWrite, .readOnly] {
      let error = try #require(try refuses(Self.right, access: access))
      #expect(error.description.contains("version 7") && error.description.contains("up to 1"))
    }
    #expect(throws: ImmutaError.self) { try Storage.repair(Workbench.name, in: bench.directory.path, applying: true) }
    #expect(throws: ImmutaError.self) { try Storage.salvage(Workbench.name, in: bench.directory.path, into: "new") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.path).sorted() == files)
  }

  @Test("A damaged meta file is written again from the companion, and a torn one leaves the older slot")
  func damagedMeta() throws {
    try bench.write([Payloads.json(0)], Self.right)
    let path = bench.directory.file("events.meta")
    let whole = try #require(try FileBytes.read(path))
    #expect(whole.count == 4096)
    for damage in [[], Array(whole.prefix(100)), [UInt8](repeating: 0xA5, count: 4096)] {
      try FileBytes.write(damage, to: path)
      try bench.open(Self.right).storage.close()
      #expect(try FileBytes.read(path) == whole)
    }
  }

  @Test("Repair takes codec and identity from whichever is whole")
  func repair() throws {
    try bench.write([Payloads.json(0), Payloads.json(1)], Self.right)
    let identity = try identity()
    for lost in ["idx", "meta"] {
      bench.lose(lost)
      var log = try #require(try FileBytes.read(bench.logPath))
      log[0] = 77
      try FileBytes.write(log, to: bench.logPath)
      #expect(try Storage.repair(Workbench.name, in: bench.directory.path, applying: true).isApplied)
      #expect(try self.identity() == identity)
      #expect(try refuses(nil) == .codecMismatch(written: "aes-256-gcm", opened: ""))
      try bench.open(Self.right).storage.close()
    }
  }

  @Test("Checksums of an encrypted log are compared without its key, and the report says that nothing was decoded")
  func withoutKey() async throws {
    try bench.write([Payloads.json(0), Payloads.json(1)], Self.right)
    var configuration = bench.configuration(nil, access: .readOnly)
    configuration.deliversStoredPayloads = true
    let open = {
      try Storage(directory: bench.directory.path, namespaces: [Workbench.name], configuration: configuration)
    }
    let storage = try open()
    let report = try await storage.verify(Workbench.name)
    #expect(report.undecodedCodec == "aes-256-gcm" && report.verifiable == 2)
    #expect(report.description.contains("not decoded"))
    #expect(try storage.details(of: Workbench.name).codec == "aes-256-gcm")
    storage.close()
    var log = try #require(try FileBytes.read(bench.logPath))
    log[60] ^= 1
    try FileBytes.write(log, to: bench.logPath)
    let damaged = try open()
    await #expect(throws: ImmutaError.self) { try await damaged.verify(Workbench.name) }
    damaged.close()
    let (decoding, opened) = try bench.open(Self.right, access: .readOnly)
    #expect(try await storageReport(opened) == nil)
    decoding.close()
    configuration.access = .readWrite
    #expect(throws: ImmutaError.self) { try open() }
  }

  private func storageReport(_ log: Log) async throws -> VerificationReport? {
    do { return try await log.verify() } catch is ImmutaError { return nil }
  }

  @Test("A payload that was sealed in another version says so, and names both")
  func newerSeal() async throws {
    try bench.write([Payloads.json(0)], Self.right)
    var sealed = try bench.stored()
    sealed[0][0] = 2
    try bench.writeStored(sealed)
    let (storage, log) = try bench.open(Self.right, access: .readOnly)
    defer { storage.close() }
    let error = await #expect(throws: ImmutaError.self) { try await log.record(at: 0) }
    #expect(error?.description.contains("version 2") == true && error?.description.contains("version 1") == true)
  }
}
