import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

extension TurnTests {
  /// Holds up and counts the flushes of one directory's files.
  private final class SlowDevice: SystemCallHook {
    private let directory: String
    private let count = Box(0)
    private let isHeld = Box(true)

    init(_ directory: String) { self.directory = directory }

    var flushes: Int { count.withLock { $0 } }

    func release() { isHeld.withLock { $0 = false } }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      if call == .flush, path.hasPrefix(directory) {
        while isHeld.withLock({ $0 }) { usleep(500) }
      }
      return .proceed
    }
    func didCall(_ call: SystemCall, path: String) {
      if call == .flush, path.hasPrefix(directory) { count.withLock { $0 += 1 } }
    }
  }

  /// The turn is not kept through the flush: those who come next append meanwhile, and share the next flush.
  @Test(arguments: [false, true]) func callersWhoWaitForAFlushShareItWhetherOrNotTheyHadTheTurn(isTaken: Bool)
    async throws
  {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("first")
    let device = SlowDevice(directory.path)
    try await SystemCalls.withHook(device) {
      defer { device.release() }
      let transaction = isTaken ? try await log.beginTransaction() : nil
      var appends: [Task<Receipt, any Error>] = []
      for number in 0..<16 { appends.append(await startWaiting { try await log.append("\(number)") }) }
      transaction?.rollBack()
      // None is acknowledged while the first flush has not ended.
      #expect(device.flushes == 0)
      device.release()
      for append in appends { _ = try await value(of: append) }
    }
    // Two files a flush: one that began with the first, one for all the others, and one to spare.
    #expect(device.flushes <= 6)
  }
}
