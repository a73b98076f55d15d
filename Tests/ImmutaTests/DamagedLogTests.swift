import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Files that are no logs, and logs that say what cannot be: an error that says so, and not a byte changed.
@Suite(.timeLimit(.minutes(3))) struct DamagedLogTests {
  struct File: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]

    init(_ name: String, _ bytes: [UInt8]) {
      testDescription = name
      self.bytes = bytes
    }

    /// A log of these ten records, changed.
    init(_ name: String, change: (inout [UInt8], _ indices: [Int]) -> Void) {
      var bytes = logBytes(DamagedLogTests.payloads)
      change(&bytes, indices(of: bytes))
      self.init(name, bytes)
    }
  }

  static let payloads = (0..<10).map { pattern(10 + $0 * 7, seed: $0) }
  static let noLogs: [File] =
    [
      File("text", Array("This is not a log, it is a text that somebody put there.\n".utf8)),
      File("COUNT too large") { bytes, _ in store(11, at: 0, in: &bytes) },
      File("COUNT absurd") { bytes, _ in store(.max, at: 0, in: &bytes) },
      File("COUNT negative") { bytes, _ in store(-1, at: 0, in: &bytes) },
      File("COUNT smallest") { bytes, _ in store(.min, at: 0, in: &bytes) },
      File("COUNT zero with LAST INDEX and records") { bytes, _ in store(0, at: 0, in: &bytes) },
      File("LAST INDEX too small") { bytes, _ in store(8, at: 8, in: &bytes) },
      File("LAST INDEX zero") { bytes, _ in store(0, at: 8, in: &bytes) },
      File("LAST INDEX of another record") { bytes, indices in store(indices[4], at: 8, in: &bytes) },
      File("LAST INDEX absurd") { bytes, _ in store(.max - 3, at: 8, in: &bytes) },
      File("LAST INDEX negative") { bytes, _ in store(-16, at: 8, in: &bytes) },
      File("cut in the last payload") { bytes, _ in bytes.removeLast() },
      File("cut in the last size field") { bytes, indices in bytes.removeLast(bytes.count - indices[9] - 3) },
    ]
    // Eight are an empty log of v1.
    + (1...15).filter { $0 != 8 }.map { File("\($0) bytes", Array(repeating: 0, count: $0)) }
    + [0, 4, 9].flatMap { number in
      [-1, Int.min, Int.max, Int.max - 15, 1 << 40, 100_000].map { size in
        File("size field \(number) is \(size)") { bytes, indices in store(size, at: indices[number], in: &bytes) }
      }
    }

  @Test(arguments: noLogs, [Storage.Access.readWrite, .readOnly])
  func whatIsNoLogIsRefusedAndLeftAlone(file: File, access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    try directory.write(file.bytes, to: "log.log")
    let damage = await corruption { try directory.open(access: access) }
    #expect(damage?.path == directory.file("log.log"))
    #expect(try directory.allFiles() == ["log.log": file.bytes])
    // The refusal holds no lock.
    try directory.write(logBytes([]), to: "log.log")
    let storage = try directory.open(access: access)
    storage.close()
  }

  @Test(arguments: [0, 4, 9], [-1, Int.max, 1 << 40, 100_000, 3])
  func aDamagedSizeFieldIsFoundThoughTheCompanionIsThere(number: Int, size: Int) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Self.payloads)
    var bytes = try directory.bytes(of: "log.log")
    store(size, at: indices(of: bytes)[number], in: &bytes)
    try directory.write(bytes, to: "log.log")
    let damage = await corruption {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      for sound in 0..<number {
        #expect(try await Array(log.record(at: sound).payload) == Self.payloads[sound])
      }
      #expect((await corruption { try await log.record(at: number) })?.sequence == number)
      #expect(throws: ImmutaError.self) { try log.records(in: 0..<10) }
      _ = try await log.verify()
    }
    #expect(damage?.sequence == number)
    #expect(try directory.bytes(of: "log.log") == bytes)
  }

  @Test(arguments: [0, 1, 9, 15, 16, 17, 200]) func aLogThatWasCutShortIsReported(length: Int) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Self.payloads)
    let bytes = Array(try directory.bytes(of: "log.log")[..<length])
    let companion = try directory.bytes(of: "log.idx")
    try directory.write(bytes, to: "log.log")
    #expect(await corruption { try directory.open() } != nil)
    #expect(try directory.allFiles() == ["log.log": bytes, "log.idx": companion])
  }

  @Test(arguments: [0, 3, 9]) func aFlippedPayloadByteIsReportedByEveryWayOfReading(number: Int) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Self.payloads)
    var bytes = try directory.bytes(of: "log.log")
    let index = indices(of: bytes)[number]
    bytes[index + 12] ^= 0x10
    try directory.write(bytes, to: "log.log")
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    #expect((await corruption { try await log.record(at: number) })?.index == index)
    #expect((await corruption { try log.records(in: 0..<10) })?.sequence == number)
    #expect((await corruption { try await log.verify() })?.sequence == number)
    var stream = log.stream(from: .skipping(number))
    #expect((await corruption { try await stream.next() })?.sequence == number)
    #expect((await corruption { try await stream.next(timeout: .zero) })?.sequence == number)
    #expect((await corruption { try stream.nextAtOnce() })?.sequence == number)
    // Appending goes on, behind it.
    #expect(try await log.append("more").sequence == 10)
  }

  @Test func withoutChecksumsADamagedPayloadIsDeliveredAndVerifyStillFindsIt() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Self.payloads)
    var bytes = try directory.bytes(of: "log.log")
    bytes[indices(of: bytes)[3] + 12] ^= 0x10
    try directory.write(bytes, to: "log.log")
    let storage = try directory.open(verifiesChecksums: false)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try await log.record(at: 3).size == Self.payloads[3].count)
    #expect((await corruption { try await log.verify() })?.sequence == 3)
  }

  @Test func verifyLooksAtTheHeaderToo() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill(Self.payloads)
    let storage = try directory.open()
    defer { storage.close() }
    var bytes = try directory.bytes(of: "log.log")
    store(16, at: 8, in: &bytes)
    try bytes.withUnsafeBytes { bytes in
      // In place: the file must stay the one that is open.
      let file = try FileHandle(forUpdating: URL(filePath: directory.file("log.log")))
      try file.write(contentsOf: Data(bytes.prefix(16)))
      try file.close()
    }
    #expect(await corruption { try await storage.verify("log") } != nil)
  }

  /// The process died in its first commit, between the stores of LAST INDEX and COUNT.
  @Test(arguments: [1, 3]) func aFirstCommitThatDiedBeforeItsCountIsNoDamage(records: Int) async throws {
    let directory = TemporaryDirectory()
    let crashed = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.transaction(in: "log") { transaction in
      for number in 0..<records { try await transaction.append("record \(number)") }
    }
    for (name, bytes) in try directory.allFiles() { try crashed.write(bytes, to: name) }
    storage.close()
    var bytes = try crashed.bytes(of: "log.log")
    store(0, at: 0, in: &bytes)
    try crashed.write(bytes, to: "log.log")
    let again = try crashed.open()
    defer { again.close() }
    let log = try again.log("log")
    let found = try texts(log)
    #expect(found.isEmpty || found == (0..<records).map { "record \($0)" })
    #expect(try await log.append("next").sequence == found.count)
    #expect(try await log.verify().records == found.count + 1)
  }

  /// The same in a later commit; its companion was lost as well. COUNT and LAST INDEX contradict each other then, and
  /// nothing tells which is right: a program that loses records leaves the same bytes.
  @Test func withoutTheCompanionNothingTellsACommitThatDiedFromDamage() async throws {
    let directory = TemporaryDirectory()
    let crashed = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.append("first", to: "log")
    try await storage.transaction(in: "log") { transaction in
      for number in 0..<3 { try await transaction.append("record \(number)") }
    }
    var bytes = try directory.bytes(of: "log.log")
    storage.close()
    store(1, at: 0, in: &bytes)
    try crashed.write(bytes, to: "log.log")
    #expect(await corruption { try crashed.open() } != nil)
    #expect(try crashed.bytes(of: "log.log") == bytes)
  }

  @Test func aDirectoryNamedLikeALogIsRefused() throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.file("log.log"), withIntermediateDirectories: false)
    for access in [Storage.Access.readWrite, .readOnly] {
      #expect(throws: ImmutaError.self) { try directory.open(access: access) }
    }
    #expect(!directory.exists("log.idx"))
  }

  @Test func aPipeNamedLikeALogIsRefusedWithoutWaitingForItsOtherEnd() async throws {
    let directory = TemporaryDirectory()
    #expect(mkfifo(directory.file("log.log"), 0o644) == 0)
    #expect(await corruption { try directory.open() } != nil)
    let opening = Task {
      await corruption { try await onThread { try directory.open(access: .readOnly) } }
    }
    let isRefused = Box(false)
    Task {
      let damage = await opening.value
      isRefused.withLock { $0 = damage != nil }
    }
    #expect(await eventually { isRefused.withLock { $0 } })
    // Lets the thread go if it does wait.
    let end = open(directory.file("log.log"), O_RDWR | O_NONBLOCK)
    _ = await opening.value
    close(end)
  }

  @Test func aLinkThatLeadsNowhereIsRefusedAndMakesNothing() throws {
    let directory = TemporaryDirectory()
    let elsewhere = TemporaryDirectory()
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("log.log"), withDestinationPath: elsewhere.file("log.log"))
    let refusal = ImmutaError.io(errno: ELOOP, operation: "open", path: directory.file("log.log"))
    for access in [Storage.Access.readWrite, .readOnly] {
      #expect(throws: refusal) { try directory.open(access: access) }
    }
    #expect(try elsewhere.allFiles().isEmpty)
    #expect("\(refusal)".contains("log.log is a symbolic link") && "\(refusal)".contains("open the directory"))
  }

  @Test func aLinkToALogIsRefusedAndTheLogStaysAsItIs() async throws {
    let directory = TemporaryDirectory()
    let elsewhere = TemporaryDirectory()
    try elsewhere.write(logBytes(Self.payloads), to: "other")
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("log.log"), withDestinationPath: elsewhere.file("other"))
    let refusal = ImmutaError.io(errno: ELOOP, operation: "open", path: directory.file("log.log"))
    for access in [Storage.Access.readWrite, .readOnly] {
      #expect(throws: refusal) { try directory.open(access: access) }
    }
    #expect(throws: refusal) { try Storage.repair("log", in: directory.path, applying: true) }
    #expect(throws: refusal) { try Storage.salvage("log", in: directory.path, into: "new") }
    #expect(try elsewhere.bytes(of: "other") == logBytes(Self.payloads))
    #expect(try Storage.namespaces(in: directory.path) == ["log"], "it is listed, and opening it says what it is")
  }

  @Test(arguments: ["log.idx", "log.lock"]) func aLinkInThePlaceOfAnotherFileOfALogIsRefused(name: String) async throws
  {
    let directory = TemporaryDirectory()
    let elsewhere = TemporaryDirectory()
    try await directory.fill([[1]])
    try directory.remove(name)
    try elsewhere.write([1, 2, 3], to: "other")
    try FileManager.default.createSymbolicLink(
      atPath: directory.file(name), withDestinationPath: elsewhere.file("other"))
    #expect(throws: ImmutaError.io(errno: ELOOP, operation: "open", path: directory.file(name))) {
      try directory.open()
    }
    #expect(try elsewhere.bytes(of: "other") == [1, 2, 3])
  }

  @Test func theDirectoryOfALogMayBeALink() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    let elsewhere = TemporaryDirectory()
    try FileManager.default.createSymbolicLink(
      atPath: elsewhere.file("logs"), withDestinationPath: directory.path)
    let storage = try Storage(directory: elsewhere.file("logs"), namespaces: ["log"])
    try await storage.append("more", to: "log")
    try await storage.sync()
    storage.close()
    #expect(try directory.open(access: .readOnly).log("log").count == 2)
  }

  @Test func whatATerminalWouldObeyIsPrintable() {
    let evil = "a\u{1b}]0;b\u{7}\nc\u{9b}2J\u{202e}d\u{7f}"
    let texts = [
      "\(ImmutaError.codecMismatch(written: evil, opened: ""))",
      "\(ImmutaError.io(errno: EIO, operation: "open", path: evil))",
      "\(Corruption(path: evil, reason: evil))",
      "\(ImmutaError.logMoved(path: evil))", "\(ImmutaError.partitioningMismatch(remembered: evil, opened: evil))",
      "\(UnsupportedVersion(path: evil, subject: .companion, found: 9, supported: 2))",
    ]
    for text in texts {
      #expect(text.contains(#"a\u{1b}]0;b\u{7}\u{a}c\u{9b}2J\u{202e}d\u{7f}"#), "\(text)")
      #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control || $0.value == 0x202E })
    }
    #expect("“é” ✓ 漢".printable == "“é” ✓ 漢")
  }

  @Test func everyErrorSaysWhatHappened() {
    let errors: [ImmutaError] = [
      .namespaceRequired, .namespaceNotFound("a"), .invalidNamespace("a"), .duplicateNamespace("a"), .storageClosed,
      .readerCountIsZero, .invalidConfiguration("a"),
      .locked(LockHolder(namespace: "a", processID: 1, since: .now)), .logMoved(path: "p"),
      .foreignOwner(path: "p", owner: 1), .io(errno: ELOOP, operation: "open", path: "p"), .readOnly,
      .recordNotFound(1), .recordTooLarge,
      .corrupted(Corruption(path: "p", sequence: 1, index: 16, reason: "r")),
      .codecMismatch(written: "", opened: "b"), .io(errno: ENOSPC, operation: "fallocate", path: "p"),
    ]
    #expect(Set(errors.map(\.description)).count == errors.count)
    #expect("\(Corruption(path: "p", sequence: 1, index: 16, reason: "r"))" == "p, record 1 at byte 16: r")
    #expect("\(ImmutaError.io(errno: ENOSPC, operation: "fallocate", path: "p"))".contains("fallocate failed on p"))
    #expect("\(ImmutaError.io(errno: ENOSPC, operation: "fallocate", path: "p"))".contains("nothing was appended"))
    #expect("\(ImmutaError.io(errno: ENOSPC, operation: "pwrite", path: "p"))".contains("open the storage again"))
  }
}
