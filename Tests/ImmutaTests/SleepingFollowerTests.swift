import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A follower that sleeps notices what becomes of its files: it is told, by a writer or by the kernel.
@Suite(.timeLimit(.minutes(5))) struct SleepingFollowerTests {
  /// A log with a stream that waits for what comes after its three records, in a directory within others.
  private struct Sleeper {
    let parent = TemporaryDirectory()
    let directory: String
    let storage: Storage
    let next: Task<String?, any Error>

    init(_ format: LogFormat? = nil, through link: Bool = false, only: StreamVisibility = .committed) async throws {
      let real = parent.file("a/b/logs")
      try FileManager.default.createDirectory(atPath: parent.file("a/b"), withIntermediateDirectories: true)
      var configuration = Storage.Configuration()
      configuration.format = format
      let writer = try Storage(directory: real, namespaces: ["log"], configuration: configuration)
      for number in 0..<3 { try await writer.append("record \(number)", to: "log") }
      writer.close()
      directory = link ? parent.file("link") : real
      if link { try FileManager.default.createSymbolicLink(atPath: directory, withDestinationPath: real) }
      configuration.access = .readOnly
      storage = try Storage(directory: directory, namespaces: ["log"], configuration: configuration)
      let log = try storage.log("log")
      next = Task {
        var stream = log.stream(from: .skipping(3), only: only)
        return try await stream.next()?.text
      }
      try await fallAsleep()
    }

    func fallAsleep() async throws {
      let log = try storage.log("log")
      for _ in 0..<20_000 {
        if log.isAsleep { return }
        try await Task.sleep(for: .milliseconds(1))
      }
      throw TimedOut()
    }

    /// Less than the shortest sleep.
    func record() async throws -> String? {
      defer { storage.close() }
      return try await value(of: next, within: .seconds(15))
    }

    func writer(_ format: LogFormat? = nil) throws -> Storage {
      var configuration = Storage.Configuration()
      configuration.format = format
      return try Storage(directory: directory, namespaces: ["log"], configuration: configuration)
    }
  }

  @Test(arguments: LogFormat.allCases) func aCommitWakesIt(format: LogFormat) async throws {
    let sleeper = try await Sleeper(format)
    let writer = try sleeper.writer(format)
    defer { writer.close() }
    try await writer.append("new", to: "log")
    #expect(try await sleeper.record() == "new")
  }

  @Test(arguments: LogFormat.allCases) func aWriterThatWasThereBeforeWakesIt(format: LogFormat) async throws {
    let sleeper = try await Sleeper(format)
    let writer = try sleeper.writer(format)
    defer { writer.close() }
    // Marks the log, and rolls back: the follower looks, finds nothing, and sleeps again.
    let transaction = try await writer.log("log").beginTransaction()
    try await transaction.append("nothing")
    transaction.rollBack()
    try await sleeper.fallAsleep()
    try await writer.append("new", to: "log")
    #expect(try await sleeper.record() == "new")
  }

  @Test func aFlushWakesIt() async throws {
    let sleeper = try await Sleeper(only: .durable)
    let writer = try sleeper.writer()
    defer { writer.close() }
    try await writer.append("new", to: "log")
    try await sleeper.fallAsleep()
    try await writer.log("log").sync()
    #expect(try await sleeper.record() == "new")
  }

  @Test func anotherProgramWakesItByWriting() async throws {
    let sleeper = try await Sleeper()
    let path = "\(sleeper.directory)/log.log"
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let before = bytes.count
    appendAsGo(Array("from elsewhere".utf8), to: &bytes)
    let file = try FileHandle(forUpdating: URL(filePath: path))
    defer { try? file.close() }
    try file.seek(toOffset: UInt64(before))
    try file.write(contentsOf: Data(bytes[before...]))
    try await sleeper.fallAsleep()
    try file.seek(toOffset: 0)
    try file.write(contentsOf: Data(bytes[..<16]))
    #expect(try await sleeper.record() == "from elsewhere")
  }

  enum Loss: CaseIterable { case deleted, renamed, cutShort, directoryRenamed, parentRenamed, linkMoved, linkReplaced }

  @Test(arguments: Loss.allCases) func itIsToldOfALoss(loss: Loss) async throws {
    let sleeper = try await Sleeper(through: loss == .linkMoved || loss == .linkReplaced)
    let files = FileManager.default
    let (path, parent) = (sleeper.directory, sleeper.parent)
    switch loss {
    case .deleted: for name in ["log.log", "log.idx"] { try files.removeItem(atPath: "\(path)/\(name)") }
    case .renamed: try files.moveItem(atPath: "\(path)/log.log", toPath: "\(path)/log.log.1")
    case .cutShort: #expect(truncate("\(path)/log.log", 0) == 0)
    case .directoryRenamed: try files.moveItem(atPath: path, toPath: path + "2")
    case .parentRenamed: try files.moveItem(atPath: parent.file("a"), toPath: parent.file("c"))
    case .linkMoved: try files.moveItem(atPath: path, toPath: path + "2")
    case .linkReplaced:
      _ = try files.createDirectory(atPath: parent.file("other"), withIntermediateDirectories: true)
      try files.createSymbolicLink(atPath: path + ".new", withDestinationPath: parent.file("other"))
      #expect(rename(path + ".new", path) == 0)
    }
    await #expect(throws: ImmutaError.self) { try await sleeper.record() }
  }

  @Test func aCopyThatTakesItsPlaceIsReadOn() async throws {
    let sleeper = try await Sleeper()
    let copy = TemporaryDirectory()
    for name in ["log.log", "log.idx"] {
      try FileManager.default.copyItem(atPath: "\(sleeper.directory)/\(name)", toPath: copy.file(name))
    }
    let writer = try copy.open()
    try await writer.append("new", to: "log")
    writer.close()
    for name in ["log.idx", "log.log"] { #expect(rename(copy.file(name), "\(sleeper.directory)/\(name)") == 0) }
    #expect(try await sleeper.record() == "new")
  }

  @Test func aRepairIsTold() async throws {
    let sleeper = try await Sleeper()
    let path = "\(sleeper.directory)/log.log"
    let handle = try FileHandle(forUpdating: URL(filePath: path))
    let size = try handle.seekToEnd()
    try handle.seek(toOffset: size - 10)
    try handle.write(contentsOf: [UInt8](repeating: 0xEE, count: 10))
    try handle.close()
    #expect(try Storage.repair("log", in: sleeper.directory, applying: true).isApplied)
    await #expect(throws: ImmutaError.self) { try await sleeper.record() }
  }

  @Test func closingAndCancellingAreNotedAtOnce() async throws {
    let sleeper = try await Sleeper()
    let log = try sleeper.storage.log("log")
    var stream = log.stream(from: .skipping(3))
    let start = ContinuousClock.now
    #expect(try await stream.next(timeout: .milliseconds(50)) == nil)
    let cancelled = Task {
      var stream = log.stream(from: .skipping(3))
      _ = try await stream.next()
    }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    sleeper.storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await sleeper.record() }
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  // MARK: Where nothing tells

  /// Nothing is watched, or what is reported cannot be relied on: it looks by itself.
  @Test(arguments: [true, false]) func whereNothingIsReportedItLooks(isWatched: Bool) async throws {
    let parent = TemporaryDirectory()
    let hook = Unreported(path: parent.file(""), isWatched: isWatched)
    try await SystemCalls.withHook(hook) {
      try await parent.fill([Array("0".utf8)])
      let follower = try parent.open(access: .readOnly)
      defer { follower.close() }
      let log = try follower.log("log")
      let next = await startWaiting {
        var stream = log.stream(from: .skipping(1))
        return try await stream.next()?.text
      }
      // Longer than until it would sleep.
      try await Task.sleep(for: .milliseconds(900))
      #expect(!log.isAsleep)
      try parent.remove("log.log")
      await #expect(throws: ImmutaError.self) { try await value(of: next, within: .seconds(15)) }
    }
  }
}

private final class Unreported: SystemCallHook {
  private let path: String
  private let isWatched: Bool

  init(path: String, isWatched: Bool) {
    (self.path, self.isWatched) = (path, isWatched)
  }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    // The way to the directory is shared with other tests' logs.
    call == .watch && !isWatched && path.hasPrefix(self.path) ? .fail(ErrorNumber.noSpace) : .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}

  func fileSystem(path: String) -> FileSystem? { isWatched && path.hasPrefix(self.path) ? .other : nil }
}
