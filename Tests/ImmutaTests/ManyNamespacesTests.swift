import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// What a namespace costs that nobody uses: no thread, and no descriptor.
@Suite(.timeLimit(.minutes(5))) struct ManyNamespacesTests {
  private static let many = 700
  private static let names = (0..<many).map { "n\($0)" }

  /// Descriptors that lead into a directory.
  private func descriptors(in directory: TemporaryDirectory) -> [String] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return numbers.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
      .filter { $0.hasPrefix(directory.path + "/") }
  }

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
