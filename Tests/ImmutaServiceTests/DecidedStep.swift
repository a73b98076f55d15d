import Immuta
import ImmutaLocking
import ImmutaTestSupport

/// Copies the files of a storage once it is decided that a step counts, and before its logs have their parts.
final class DecidedStep: SystemCallHook {
  private let directory: String
  private let target: String
  private let isTaken = Lock(false)

  private init(_ directory: String, _ target: String) { (self.directory, self.target) = (directory, target) }

  /// Makes a step over the logs `a` and `b`. The image is what a process leaves that dies in it.
  static func make(in storage: Storage, of directory: TemporaryDirectory, image: TemporaryDirectory) async throws {
    try await SystemCalls.withHook(DecidedStep(directory.path, image.path)) {
      try await storage.transaction(in: ["a", "b"]) { step in
        for name in ["a", "b"] { try await step.append("x", to: name) }
      }
    }
  }

  func didCall(_ call: SystemCall, path: String) {
    guard call == .write, path.hasPrefix(directory), path.hasSuffix(".intents/a") else { return }
    let isFirst = isTaken.withLock { isTaken in
      defer { isTaken = true }
      return !isTaken
    }
    if isFirst { try? FileBytes.copy(directory: directory, to: target) }
  }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome { .proceed }
}
