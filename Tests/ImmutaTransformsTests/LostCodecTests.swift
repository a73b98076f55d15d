import Foundation
import Immuta
import ImmutaTestSupport
import ImmutaTransforms
import Testing

/// A log whose companion, meta file, or both are gone is read and extended with the codec that it was written with, or not
/// at all.
@Suite("What says how a log was written")
struct LostCodecTests {
  let bench: Workbench
  static let right = Codec.aes256GCM(KeyRing(Codecs.key(1)))
  static let wrong = Codec.aes256GCM(KeyRing(Codecs.key(2)))

  init() throws {
    bench = try Workbench()
  }

  func identity() throws -> LogIdentity? {
    let bytes = try #require(try FileBytes.read(bench.companionPath))
    return bytes.withUnsafeBytes { CompanionHeader.current(in: UnsafeRawBufferPointer(rebasing: $0[..<4096])) }?
      .identity
  }

  /// Whether a byte of the log has changed meanwhile.
  func refuses(_ codec: Codec?, access: Storage.Access = .readWrite) throws -> ImmutaError? {
    let before = try FileBytes.read(bench.logPath)
    do {
      try bench.open(codec, access: access).storage.close()
      return nil
    } catch let error as ImmutaError {
      #expect(try FileBytes.read(bench.logPath) == before)
      return error
    }
  }

  @Test("Either of companion and meta file may be lost: the codec is still known, and the log keeps its identity")
  func oneLost() throws {
    for lost in ["idx", "meta"] {
      let bench = try Workbench()
      let test = Self(bench: bench)
      try bench.write([Payloads.json(0)], Self.right)
      let identity = try test.identity()
      bench.lose(lost)
      let mismatch = ImmutaError.codecMismatch(written: "aes-256-gcm", opened: "")
      #expect(try test.refuses(nil) == mismatch && test.refuses(nil, access: .readOnly) == mismatch)
      try bench.write([Payloads.json(1)], Self.right)
      #expect(try test.identity() == identity && identity != nil)
      #expect(FileManager.default.fileExists(atPath: bench.directory.file("events.meta")))
      let (storage, log) = try bench.open(Self.right, access: .readOnly)
      #expect(try log.records(in: 0..<2).map { Array($0.payload) } == [Payloads.json(0), Payloads.json(1)])
      storage.close()
    }
  }

  private init(bench: Workbench) { self.bench = bench }

  @Test("A log without a codec has no meta file")
  func plain() throws {
    try bench.write([Payloads.json(0)], nil)
    #expect(!FileManager.default.fileExists(atPath: bench.directory.file("events.meta")))
    #expect(try Storage.namespaces(in: bench.directory.path) == ["events"])
    try bench.write([Payloads.json(0)], Self.right, namespace: "sealed")
    #expect(try Storage.namespaces(in: bench.directory.path) == ["events", "sealed"])
  }

  @Test("Encrypted records are recognised when both are lost: nothing is appended without the right key")
  func bothLost() throws {
    for codec in [Self.right, .deflate().then(Self.right), .chaCha20Poly1305(KeyRing(Codecs.key(1)))] {
      let bench = try Workbench()
      let test = Self(bench: bench)
      try bench.write([Payloads.json(0), [], Payloads.json(2)], codec)
      for suffix in ["idx", "meta"] { bench.lose(suffix) }
      for access in [Storage.Access.readWrite, .readOnly] {
        guard case .codecUnknown(_, let reason)? = try test.refuses(nil, access: access) else {
          Issue.record("opened without a key")
          continue
        }
        #expect(reason.contains("encrypted"))
      }
      guard case .codecUnknown(_, let reason)? = try test.refuses(Self.wrong) else {
        Issue.record("opened with the wrong key")
        continue
      }
      #expect(reason.contains("cannot read it"))
      try bench.write([Payloads.json(3)], codec)
      let (storage, log) = try bench.open(codec, access: .readOnly)
      #expect(log.count == 4)
      #expect(try log.records(in: 3..<4).map { Array($0.payload) } == [Payloads.json(3)])
      storage.close()
    }
  }

  @Test("The wrong key is refused where the companion is lost and the meta file only knows the codec's name")
  func wrongKey() throws {
    try bench.write([Payloads.json(0)], Self.right)
    bench.lose("idx")
    guard case .codecUnknown? = try refuses(Self.wrong) else {
      Issue.record("opened with the wrong key")
      return
    }
  }

  @Test("With its companion, too, a log is not extended with another key, though it may be read with it")
  func wrongKeyBesideCompanion() async throws {
    for codec in [Self.right, .deflate().then(Self.right)] {
      let bench = try Workbench()
      let test = Self(bench: bench)
      try bench.write((0..<5).map(Payloads.json), codec)
      let wrong = codec.name == Self.right.name ? Self.wrong : .deflate().then(Self.wrong)
      guard case .codecUnknown(_, let reason)? = try test.refuses(wrong) else {
        Issue.record("opened with the wrong key")
        return
      }
      #expect(reason.contains("record 4") && reason.contains("keys"))
      #expect(try test.refuses(wrong, access: .readOnly) == nil)
      try bench.write([Payloads.json(5)], codec)
    }
  }

  @Test("A key that is no longer in use is not appended with")
  func oldKey() throws {
    let (old, new) = (Codecs.key(1), Codecs.key(2))
    try bench.write([Payloads.json(0)], .aes256GCM(KeyRing(old)))
    try bench.write([Payloads.json(1)], .aes256GCM(KeyRing(new, older: [old])))
    guard case .codecUnknown? = try refuses(.aes256GCM(KeyRing(old))) else {
      Issue.record("opened with the old key")
      return
    }
    #expect(try refuses(.aes256GCM(KeyRing(new))) == nil)
  }

  @Test("A damaged last record proves nothing: the one before it does")
  func damagedLast() throws {
    try bench.write((0..<3).map(Payloads.json), Self.right)
    var log = try #require(try FileBytes.read(bench.logPath))
    log[log.count - 1] ^= 1
    try FileBytes.write(log, to: bench.logPath)
    #expect(try refuses(Self.right) == nil)
    guard case .codecUnknown(_, let reason)? = try refuses(Self.wrong) else {
      Issue.record("opened with the wrong key")
      return
    }
    #expect(reason.contains("record 1"))
  }

  @Test("What another program appended to an encrypted log proves nothing, and neither does a limit")
  func othersRecords() throws {
    try bench.write([Payloads.json(0)], Self.right)
    let stored = try bench.stored()
    try FileBytes.write(logBytes(stored + [Payloads.json(1)]), to: bench.logPath)
    try bench.open(Self.right).storage.close()
    guard case .codecUnknown? = try refuses(Self.wrong) else {
      Issue.record("opened with the wrong key")
      return
    }
    try bench.open(Self.right, limit: 1).storage.close()
  }

  @Test(
    "Raw DEFLATE is recognised when both are lost: it is said, and the codec may still be given", arguments: [1, 6, 9])
  func deflated(level: Int) throws {
    let codec = Codec.deflate(level: level)
    for access in [Storage.Access.readOnly, .readWrite, .readWrite] {
      let bench = try Workbench()
      try bench.write((0..<6).map(Payloads.json), codec)
      try bench.writeStored(try bench.stored())
      for _ in 0..<2 {
        let (storage, log) = try bench.open(nil, access: access)
        let note = try #require(try log.details.openingNote)
        #expect(note.contains("DEFLATE") && note.contains("open it with that codec"))
        storage.close()
      }
      try bench.write([Payloads.json(6)], codec)
      let (storage, log) = try bench.open(codec, access: .readOnly)
      #expect(try log.records(in: 0..<7).map { Array($0.payload) } == (0..<7).map(Payloads.json))
      storage.close()
      #expect(throws: ImmutaError.codecMismatch(written: "deflate", opened: "")) { try bench.open(nil) }
    }
  }

  @Test("Whoever says that deflated payloads are taken as they are stored is asked no more")
  func deflatedAsStored() throws {
    try bench.write((0..<6).map(Payloads.json), .deflate())
    try bench.writeStored(try bench.stored())
    var configuration = bench.configuration(nil)
    configuration.takesPayloadsAsStored = true
    let storage = try Storage(
      directory: bench.directory.path, namespaces: [Workbench.name], configuration: configuration)
    #expect(try storage.details(of: Workbench.name).openingNote?.contains("DEFLATE") != true)
    storage.close()
    let (again, log) = try bench.open(nil)
    defer { again.close() }
    #expect(try log.details.openingNote == nil)
  }

  @Test("Every payload has the structure of DEFLATE once it is deflated, and none before", arguments: [0, 1, 6, 9])
  func structure(level: Int) throws {
    let codec = Codec.deflate(level: level)
    for size in Payloads.sizes where size > 0 {
      for payload in [Payloads.random(size), Payloads.repetitive(size), [UInt8](repeating: 0, count: size)] {
        let bench = try Workbench()
        try bench.write([payload], codec)
        let stored = try bench.stored()[0]
        #expect(appearance(stored) == .deflate, "\(size) bytes, \(stored.count) stored")
        if size > 6 { #expect(appearance(payload) == nil, "\(size) bytes") }
        if stored.count < PayloadAppearance.sampleSize {
          #expect(appearance(stored + [0]) == nil && appearance(stored.dropLast()) == nil)
        }
      }
    }
    for number in 0..<2000 { #expect(appearance(Payloads.json(number)) == nil) }
    for seed in 0..<5000 { #expect(appearance(Payloads.random(8 + seed % 60, seed: UInt64(seed))) == nil) }
  }

  private func appearance(_ payload: some Sequence<UInt8>) -> PayloadAppearance? {
    let payload = Array(payload)
    return payload.withUnsafeBytes { bytes in
      PayloadAppearance(
        beginning: UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, PayloadAppearance.sampleSize)]),
        size: bytes.count)
    }
  }

  @Test("A log that was written without a codec is not extended with one when its companion is lost")
  func plainWithKey() throws {
    try bench.write([Payloads.json(0)], nil)
    bench.lose("idx")
    for codec in [Self.right, .deflate()] {
      guard case .codecUnknown? = try refuses(codec) else {
        Issue.record("opened with a codec")
        return
      }
    }
    try bench.write([Payloads.json(1)], nil)
  }

  @Test("What only looks encrypted is taken as it is when the caller says so")
  func takenAsStored() async throws {
    try bench.write([Payloads.json(0)], Self.right)
    let sealed = try bench.stored()
    try bench.writeStored(sealed)
    var configuration = bench.configuration(nil)
    configuration.takesPayloadsAsStored = true
    let storage = try Storage(
      directory: bench.directory.path, namespaces: [Workbench.name], configuration: configuration)
    #expect(try await storage.log(Workbench.name).record(at: 0).payload.elementsEqual(sealed[0]))
    storage.close()
    // From then on the companion says so.
    try bench.open(nil).storage.close()
  }

  #if Zstd && LZ4
    @Test("Compressed records are recognised by their frames", arguments: [Codec.zstd(), .lz4()])
    func frames(_ codec: Codec) throws {
      try bench.write([Payloads.json(0), Payloads.json(1)], codec)
      try bench.writeStored(try bench.stored())
      guard case .codecUnknown(_, let reason)? = try refuses(nil) else {
        Issue.record("opened without a codec")
        return
      }
      #expect(reason.contains("compressed"))
      try bench.write([Payloads.json(2)], codec)
    }

    @Test("A compressed file among others makes no compressed log")
    func files() throws {
      try bench.write([Payloads.json(0)], .zstd())
      try bench.writeStored(try bench.stored() + [Payloads.json(1)])
      try bench.write([Payloads.json(2)], nil)
    }
  #endif
}
