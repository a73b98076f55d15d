import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Opening, and what a name may be.
@Suite(.timeLimit(.minutes(3))) struct StorageTests {
  static let invalidNames = [
    "", ".", "..", ".hidden", "../x", "a/b", "/etc", "a\0b", "a b", "a\\b", "größe", "日本", "a\n", "*", "a:b",
    String(repeating: "a", count: 201), String(repeating: "é", count: 101),
  ]
  static let validNames = [
    "a", "A9", "a.b", "a..b", "-", "_", "a.log", "a.idx", "log", String(repeating: "x", count: 200),
  ]

  @Test(arguments: invalidNames) func aNameThatIsNoFileNameIsRefused(name: String) throws {
    let directory = TemporaryDirectory()
    #expect(!Storage.isValidNamespace(name))
    for names in [[name], ["good", name]] {
      #expect(throws: ImmutaError.invalidNamespace(name)) {
        try Storage(directory: directory.path, namespaces: names)
      }
    }
    #expect(try directory.allFiles().isEmpty)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(throws: ImmutaError.invalidNamespace(name)) { try storage.log(name, creating: true) }
    #expect(throws: ImmutaError.namespaceNotFound(name)) { try storage.log(name) }
  }

  @Test func everyValidNameIsALogOfItsOwn() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try Storage(directory: directory.path, namespaces: Self.validNames)
      defer { storage.close() }
      #expect(storage.namespaces == Self.validNames.sorted())
      for name in Self.validNames { try await storage.append(name, to: name) }
    }
    #expect(try Storage.namespaces(in: directory.path) == Self.validNames.sorted())
    let storage = try Storage(directory: directory.path, namespaces: Self.validNames)
    defer { storage.close() }
    for name in Self.validNames { #expect(try texts(storage.log(name)) == [name]) }
  }

  @Test func namespacesAreNamedOnceAndAtLeastOne() throws {
    let directory = TemporaryDirectory()
    #expect(throws: ImmutaError.namespaceRequired) { try Storage(directory: directory.path, namespaces: []) }
    #expect(throws: ImmutaError.duplicateNamespace("a")) {
      try Storage(directory: directory.path, namespaces: ["a", "b", "a"])
    }
    #expect(try directory.allFiles().isEmpty)
  }

  @Test func aConfigurationThatMakesNoSenseIsRefused() throws {
    let directory = TemporaryDirectory()
    func open(_ change: (inout Storage.Configuration) -> Void) throws(ImmutaError) -> Storage {
      var configuration = Storage.Configuration()
      change(&configuration)
      return try Storage(directory: directory.file("new"), namespaces: ["a"], configuration: configuration)
    }
    #expect(throws: ImmutaError.readerCountIsZero) { try open { $0.readerCount = 0 } }
    let changes: [(inout Storage.Configuration) -> Void] = [
      { $0.readerCount = -1 }, { $0.durability = .interval(.zero) }, { $0.durability = .interval(.seconds(-1)) },
    ]
    for change in changes {
      let error = #expect(throws: ImmutaError.self) { try open(change) }
      guard case .invalidConfiguration = error else {
        Issue.record("\(String(describing: error)) is not about the configuration")
        continue
      }
    }
    #expect(!directory.exists("new"))
  }

  @Test func theDirectoryIsCreatedButNotItsParents() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.file("new"), namespaces: ["a"])
    try await storage.append("x", to: "a")
    storage.close()
    #expect(directory.exists("new/a.log"))
    let withSlash = try Storage(directory: directory.file("new/"), namespaces: ["a"])
    #expect(withSlash.namespaces == ["a"])
    #expect(try texts(withSlash.log("a")) == ["x"])
    withSlash.close()
    #expect(throws: ImmutaError.io(errno: ENOENT, operation: "mkdir", path: directory.file("no/such"))) {
      try Storage(directory: directory.file("no/such"), namespaces: ["a"])
    }
  }

  @Test func aDirectoryThatIsNoneIsRefused() throws {
    let directory = TemporaryDirectory()
    try directory.write([1], to: "file")
    #expect(throws: ImmutaError.io(errno: ENOTDIR, operation: "open", path: directory.file("file"))) {
      try Storage(directory: directory.file("file"), namespaces: ["a"])
    }
    #expect(throws: ImmutaError.self) { try Storage(directory: directory.file("file/in"), namespaces: ["a"]) }
    #expect(throws: ImmutaError.self) { try Storage(directory: "a\0b", namespaces: ["a"]) }
    #expect(throws: ImmutaError.self) { try Storage.namespaces(in: directory.file("nowhere")) }
    #expect(try directory.bytes(of: "file") == [1])
  }

  /// Whether taking the right to write away has an effect: it has none for root.
  static let permissionsDeny: Bool = {
    let directory = TemporaryDirectory()
    chmod(directory.path, 0o555)
    defer { chmod(directory.path, 0o755) }
    return (try? directory.write([1], to: "file")) == nil
  }()

  @Test(.enabled(if: permissionsDeny, "this user may write everywhere"))
  func aDirectoryWithoutTheRightToWriteIsRefused() throws {
    let directory = TemporaryDirectory()
    chmod(directory.path, 0o555)
    defer { chmod(directory.path, 0o755) }
    #expect(throws: ImmutaError.io(errno: EACCES, operation: "open", path: directory.file("log.log"))) {
      try directory.open()
    }
  }

  @Test func aSecondWriterIsLockedOutAndTheFirstGoesOn() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.append("first", to: "log")
    let before = try directory.allFiles()
    for _ in 0..<3 { #expect(performing: { try directory.open() }, throws: isLocked) }
    #expect(performing: { try Storage(directory: directory.path, namespaces: ["other", "log"]) }, throws: isLocked)
    #expect(try directory.bytes(of: "log.log") == before["log.log"])
    #expect(try directory.bytes(of: "log.idx") == before["log.idx"])
    #expect(try await storage.append("second", to: "log").sequence == 1)
    #expect(try texts(storage.log("log")) == ["first", "second"])
    // What was refused holds no other lock either.
    let other = try Storage(directory: directory.path, namespaces: ["other"])
    other.close()
    storage.close()
    let next = try directory.open()
    defer { next.close() }
    #expect(try texts(next.log("log")) == ["first", "second"])
  }

  @Test func aRefusedOpeningLeavesOtherLogsAsTheyWere() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2]])
    try directory.write(Array("not a log, but long enough to be one".utf8), to: "bad.log")
    let before = try directory.allFiles()
    #expect(await corruption { try Storage(directory: directory.path, namespaces: ["log", "bad"]) } != nil)
    #expect(try directory.allFiles() == before)
    let storage = try directory.open()
    storage.close()
  }

  @Test func aNamespaceIsAddedWhileTheStorageIsOpen() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    #expect(throws: ImmutaError.namespaceNotFound("tenant-7")) { try storage.log("tenant-7") }
    #expect(throws: ImmutaError.namespaceNotFound("tenant-7")) { try storage.log("tenant-7", creating: false) }
    #expect(!directory.exists("tenant-7.log"))
    let tenant = try storage.log("tenant-7", creating: true)
    #expect(try storage.log("tenant-7") === tenant)
    #expect(try storage.log("tenant-7", creating: true) === tenant)
    try await storage.append("hello", to: "tenant-7")
    #expect(storage.namespaces == ["log", "tenant-7"])
    storage.close()
    #expect(throws: ImmutaError.storageClosed) { try storage.log("tenant-8", creating: true) }
    #expect(!directory.exists("tenant-8.log"))
    let again = try directory.open()
    defer { again.close() }
    #expect(try texts(again.log("tenant-7", creating: false)) == ["hello"])
  }

  @Test func manyTasksAddTheSameNamespaceOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await withThrowingTaskGroup { group in
      for number in 0..<32 {
        group.addTask { try await storage.log("shared", creating: true).append("\(number)") }
      }
      try await group.waitForAll()
    }
    #expect(try storage.log("shared").count == 32)
  }

  @Test func detailsTellWhatIsThere() async throws {
    let directory = TemporaryDirectory()
    let start = Timestamp.now
    let storage = try directory.open()
    let empty = try storage.details(of: "log")
    #expect(empty.count == 0 && empty.byteCount == 16 && empty.firstTimestamp == nil && empty.lastTimestamp == nil)
    #expect(empty.namespace == "log" && empty.path == directory.file("log.log") && empty.format == .v2)
    #expect(try await storage.verify("log").records == 0)
    try await storage.append("one", to: "log")
    try await storage.append("three", to: "log")
    let filled = try storage.details(of: "log")
    let first = try #require(filled.firstTimestamp)
    let last = try #require(filled.lastTimestamp)
    #expect(filled.count == 2 && filled.byteCount == 16 + 11 + 13)
    #expect(start <= first && first <= last && last <= .now)
    #expect("\(filled)".contains("log: 2 records in 40 bytes (v2)"))
    let report = try await storage.verify("log")
    #expect(report.records == 2 && report.bytes == 40 && report.smallestPayload == 3 && report.largestPayload == 5)
    try await storage.sync()
    #expect(try storage.details(of: "log").stableCount == 2)
    storage.close()
    let again = try directory.open()
    defer { again.close() }
    let reopened = try again.details(of: "log")
    #expect(reopened.count == 2 && reopened.stableCount == 2 && reopened.openingNote == nil)
    #expect(reopened.firstTimestamp == first && reopened.lastTimestamp == last)
    #expect(throws: ImmutaError.namespaceNotFound("other")) { try again.details(of: "other") }
  }

  @Test(arguments: [Durability.synced, .interval(.milliseconds(20))])
  func recordsBecomeStableAsTheDurabilitySays(durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(durability)
    defer { storage.close() }
    for number in 1...3 {
      try await storage.append("x", to: "log")
      if durability == .synced { #expect(try storage.details(of: "log").stableCount == number) }
    }
    #expect(try await eventually { try storage.details(of: "log").stableCount == 3 })
  }

  @Test func openingTwiceWithoutAppendingChangesNoByteOfTheLog() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2, 3]])
    let before = try directory.allFiles()
    for _ in 0..<3 { try directory.open().close() }
    #expect(try directory.allFiles() == before)
  }

  @Test func namespacesListsTheLogsOfADirectory() throws {
    let directory = TemporaryDirectory()
    #expect(try Storage.namespaces(in: directory.path).isEmpty)
    for name in ["b.log", "a.log", "a.idx", "c.txt", ".hidden.log", "log", "with space.log"] {
      try directory.write([], to: name)
    }
    #expect(try Storage.namespaces(in: directory.path) == ["a", "b"])
  }
}
