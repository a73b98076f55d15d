import Immuta
import ImmutaTestSupport
import Testing

/// Programs that are started before the one that makes the log.
@Suite(.timeLimit(.minutes(1))) struct WhenPresentTests {
  @Test func aLogIsFollowedAsSoonAsItExists() async throws {
    let parent = TemporaryDirectory()
    let directory = "\(parent.path)/later"
    let following = Task {
      let storage = try await Storage.whenPresent(directory: directory, namespaces: ["a", "b"])
      defer { storage.close() }
      let record = try await storage.reader("b", from: .beginning).next()
      return (record?.text, try storage.log("a").count)
    }
    // It waits for the directory, then for one log and for the other.
    try await Task.sleep(for: .milliseconds(150))
    let first = try Storage(directory: directory, namespaces: ["a"])
    defer { first.close() }
    try await first.append("one", to: "a")
    try await Task.sleep(for: .milliseconds(150))
    let second = try Storage(directory: directory, namespaces: ["b"])
    defer { second.close() }
    try await second.append("two", to: "b")
    let (text, count) = try await following.value
    #expect(text == "two" && count == 1)
  }

  @Test func waitingMakesNothingAndEndsWhenItIsCancelled() async throws {
    let parent = TemporaryDirectory()
    let directory = "\(parent.path)/never"
    let following = Task { _ = try await Storage.whenPresent(directory: directory, namespaces: ["a"]) }
    try await Task.sleep(for: .milliseconds(250))
    following.cancel()
    await #expect(throws: CancellationError.self) { try await following.value }
    #expect(throws: ImmutaError.self) { try Storage.namespaces(in: directory) }
  }

  @Test func whatIsWrongIsNotWaitedFor() async throws {
    let directory = TemporaryDirectory()
    await #expect(throws: ImmutaError.namespaceRequired) {
      try await Storage.whenPresent(directory: directory.path, namespaces: [])
    }
    await #expect(throws: ImmutaError.invalidNamespace("a/b")) {
      try await Storage.whenPresent(directory: directory.path, namespaces: ["a/b"])
    }
    try directory.write(Array("no log, but some other text".utf8), to: "a.log")
    await #expect(throws: ImmutaError.self) {
      try await Storage.whenPresent(directory: directory.path, namespaces: ["a"])
    }
    // A file in the place of the directory.
    await #expect(throws: ImmutaError.self) {
      try await Storage.whenPresent(directory: "\(directory.path)/a.log", namespaces: ["a"])
    }
  }
}
