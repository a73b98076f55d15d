import Immuta
import ImmutaTestSupport
import Testing

/// Files that are written over under a follower, and then replaced, before it has noticed the first.
@Suite(.timeLimit(.minutes(2))) struct OverwrittenFilesTests {
  /// Large, so that a stream reads few of them at once.
  private func texts(_ name: String, _ numbers: Range<Int>) -> [String] {
    numbers.map { "\(name) \($0) " + String(repeating: "z", count: 20_000) }
  }

  private func append(_ texts: [String], to directory: TemporaryDirectory, _ format: LogFormat) async throws {
    let storage = try directory.open(format: format)
    defer { storage.close() }
    for text in texts { try await storage.append(text, to: "log") }
  }

  /// What the stream read of the files as they were written over has nothing to do with how many records the files before
  /// and after have in common.
  @Test(arguments: [LogFormat.v1, .v2, .bilog], [false, true])
  func whatWasReadOfAnotherLogIsNotTakenForThatOfTheFilesBefore(format: LogFormat, isAnother: Bool) async throws {
    let directory = TemporaryDirectory()
    try await append(texts("record", 0..<20), to: directory, format)
    let start = try directory.allFiles()
    try await append(texts("record", 20..<26), to: directory, format)
    let backup = try directory.allFiles()
    try await append(texts("record", 26..<40), to: directory, format)
    let other = TemporaryDirectory()
    let shared = isAnother ? 0 : 20
    if !isAnother { for (name, bytes) in start { try other.write(bytes, to: name) } }
    try await append(texts("other", shared..<36), to: other, format)

    let follower = try directory.open(access: .readOnly, format: format)
    defer { follower.close() }
    var stream = try follower.log("log").stream()
    var read: [String] = []
    if !isAnother { for _ in 0..<5 { read.append(try #require(try await stream.next()).text) } }
    for (name, bytes) in try other.allFiles() { try directory.write(bytes, to: name) }
    for _ in read.count..<30 { read.append(try #require(try await stream.next(timeout: .seconds(20))).text) }
    for (name, bytes) in backup {
      try directory.remove(name)
      try directory.write(bytes, to: name)
    }
    var change: LogChange?
    do {
      // What was read ahead may still come.
      while let record = try await stream.next(timeout: .seconds(20)) { read.append(record.text) }
    } catch ImmutaError.logChanged(let found) {
      change = found
    }
    #expect(read == Array((texts("record", 0..<shared) + texts("other", shared..<36))[..<read.count]))
    #expect(change?.sharedCount == shared)
  }
}
