import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// What is left behind by a flush or a reservation that failed, for whoever comes next.
@Suite(.timeLimit(.minutes(1))) struct FailedFlushTests {
  /// Leaves in `target` what a killed process leaves: a log that was not closed, of one record.
  private func crash(into target: TemporaryDirectory) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await storage.append("a", to: "log")
    for (name, bytes) in try directory.allFiles() { try target.write(bytes, to: name) }
  }

  @Test func openingAfterAnOpeningWhoseFlushFailedWritesTheUnstableRecordsOnceMore() async throws {
    let directory = TemporaryDirectory()
    try await crash(into: directory)
    SystemCalls.withHook(CallWatch(directory.path, failing: .flush)) {
      #expect(throws: ImmutaError.self) { try directory.open() }
    }
    let watch = CallWatch(directory.path)
    let reopened = try SystemCalls.withHook(watch) { try directory.open() }
    defer { reopened.close() }
    #expect(watch.count(.write, "log.log") >= 3, "the header, the record, and the header as it is recovered")
    #expect(try texts(reopened.log("log")) == ["a"])
  }

  /// The kernel may drop a page whose flush failed. The machine was up ever since, yet it is no damage.
  @Test func whatTheKernelLostWithAFailedFlushIsCutOff() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.append("a", to: "log")
    try await storage.sync()
    let lost = try await storage.append("b", to: "log")
    await SystemCalls.withHook(CallWatch(directory.path, failing: .flush)) {
      await #expect(throws: ImmutaError.self) { try await storage.sync() }
    }
    storage.close()
    var bytes = try directory.bytes(of: "log.log")
    for position in lost.index..<lost.index + 9 { bytes[position] = 0 }
    try directory.write(bytes, to: "log.log")
    let reopened = try directory.open()
    defer { reopened.close() }
    #expect(try texts(reopened.log("log")) == ["a"])
    #expect(try reopened.details(of: "log").tornCount == 1)
  }

  /// The next writer must find the mark: it is left while the lock is held, and the companion is not touched after.
  @Test func aFlushThatFailsInClosingIsMarkedBeforeTheLockIsFree() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    try await storage.append("a", to: "log")
    let watch = CallWatch(directory.path, failing: .flush, watchingLockOf: "log.lock")
    SystemCalls.withHook(watch) { storage.close() }
    #expect(watch.count(.write, "log.idx") == 1)
    #expect(watch.unlockedWrites == 0)
  }

  @Test func aFirstAppendThatFailedForLackOfRoomReservesAllItNeedsWhenThereIsSome() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let full = CallWatch(directory.path, failing: .reserve, of: "log.idx")
    await SystemCalls.withHook(full) {
      await #expect(throws: ImmutaError.self) { try await storage.append("a", to: "log") }
    }
    #expect(try directory.bytes(of: "log.log").count == 16, "what was reserved in vain is given back")
    let watch = CallWatch(directory.path)
    try await SystemCalls.withHook(watch) { try await storage.append("a", to: "log") }
    #expect(watch.count(.reserve, "log.log") == 1)
    #expect(watch.count(.reserve, "log.idx") == 1)
  }

  @Test(arguments: [true, false]) func aReaderElsewhereNoticesThatTheCompanionWasMadeAnew(beforeReading: Bool)
    async throws
  {
    let directory = TemporaryDirectory()
    try await directory.fill([[1]])
    if beforeReading { try directory.remove("log.idx") }
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    if !beforeReading { try directory.remove("log.idx") }
    let storage = try directory.open()
    defer { storage.close() }
    try await storage.append([2], to: "log")
    try await storage.sync()
    var stream = reading.stream("log", only: .durable)
    #expect(try await stream.next(timeout: .seconds(10))?.payload.first == 1)
    #expect(try await stream.next(timeout: .seconds(10))?.payload.first == 2)
  }
}

/// Counts the calls on the files of a directory, and makes those of one kind fail.
private final class CallWatch: SystemCallHook {
  private let directory: String
  private let failing: SystemCall?
  private let failingFile: String?
  private let lockedFile: String?
  private let counts = Mutex<[String: Int]>([:])
  private let unlocked = Atomic(0)

  init(
    _ directory: String, failing: SystemCall? = nil, of file: String? = nil, watchingLockOf lockedFile: String? = nil
  ) {
    self.directory = directory
    self.failing = failing
    failingFile = file.map { "\(directory)/\($0)" }
    self.lockedFile = lockedFile.map { "\(directory)/\($0)" }
  }

  func count(_ call: SystemCall, _ name: String) -> Int {
    counts.withLock { $0["\(call) \(directory)/\(name)", default: 0] }
  }

  /// Writes that were made while nobody had the lock.
  var unlockedWrites: Int { unlocked.load(ordering: .relaxed) }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    guard call == failing, path.hasPrefix(directory), failingFile == nil || failingFile == path else { return .proceed }
    return .fail(call == .reserve ? ErrorNumber.noSpace : ErrorNumber.ioError)
  }

  func didCall(_ call: SystemCall, path: String) {
    counts.withLock { $0["\(call) \(path)", default: 0] += 1 }
    guard call == .write, path.hasPrefix(directory), let lockedFile else { return }
    if (try? Descriptor(opening: lockedFile, .readWrite).tryLock()) == true { unlocked.add(1, ordering: .relaxed) }
  }
}
