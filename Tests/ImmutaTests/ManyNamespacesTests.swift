import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// What a namespace costs that nobody uses: no thread, and no descriptor.
@Suite(.timeLimit(.minutes(5))) struct ManyNamespacesTests {
  private static let many = 700
  private static let names = (0..<many).map { "n\($0)" }

  /// Descriptors that lead into a directory.
  private func descriptors(in directory: TemporaryDirectory) -> [String] { openFiles(in: directory.path + "/") }

  private func threads() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
  }

  @Test(arguments: [Durability.buffered, .synced, .interval(.milliseconds(50))])
  func theyHoldFewDescriptorsAndThreads(_ durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let configuration = Storage.Configuration(durability: durability)
    do {
      let storage = try Storage(directory: directory.path, namespaces: Self.names, configuration: configuration)
      defer { storage.close() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for name in Self.names { group.addTask { try await storage.append("first of \(name)", to: name) } }
        try await group.waitForAll()
      }
      #expect(threads() < 80)
      #expect(descriptors(in: directory).count < 2 * Self.many)
      // Some rest by now; they are written to and read as ever.
      for name in Self.names { try await storage.append("second of \(name)", to: name) }
      #expect(await eventually { descriptors(in: directory).count <= Self.many })
      for name in Self.names {
        #expect(try await storage.log(name).record(at: 0).text == "first of \(name)")
      }
      #expect(await eventually { descriptors(in: directory).count <= Self.many })
      #expect(performing: { try Storage(directory: directory.path, namespaces: [Self.names[0]]) }, throws: isLocked)
      try await storage.sync()
      for name in Self.names { #expect(try storage.details(of: name).stableCount == 2) }
    }
    #expect(descriptors(in: directory).isEmpty)
    let storage = try Storage(directory: directory.path, namespaces: Self.names, configuration: configuration)
    defer { storage.close() }
    #expect(await eventually { descriptors(in: directory).count <= Self.many })
    for name in Self.names {
      #expect(try texts(storage.log(name)) == ["first of \(name)", "second of \(name)"])
      #expect(try storage.details(of: name).openingNote == nil)
    }
  }

  @Test func oneThatCannotBeOpenedOpensNone() async throws {
    let directory = TemporaryDirectory()
    try directory.write(Array("not a log, but long enough to be one".utf8), to: "n40.log")
    try directory.write(Array("not a log, but long enough to be one".utf8), to: "n60.log")
    let names = Array(Self.names[..<100])
    let damage = await corruption { try Storage(directory: directory.path, namespaces: names) }
    #expect(damage?.path == directory.file("n40.log"))
    for name in ["n40.log", "n60.log"] { try directory.remove(name) }
    try Storage(directory: directory.path, namespaces: names).close()
  }

  @Test func aFailureToFlushOneOfThemIsItsOwn() async throws {
    let directory = TemporaryDirectory()
    let names = Array(Self.names[..<50])
    let storage = try Storage(directory: directory.path, namespaces: names)
    for name in names { try await storage.append("x", to: name) }
    let path = directory.file("n7.log")
    let fault = FaultInjector(directory: directory.path, .error(EIO), of: .flush, lasting: true) { $0 == path }
    _ = await fault.run {
      await #expect(throws: ImmutaError.io(errno: EIO, operation: "fdatasync", path: path)) {
        try await storage.shutdown()
      }
    }
    #expect(fault.injected == 1)
    let again = try Storage(directory: directory.path, namespaces: names)
    defer { again.close() }
    for name in names {
      #expect(try texts(again.log(name)) == ["x"])
      let note = try again.details(of: name).openingNote
      #expect((note == nil) == (name != "n7"))
    }
  }

  @Test func aLockIsKeptWithoutADescriptor() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let isMapped = !descriptors(in: directory).contains(directory.file("log.lock"))
    if !isMapped { print("SKIPPED: on this file system a mapping does not keep a lock") }
    let file = FileHandle(forUpdatingAtPath: directory.file("log.lock"))
    let descriptor = try #require(file?.fileDescriptor)
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) != 0, "somebody else could lock it")
    // Not for the processes that this one starts, either, nor by them.
    let child = Process()
    child.executableURL = URL(filePath: "/bin/sh")
    child.arguments = ["-c", "command -v flock >/dev/null || exit 7; flock -n \(directory.file("log.lock")) true"]
    try child.run()
    child.waitUntilExit()
    #expect([1, 7].contains(child.terminationStatus))
    let sleeper = Process()
    sleeper.executableURL = URL(filePath: "/bin/sleep")
    sleeper.arguments = ["60"]
    try sleeper.run()
    defer { sleeper.terminate() }
    storage.close()
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0, "it is free when the storage is closed")
    #expect(try directory.bytes(of: "log.lock").isEmpty)
  }

  @Test func aLogThatRestsGoesOnWhereItWas() async throws {
    let open = try await OpenLog(3)
    var stream = open.log.stream()
    _ = try await stream.next()
    for round in 0..<3 {
      #expect(open.log.letGoOfFiles())
      #expect(descriptors(in: open.directory).isEmpty)
      let next = try await stream.next()
      #expect(next?.text == "\(round + 1)")
      try await open.log.append("\(3 + round)")
    }
    #expect(try texts(open.log) == ["0", "1", "2", "3", "4", "5"])
    let held = try await open.log.beginTransaction()
    try await held.append("6")
    #expect(!open.log.letGoOfFiles(), "a log that is being written to does not rest")
    try await held.commit()
    #expect(open.log.letGoOfFiles())
    open.close()
    let storage = try open.directory.open()
    defer { storage.close() }
    #expect(try storage.details(of: "log").openingNote == nil)
    #expect(try storage.log("log").count == 7)
  }

  @Test func nothingThatIsNotFlushedRests() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    let fault = FaultInjector(directory: open.directory.path, .error(EIO), of: .flush, lasting: true)
    await fault.run { #expect(!open.log.letGoOfFiles()) }
    #expect(fault.injected > 0)
    await #expect(throws: ImmutaError.self) { try await open.log.append("x") }
  }

  @Test func manyThatAreOnlyReadHoldFewDescriptors() async throws {
    let directory = TemporaryDirectory()
    let writer = try Storage(directory: directory.path, namespaces: Self.names)
    defer { writer.close() }
    for name in Self.names { try await writer.append("first of \(name)", to: name) }
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let before = descriptors(in: directory).count
    let storage = try Storage(directory: directory.path, namespaces: Self.names, configuration: configuration)
    defer { storage.close() }
    for round in 0..<2 {
      for name in Self.names {
        #expect(try texts(storage.log(name)) == (0...round).map { ["first", "second"][$0] + " of \(name)" })
      }
      if round == 0 { for name in Self.names { try await writer.append("second of \(name)", to: name) } }
    }
    #expect(before <= 2 * Self.many)
    #expect(await eventually { descriptors(in: directory).count <= Self.many })
  }

  @Test func aFollowerThatRestsGoesOnWhereItWas() async throws {
    let open = try await OpenLog(3)
    let storage = try open.directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream()
    _ = try await stream.next()
    for round in 0..<3 {
      #expect(log.letGoOfFiles())
      let next = try await stream.next()
      #expect(next?.text == "\(round + 1)")
      try await open.log.append("\(3 + round)")
      #expect(log.letGoOfFiles())
      #expect(log.count == 4 + round)
    }
    #expect(try texts(log) == ["0", "1", "2", "3", "4", "5"])
    open.close()
    #expect(log.letGoOfFiles())
    #expect(descriptors(in: open.directory).isEmpty)
    #expect(try await log.record(at: 5).text == "5")
  }

  @Test(arguments: [true, false]) func aFollowerThatRestedNoticesAnotherLog(_ isCopy: Bool) async throws {
    let open = try await OpenLog(3)
    open.close()
    let storage = try open.directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream()
    // What was read ahead is delivered: of a log that another one replaces, all of it was.
    for _ in 0..<(isCopy ? 1 : 3) { _ = try await stream.next() }
    #expect(log.letGoOfFiles())
    let other = TemporaryDirectory()
    if isCopy {
      for name in ["log.log", "log.idx"] {
        try FileManager.default.copyItem(atPath: open.directory.file(name), toPath: other.file(name))
      }
    }
    let writer = try other.open()
    for text in ["x", "y", "z"] { try await writer.append(text, to: "log") }
    writer.close()
    for name in ["log.idx", "log.log"] {
      try FileManager.default.removeItem(atPath: open.directory.file(name))
      try FileManager.default.moveItem(atPath: other.file(name), toPath: open.directory.file(name))
    }
    if isCopy {
      for text in ["1", "2", "x", "y", "z"] { #expect(try await stream.next()?.text == text) }
    } else {
      do {
        _ = try await stream.next()
        Issue.record("another log's record was delivered")
      } catch {
        guard case ImmutaError.logChanged(let change) = error else { throw error }
        #expect(change.sharedCount == 0)
      }
      #expect(try texts(log) == ["x", "y", "z"])
    }
  }

  @Test func aFollowerThatRestedSaysThatItsLogIsGone() async throws {
    let open = try await OpenLog(3)
    open.close()
    let storage = try open.directory.open(access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.letGoOfFiles())
    for name in ["log.idx", "log.log"] { try open.directory.remove(name) }
    do {
      _ = try await log.record(at: 0)
      Issue.record("a record was read of a log that is gone")
    } catch {
      guard case ImmutaError.logChanged(let change) = error else { throw error }
      #expect(change.kind == .removed)
    }
  }

  @Test func aLogThatWasReplacedWhileItRestedIsNotTakenForTheSame() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    #expect(open.log.letGoOfFiles())
    let path = open.directory.file("log.log")
    try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    try FileManager.default.copyItem(atPath: path + ".old", toPath: path)
    let before = try open.directory.allFiles()
    await #expect(throws: ImmutaError.logMoved(path: path)) { try await open.log.append("x") }
    await #expect(throws: ImmutaError.logMoved(path: path)) { _ = try await open.log.record(at: 0) }
    await #expect(throws: ImmutaError.logMoved(path: path)) { try await open.log.sync() }
    #expect(try open.directory.allFiles() == before)
  }
}
