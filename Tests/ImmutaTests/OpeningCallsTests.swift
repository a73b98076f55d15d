import Immuta
import ImmutaTestSupport
import Testing

/// Opening a log that was closed costs so many calls, whatever its size.
@Suite(.timeLimit(.minutes(1))) struct OpeningCallsTests {
  private struct Calls: Hashable, CustomStringConvertible {
    var logReads: Int
    var companionReads: Int
    var logStatuses: Int
    var companionStatuses: Int

    var description: String {
      "log: \(logReads) reads, \(logStatuses) statuses; companion: \(companionReads) reads, \(companionStatuses) statuses"
    }
  }

  private func calls(_ directory: TemporaryDirectory, _ access: Storage.Access) async throws -> Calls {
    let injector = FaultInjector(directory: directory.path)
    return try await injector.run {
      let storage = try directory.open(access: access)
      defer { storage.close() }
      return Calls(
        logReads: injector.count(.read, of: "log.log"), companionReads: injector.count(.read, of: "log.idx"),
        logStatuses: injector.statusCount(of: "log.log"), companionStatuses: injector.statusCount(of: "log.idx"))
    }
  }

  /// The log's header, the first record, and the last one, where it lies farther on; the companion's header, its first entries, and
  /// the last one, where it is not among them. Both records prove that the companion is this log's: no more is read for that.
  @Test(arguments: [1, 1_000]) func aLogThatWasClosedIsOpenedWithFewCalls(count: Int) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<count).map { pattern($0 % 100, seed: $0) })
    let reads = count == 1 ? 2 : 3
    let writing = try await calls(directory, .readWrite)
    #expect(
      writing == Calls(logReads: reads, companionReads: reads, logStatuses: 5, companionStatuses: 5))
    // The last entries, too, by which a follower notices that the log is not what it was.
    let reading = try await calls(directory, .readOnly)
    #expect(reading == Calls(logReads: reads, companionReads: reads + 1, logStatuses: 3, companionStatuses: 5))
  }

  /// A writer may be about to write its header: it is waited for, a tenth of a second.
  @Test func anEmptyFileIsNotAskedForItsSizeAHundredTimes() async throws {
    let directory = TemporaryDirectory()
    try directory.write([], to: "log.log")
    let injector = FaultInjector(directory: directory.path)
    _ = await injector.run {
      #expect(throws: ImmutaError.self) { try directory.open(access: .readOnly) }
    }
    #expect(injector.statusCount(of: "log.log") <= 16)
  }
}
