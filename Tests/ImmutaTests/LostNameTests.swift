import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Files that lose their names: while a log is opened, and while it is open.
@Suite(.timeLimit(.minutes(1))) struct LostNameTests {
  /// Two that open the same log, and somebody who removes the lock's file in between.
  @Test func aLockRemovedBeforeItIsTakenIsMadeAnew() async throws {
    let directory = TemporaryDirectory()
    let thief = Thief(directory.path + "/log.lock")
    let storage = try SystemCalls.withHook(thief) { try directory.open() }
    defer { storage.close() }
    #expect(thief.locks.load(ordering: .relaxed) == 2)
    #expect(performing: { try directory.open() }, throws: isLocked)
    try await storage.append("a", to: "log")
    storage.close()
    let again = try directory.open()
    defer { again.close() }
    #expect(try again.log("log").count == 1)
  }

  /// What becomes of a file that is open.
  enum Loss: String, CaseIterable, Sendable {
    case removed, renamed, replaced, directoryRenamed, directoryRemoved

    func happens(to name: String, in directory: TemporaryDirectory) throws {
      let (file, files) = (directory.file(name), FileManager.default)
      switch self {
      case .removed: try files.removeItem(atPath: file)
      case .renamed: try files.moveItem(atPath: file, toPath: file + ".away")
      case .replaced:
        try files.copyItem(atPath: file, toPath: file + ".copy")
        #expect(rename(file + ".copy", file) == 0)
      case .directoryRenamed: try files.moveItem(atPath: directory.path, toPath: directory.path + ".away")
      case .directoryRemoved: try files.removeItem(atPath: directory.path)
      }
    }

    static func cleanUp(_ directory: TemporaryDirectory) {
      try? FileManager.default.removeItem(atPath: directory.path + ".away")
    }
  }

  static let names = ["log.log", "log.idx", "log.lock"]

  /// Records that others wait to be stable are written by calls, and read by calls: nothing is mapped that could raise a
  /// signal. What was cut off does not come back as a hole that nobody notices.
  @Test(arguments: [0, 16, 100, 5_000], ["log.log", "log.idx"])
  func aSyncedWriterOneOfWhoseFilesIsCutShortThrowsAndRaisesNoSignal(size: Int, file: String) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<100 { try await log.append(pattern(200, seed: number)) }
    #expect(truncate(directory.file(file), off_t(size)) == 0)
    let damage = await corruption { try await log.append("b") }
    #expect(damage?.reason.code == .changedMeanwhile && damage?.path == directory.file(file))
    await #expect(throws: ImmutaError.self) { try await log.append("c") }
    await #expect(throws: ImmutaError.self) { try await log.record(at: 98) }
    _ = try? await log.record(at: 99)
    #expect(throws: ImmutaError.self) { try storage.closeReporting() }
  }

  private func isMoved(_ error: any Error) -> Bool {
    if case ImmutaError.logMoved = error { true } else { false }
  }

  /// Nobody flushes: all the same it does not go on for ever in files that are lost, or beside a second writer.
  @Test(arguments: Loss.allCases, names) func aBufferedWriterNoticesWithinASecondThatAFileHasLostItsName(
    loss: Loss, name: String
  ) async throws {
    let directory = TemporaryDirectory()
    defer { Loss.cleanUp(directory) }
    let storage = try directory.open()
    try await storage.append("a", to: "log")
    try loss.happens(to: name, in: directory)
    let noticed = await eventually(within: .seconds(20)) {
      do {
        try await storage.append("b", to: "log")
        return false
      } catch {
        return isMoved(error)
      }
    }
    #expect(noticed)
    #expect(performing: { try storage.closeReporting() }, throws: isMoved)
  }

  @Test(arguments: Loss.allCases, names) func aSyncedAppendThrowsOnceAFileHasLostItsName(
    loss: Loss, name: String
  ) async throws {
    let directory = TemporaryDirectory()
    defer { Loss.cleanUp(directory) }
    let storage = try directory.open(.synced)
    try await storage.append("a", to: "log")
    try loss.happens(to: name, in: directory)
    await #expect(performing: { try await storage.append("b", to: "log") }, throws: isMoved)
    await #expect(performing: { try await storage.append("c", to: "log") }, throws: isMoved)
    await #expect(performing: { try await storage.sync() }, throws: isMoved)
    #expect(performing: { try storage.closeReporting() }, throws: isMoved)
  }

  @Test(arguments: Loss.allCases, names) func syncingAndClosingThrowOnceAFileHasLostItsName(
    loss: Loss, name: String
  ) async throws {
    let directory = TemporaryDirectory()
    defer { Loss.cleanUp(directory) }
    let storage = try directory.open()
    try await storage.append("a", to: "log")
    try await storage.sync()
    try loss.happens(to: name, in: directory)
    await #expect(performing: { try await storage.sync() }, throws: isMoved)
    #expect(performing: { try storage.closeReporting() }, throws: isMoved)
  }

  @Test(arguments: Loss.allCases, names) func closingThrowsOnceAFileHasLostItsName(
    loss: Loss, name: String
  ) async throws {
    let directory = TemporaryDirectory()
    defer { Loss.cleanUp(directory) }
    let storage = try directory.open()
    try await storage.append("a", to: "log")
    try loss.happens(to: name, in: directory)
    #expect(performing: { try storage.closeReporting() }, throws: isMoved)
  }

  @Test(arguments: names) func theFirstAppendThrowsOnceAFileHasLostItsName(name: String) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    try directory.remove(name)
    for _ in 0..<2 {
      await #expect(performing: { try await storage.append("a", to: "log") }, throws: isMoved)
    }
    #expect(performing: { try storage.closeReporting() }, throws: isMoved)
  }

  @Test func anIntervalNoticesByItself() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.interval(.milliseconds(2)))
    try await storage.append("a", to: "log")
    try directory.remove("log.log")
    let deadline = ContinuousClock.now + .seconds(20)
    var failure: (any Error)?
    while failure == nil, ContinuousClock.now < deadline {
      do { try await storage.append("b", to: "log") } catch { failure = error }
      try await Task.sleep(for: .milliseconds(1))
    }
    #expect(failure.map(isMoved) == true)
    #expect(performing: { try storage.closeReporting() }, throws: isMoved)
  }

  /// The lock's file is gone: whoever would write the log, too, finds its writer all the same, by the file that it writes.
  @Test(arguments: [false, true]) func aWriterThatLostItsLockKeepsOthersOut(hasRolled: Bool) async throws {
    let directory = TemporaryDirectory()
    let first = try directory.open()
    try await first.append("a", to: "log")
    if hasRolled { try await first.log("log").roll() }
    try await first.append("b", to: "log")
    try directory.remove("log.lock")
    for _ in 0..<2 { #expect(performing: { try directory.open(.synced) }, throws: isLocked) }
    #expect(
      performing: { try Storage.repair("log", in: directory.path, applying: true) }, throws: isLocked)
    #expect(performing: { try first.closeReporting() }, throws: isMoved)
    // It is let go with the writer, whatever it said at the end.
    let second = try directory.open()
    try await second.append("c", to: "log")
    try second.closeReporting()
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    #expect(try texts(reading.log("log")) == ["a", "b", "c"])
  }

  /// Records keep mappings of the file that was written, and so the open file: nobody is kept out by them.
  @Test func recordsThatAreHeldKeepNoWriterOut() async throws {
    let directory = TemporaryDirectory()
    var held: [Record] = []
    for round in 0..<3 {
      let storage = try directory.open()
      let log = try storage.log("log")
      try await log.append([UInt8](repeating: UInt8(round), count: 3 << 20))
      try await log.append([UInt8(round)])
      try await log.roll()
      try await log.append([UInt8(round)])
      for number in 0..<log.count { held.append(try await log.record(at: number)) }
      try storage.closeReporting()
    }
    #expect(held.count == 3 + 6 + 9 && held.allSatisfy { !$0.payload.isEmpty })
  }

  @Test func aSwitchedLinkOnTheWayChangesNothing() async throws {
    let (one, other, place) = (TemporaryDirectory(), TemporaryDirectory(), TemporaryDirectory())
    let link = place.file("logs")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: one.path)
    let storage = try Storage(directory: link, namespaces: ["log"], configuration: .init(durability: .synced))
    try await storage.append("a", to: "log")
    try FileManager.default.removeItem(atPath: link)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: other.path)
    try await storage.append("b", to: "log")
    try storage.closeReporting()
    #expect(try other.allFiles().isEmpty)
    let reading = try one.open(access: .readOnly)
    defer { reading.close() }
    #expect(try texts(reading.log("log")) == ["a", "b"])
  }

  @Test func readersGoOnWhereNoFurtherDescriptorIsToBeHad() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2]])
    let storage = try directory.open(.synced)
    defer { storage.close() }
    let log = try storage.log("log")
    try await SystemCalls.withHook(NoDescriptors(directory.path)) {
      try await log.append([3])
      for number in 0..<3 { #expect(try await log.record(at: number).payload.first == UInt8(number + 1)) }
      var stream = log.stream(only: .durable)
      for number in 0..<3 { #expect(try await stream.next()?.payload.first == UInt8(number + 1)) }
      #expect(try log.details.count == 3)
      try await log.sync()
    }
    try storage.closeReporting()
  }

  /// A log that was removed and made again under its name is another one: what is stable is told of the one that is read.
  @Test func whatIsStableIsToldOfTheLogThatIsRead() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.append("a", to: "log")
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    #expect(try reading.details(of: "log").stableCount == 0)
    for name in Self.names { try directory.remove(name) }
    let other = try directory.open(.synced)
    for _ in 0..<3 { try await other.append("b", to: "log") }
    let details = try reading.details(of: "log")
    #expect(details.count == 3 && details.stableCount == 3)
    #expect(try details.identity == other.log("log").identity)
    #expect(try await reading.stream("log", only: .durable).firstWithin(.seconds(10))?.text == "b")
    other.close()
    storage.close()
  }
}

extension RecordStream {
  fileprivate func firstWithin(_ time: Duration) async throws -> Record? {
    var stream = self
    return try await stream.next(timeout: time)
  }
}

/// Removes a file once, when it is about to be locked.
private final class Thief: SystemCallHook {
  let locks = Atomic(0)
  private let path: String

  init(_ path: String) { self.path = path }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    if call == .lock, path == self.path, locks.add(1, ordering: .relaxed).oldValue == 0 {
      try? FileManager.default.removeItem(atPath: path)
    }
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}

/// No file of a directory can be opened.
private final class NoDescriptors: SystemCallHook {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    call == .open && path.hasPrefix(directory) ? .fail(ErrorNumber.tooManyFiles) : .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
