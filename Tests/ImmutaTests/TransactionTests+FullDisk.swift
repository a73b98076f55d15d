import Immuta
import ImmutaTestSupport
import Testing

extension TransactionTests {
  /// Fails every reservation while it is armed.
  private final class FullDisk: SystemCallHook {
    private let directory: String
    private let isFull = Box(false)

    init(_ directory: String) { self.directory = directory }

    func set(_ value: Bool) { isFull.withLock { $0 = value } }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      call == .reserve && path.hasPrefix(directory) && isFull.withLock({ $0 }) ? .fail(28) : .proceed
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test func aTransactionGoesOnAfterALargeRecordThatTheDiskHadNoRoomFor() async throws {
    await #expect(processExitsWith: .success) {
      let directory = TemporaryDirectory()
      let storage = try directory.open()
      defer { storage.close() }
      let disk = FullDisk(directory.path)
      try await SystemCalls.withHook(disk) {
        try await storage.transaction(in: "log") { transaction in
          try await transaction.append("first")
          disk.set(true)
          await #expect(throws: ImmutaError.self) { try await transaction.append(pattern(20 << 20)) }
          disk.set(false)
          try await transaction.append("second")
        }
      }
      #expect(try texts(storage.log("log")) == ["first", "second"])
    }
  }
}
