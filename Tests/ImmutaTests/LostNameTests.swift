import Foundation
import Immuta
import Synchronization
import Testing

/// Files that lose their names between two calls of an opening.
@Suite struct LostNameTests {
  /// Two that begin the same new log: one fails and removes its file, while the other has it open and is about to lock
  /// it.
  @Test func aLogRemovedBeforeItIsLockedIsMadeAnew() async throws {
    let directory = TemporaryDirectory()
    let thief = Thief(directory.path + "/log.log")
    let storage = try SystemCalls.withHook(thief) { try directory.open() }
    defer { storage.close() }
    #expect(thief.locks.load(ordering: .relaxed) == 2)
    try await storage.append("a", to: "log")
    storage.close()
    let again = try directory.open()
    defer { again.close() }
    #expect(try again.log("log").count == 1)
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
