import ArgumentParser
import Foundation
import Immuta
import Synchronization
import Testing

@testable import ImmutaCLI

/// Who was told that records are appended is told when closing could not put them on stable storage.
@Suite("A flush that fails when the tool closes a log", .serialized)
struct ClosingTests {
  /// Lets flushes fail once the log is being closed: its companion, in which room was reserved, is then cut to its size.
  private final class FailingClose: SystemCallHook {
    private let companion: String
    private let directory: String
    private let hasRoom = Atomic(false)
    private let isClosing = Atomic(false)

    init(_ companion: String) {
      self.companion = companion
      directory = String(companion[..<(companion.lastIndex(of: "/") ?? companion.endIndex)])
    }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      if path == companion, call == .reserve { hasRoom.store(true, ordering: .relaxed) }
      if path == companion, call == .truncate, hasRoom.load(ordering: .relaxed) {
        isClosing.store(true, ordering: .relaxed)
      }
      guard call == .flush, path.hasPrefix(directory), isClosing.load(ordering: .relaxed) else { return .proceed }
      return .fail(ErrorNumber.ioError)
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  private func isFailedFlush(_ error: any Error) -> Bool {
    guard let failure = Failure(error).message else { return false }
    return failure.contains("fdatasync failed") && Failure(error).status == .failure
  }

  @Test("append") func append() async throws {
    let place = Workplace()
    try place.write(Array("one\ntwo\n".utf8), to: "lines")
    let command = try Append.parse(["e", "--dir", "\(place.path)/logs", "\(place.path)/lines"])
    await SystemCalls.withHook(FailingClose("\(place.path)/logs/e.idx")) {
      await #expect(performing: { try await command.execute() }, throws: isFailedFlush)
    }
  }

  @Test("logstore append") func storeAppend() async throws {
    let place = Workplace()
    try place.write(Array("a\tone\na\ttwo\n".utf8), to: "lines")
    let command = try LogStoreAppend.parse(["\(place.path)/store", "\(place.path)/lines", "--partitions", "1"])
    await SystemCalls.withHook(FailingClose("\(place.path)/store/0.bilog.companion")) {
      await #expect(performing: { try await command.execute() }, throws: isFailedFlush)
    }
  }

  @Test("migrate") func migrate() async throws {
    let place = Workplace()
    try place.write(Array("one\ntwo\n".utf8), to: "lines")
    let command = try Migrate.parse(["lines:\(place.path)/lines", "log:\(place.path)/logs/e"])
    await SystemCalls.withHook(FailingClose("\(place.path)/logs/e.idx")) {
      await #expect(performing: { try await command.execute() }, throws: isFailedFlush)
    }
  }

  @Test("demo") func demo() async throws {
    let place = Workplace()
    let demonstration = Demonstration(directory: place.path, records: 10, size: 10, progress: Progress("test"))
    let report = try await SystemCalls.withHook(FailingClose("\(place.path)/demo.idx")) {
      try await demonstration.run()
    }
    #expect(!report.isHeld && report.lines.contains { $0.contains("close") && $0.contains("fdatasync failed") })
  }

  /// Takes records, and fails to flush after so many flushes.
  private final class FailingTarget: AppendTarget {
    var flushes: Int
    var count = 0
    init(flushes: Int) { self.flushes = flushes }

    func append(_ record: ArraySlice<UInt8>, number: Int) async throws -> AppendReceipt? { take(record.count) }
    func append(_ record: RecordInput.Pieces, number: Int) async throws -> AppendReceipt {
      for try await _ in record {}
      return take(0)
    }
    private func take(_ size: Int) -> AppendReceipt {
      count += 1
      return AppendReceipt(sequence: count - 1, index: 0, size: size)
    }
    func sync() async throws {
      if flushes == 0 { throw ImmutaError.io(errno: ErrorNumber.ioError, operation: "fdatasync", path: "e.log") }
      flushes -= 1
    }
    func text(of summary: Appender.Summary, time: Duration) -> String { "" }
    func object(of summary: Appender.Summary, time: Duration) -> JSONObject { JSONObject() }
  }

  @Test(
    "What is stable is told apart from what was appended",
    arguments: [
      (0, "; 3 records before it were appended, and may be lost: see how many the log has before you go on"),
      (
        1,
        "; 3 records before it are on stable storage: the last one, line 3 of the input, is record 2; 3 records after them "
          + "were appended, and may be lost: see how many the log has before you go on"
      ),
    ])
  func stable(flushes: Int, expected: String) async throws {
    let place = Workplace()
    try place.write(Array("a\nb\nc\n".utf8), to: "lines")
    let appender = Appender(to: FailingTarget(flushes: flushes), isSynced: true, receipts: nil)
    do {
      for _ in 0...flushes {
        try await appender.append(RecordInput(try FileSource("\(place.path)/lines"), delimiter: UInt8(ascii: "\n")))
      }
      Issue.record("nothing failed")
    } catch {
      #expect(Failure(appender.failure(error)).message?.hasSuffix(expected) == true, "\(appender.failure(error))")
    }
  }
}
