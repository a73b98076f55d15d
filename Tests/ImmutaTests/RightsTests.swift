import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Whose the files of a log are, and who may stop its writer.
@Suite struct RightsTests {
  private func status(_ directory: TemporaryDirectory, _ name: String) throws -> (owner: UInt32, mode: UInt32) {
    var status = stat()
    try #require(lstat(directory.file(name), &status) == 0, "\(name)")
    return (status.st_uid, UInt32(status.st_mode) & 0o777)
  }

  /// Gives a file away and sets its mode.
  private func set(_ directory: TemporaryDirectory, _ name: String, _ mode: UInt32, owner: UInt32? = nil) throws {
    if let owner { try #require(chown(directory.file(name), owner, owner) == 0) }
    try #require(chmod(directory.file(name), mode_t(mode)) == 0)
  }

  // MARK: What is made

  @Test(arguments: [0o600, 0o640, 0o644, 0o664, 0o666]) func everyFileMadeForALogTakesItsOwnerAndItsRights(
    mode: Int
  ) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2], [3]])
    try set(directory, "log.log", UInt32(mode), owner: OtherUser.number)
    let owner = OtherUser.number ?? geteuid()
    func expect(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let found = try status(directory, name)
      #expect(found == (owner, UInt32(mode)), "\(name)", sourceLocation: sourceLocation)
    }
    // The companion that opening makes, and its lock.
    for name in ["log.idx", "log.lock"] { try directory.remove(name) }
    let storage = try directory.open()
    try await storage.append([4], to: "log")
    storage.close()
    try expect("log.log")
    try expect("log.idx")
    let writers = UInt32(mode) & 0o222
    #expect(try status(directory, "log.lock") == (owner, writers | writers << 1))
    // What repair saves, and the companion that it makes: its own is another user's and open to all.
    try set(directory, "log.idx", 0o644, owner: OtherUser.number.map { _ in 0 })
    let handle = try FileHandle(forWritingTo: URL(filePath: directory.file("log.log")))
    try handle.write(contentsOf: [9])
    try handle.close()
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.isApplied && report.saved.count >= 2)
    for path in report.saved { try expect(URL(filePath: path).lastPathComponent) }
    try expect("log.log")
    try expect("log.idx")
    // The log that salvage makes.
    _ = try Storage.salvage("log", in: directory.path, into: "new")
    try expect("new.log")
    try expect("new.idx")
    #expect(try status(directory, "new.lock") == (owner, writers | writers << 1))
  }

  @Test func aTailThatIsSavedTakesTheRightsOfItsLog() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.append([1], to: "log")
    let crashed = TemporaryDirectory()
    for (name, bytes) in try directory.allFiles() { try crashed.write(bytes, to: name) }
    storage.close()
    try crashed.remove("log.idx")
    try crashed.write([UInt8](try crashed.bytes(of: "log.log").prefix(25)) + [9, 9, 9], to: "log.log")
    try set(crashed, "log.log", 0o600)
    let again = try crashed.open()
    again.close()
    for name in try crashed.allFiles().keys { #expect(try status(crashed, name).mode == 0o600, "\(name)") }
  }

  @Test func aNewLogHasTheRightsThatTheMaskLeaves() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    storage.close()
    let mask = umask(0)
    umask(mask)
    #expect(try status(directory, "log.log").mode == 0o666 & ~UInt32(mask))
    #expect(try status(directory, "log.idx").mode == 0o666 & ~UInt32(mask))
  }

  // MARK: Whose files are written to

  @Test(arguments: ["log.log", "log.idx", "log.lock"]) func aFileThatAnotherUserPutThereIsRefused(
    name: String
  ) async throws {
    guard let other = OtherUser.number else { return }
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    try set(directory, name, 0o666, owner: other)
    try set(directory, ".", 0o1777)
    let before = try directory.allFiles()
    #expect(performing: { try directory.open() }, throws: OtherUser.owns(name))
    #expect(performing: { try Storage.repair("log", in: directory.path, applying: true) }, throws: OtherUser.owns(name))
    #expect(try directory.allFiles() == before)
    // Whoever only looks trusts nobody with anything.
    #expect(try directory.open(access: .readOnly).log("log").count == 1)
    #expect(try Storage.repair("log", in: directory.path).isHealthy)
    var configuration = Storage.Configuration()
    configuration.acceptsFilesOfOthers = true
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    try await storage.append([2], to: "log")
    try storage.closeReporting()
    _ = try Storage.repair("log", in: directory.path, applying: true, acceptingFilesOfOthers: true)
  }

  /// It could say that the log is another's, or encrypted.
  @Test(arguments: ["", "no-such-codec"]) func aMetaFileThatAnotherUserPutThereSaysNothing(codec: String) async throws {
    guard let other = OtherUser.number else { return }
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    let identity = try #require(LogIdentity("00112233445566778899aabbccddeeff"))
    let meta = LogMeta(identity: identity, codecName: codec, removedCount: 0, namespace: nil).encoded(generation: 0)
    try directory.write(meta + [UInt8](repeating: 0, count: 2048), to: "log.meta")
    try set(directory, "log.meta", 0o666, owner: other)
    try set(directory, ".", 0o1777)
    let storage = try directory.open(access: .readOnly)
    #expect(try storage.log("log").count == 1 && storage.details(of: "log").codec == "")
    #expect(try storage.log("log").identity != identity)
    storage.close()
    #expect(try Storage.repair("log", in: directory.path).isHealthy)
    #expect(performing: { try directory.open() }, throws: OtherUser.owns("log.meta"))
    // Nor does it say that there was a log.
    try directory.write(try directory.bytes(of: "log.meta"), to: "new.meta")
    try set(directory, "new.meta", 0o666, owner: other)
    #expect(
      performing: { try Storage(directory: directory.path, namespaces: ["new"]) }, throws: OtherUser.owns("new.meta"))
    // Where it may be trusted, it counts.
    var configuration = Storage.Configuration()
    (configuration.acceptsFilesOfOthers, configuration.access) = (true, .readOnly)
    #expect(throws: ImmutaError.self) {
      try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    }
  }

  @Test func whereOnlyTheDirectorysOwnerMakesFilesTheyAreTrusted() async throws {
    guard let other = OtherUser.number else { return }
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    for name in ["log.log", "log.idx", "log.lock"] { try set(directory, name, 0o600, owner: other) }
    try set(directory, ".", 0o755)
    try directory.open().closeReporting()
    // And so are those of the owner of a directory that others may make files in, too.
    try set(directory, ".", 0o777, owner: other)
    try directory.open().closeReporting()
  }

  // MARK: The lock

  @Test func whoeverMayReadALogCannotStopItsWriter() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    let reader = open(directory.file("log.log"), O_RDONLY)
    let reader2 = open(directory.path, O_RDONLY)
    defer { for reader in [reader, reader2] { close(reader) } }
    #expect(flock(reader, LOCK_EX | LOCK_NB) == 0 && flock(reader2, LOCK_EX | LOCK_NB) == 0)
    let storage = try directory.open()
    try await storage.append([2], to: "log")
    try storage.closeReporting()
    #expect(try status(directory, "log.lock").mode & 0o044 == 0, "readers cannot open it")
  }

  @Test func aLockThatIsOpenToReadersIsClosedToThem() async throws {
    let directory = TemporaryDirectory()
    try directory.write([], to: "log.lock")
    try set(directory, "log.lock", 0o666)
    try await directory.fill([[1]])
    #expect(try status(directory, "log.lock").mode & 0o004 == 0)
  }

  @Test func theErrorSaysWhoHasTheLogSinceWhen() async throws {
    let directory = TemporaryDirectory()
    let before = Timestamp.now
    let storage = try directory.open()
    let error = #expect(throws: ImmutaError.self) { try directory.open() }
    guard case .locked(let holder) = try #require(error) else { throw Finding("\(error.debugDescription)") }
    #expect(holder.namespace == "log" && holder.processID == getpid())
    let since = try #require(holder.since)
    #expect(since >= before && since <= .now)
    #expect("\(ImmutaError.locked(holder))".contains("“log” is open for writing in this process since 20"))
    storage.close()
    #expect(try directory.bytes(of: "log.lock").isEmpty, "nobody has it")
  }

  @Test func whatADeadProcessLeftInALockIsNotReported() throws {
    let directory = TemporaryDirectory()
    for text in ["pid 2147483647\nsince 1\nnamespace log\n", "pid x\n", "", "\u{1b}]0;\n\n\n", "pid -1\nsince 1\n"] {
      try directory.write(Array(text.utf8), to: "log.lock")
      let lock = open(directory.file("log.lock"), O_RDWR)
      #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
      #expect(throws: ImmutaError.locked(LockHolder(namespace: "log", processID: nil, since: nil))) {
        try directory.open()
      }
      close(lock)
      try directory.open().closeReporting()
    }
  }

  // MARK: Looking

  @Test func lookingNeedsNoRightToWriteAndMakesNoLock() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2]])
    try directory.remove("log.lock")
    for name in ["log.log", "log.idx"] { try set(directory, name, 0o444) }
    let watch = FaultInjector(directory: directory.path, .error(EROFS), of: .write, lasting: true)
    let report = try await watch.run { try Storage.repair("log", in: directory.path) }
    #expect(report.isHealthy)
    #expect(!directory.exists("log.lock"))
  }
}
