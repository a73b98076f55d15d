import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// A file that may not grow makes a log roll that rolls by itself, whichever file it is; another log gets an error, and nothing
/// has changed. Where the tool runs under real limits: FileSizeLimitTests.
@Suite(.timeLimit(.minutes(2))) struct FullCompanionTests {
  /// No companion has room for more than a few hundred records.
  private final class Limit: SystemCallHook {
    let path: String
    let suffix: String
    let refused = Lock(0)
    private let reservations = Lock<[String: Int]>([:])

    init(_ directory: TemporaryDirectory, _ suffix: String) { (path, self.suffix) = (directory.path, suffix) }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      guard call == .reserve, path.hasPrefix(self.path), path.hasSuffix(suffix) else { return .proceed }
      // Made ahead.
      if path.contains("/next.") { return .proceed }
      // The first room of a file is 16 KiB, or 64 KiB of a log.
      let isFirst = reservations.withLock { counts in
        counts[path, default: 0] += 1
        return counts[path] == 1
      }
      if isFirst { return .proceed }
      refused.withLock { $0 += 1 }
      return .fail(EFBIG)
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  private func open(_ directory: TemporaryDirectory, rolls: Bool, codec: Codec? = nil) throws -> Storage {
    var configuration = Storage.Configuration()
    configuration.segments = SegmentLimits(maximumAge: rolls ? .seconds(3_600) : nil)
    if let codec { configuration.codec = codec }
    return try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
  }

  @Test(arguments: [".idx", ".log"]) func aLogThatRollsGoesOnInTheNextSegment(suffix: String) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let limit = Limit(directory, suffix)
    try await SystemCalls.withHook(limit) {
      let storage = try open(directory, rolls: true)
      defer { storage.close() }
      let log = try storage.log("log")
      let line = String(repeating: "x", count: suffix == ".log" ? 100 : 0)
      for _ in 0..<2_000 { try await log.append(line) }
      #expect(log.count == 2_000)
      // Each for itself: those who wait are appended for.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<32 {
          group.addTask { for _ in 0..<100 { try await log.append(line) } }
        }
        try await group.waitForAll()
      }
      #expect(log.count == 5_200)
      try blocking(log, line)
      #expect(try log.details.segmentCount > 3)
      #expect(try await log.verify().records == 6_200)
    }
    #expect(limit.refused.withLock { $0 } > 3)
  }

  private func blocking(_ log: Log, _ line: String) throws {
    for _ in 0..<1_000 { try log.append(line) }
  }

  @Test func aTransactionThatFindsNoRoomIsAnErrorAndTheNextOneHasRoom() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let limit = Limit(directory, ".idx")
    try await SystemCalls.withHook(limit) {
      let storage = try open(directory, rolls: true)
      defer { storage.close() }
      let log = try storage.log("log")
      for _ in 0..<300 { try await log.append("") }
      func together() async throws { try await log.append(contentsOf: [String](repeating: "", count: 400)) }
      let failure = await error { try await together() }
      #expect(failure.map { "\($0)" }?.contains("File too large") == true)
      #expect(log.count == 300)
      try await together()
      #expect(log.count == 700)
      #expect(try log.details.segmentCount == 2)
    }
  }

  @Test func aLogThatDoesNotRollByItselfThrowsAndStaysWhole() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await SystemCalls.withHook(Limit(directory, ".idx")) {
      let storage = try open(directory, rolls: false)
      defer { storage.close() }
      let log = try storage.log("log")
      let failure = await error { for _ in 0..<2_000 { try await log.append("") } }
      #expect(failure.map { "\($0)" }?.contains("File too large") == true)
      let count = log.count
      #expect(count > 100 && count < 2_000)
      // By hand it does.
      try await log.roll()
      #expect(try await log.append("").sequence == count)
      #expect(try await log.verify().records == count + 1)
    }
  }
}
