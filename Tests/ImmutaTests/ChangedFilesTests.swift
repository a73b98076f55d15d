import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// What a follower does when the files of its log are not what they were: it goes on where they continue what it has
/// read, and says which record was the last common one otherwise.
@Suite(.timeLimit(.minutes(3))) struct ChangedFilesTests {
  /// A log of text records 0, 1, 2, …, and a stream of another process' kind that has read all of them.
  private func followed(
    _ count: Int, format: LogFormat? = nil
  ) async throws -> (directory: TemporaryDirectory, follower: Storage, stream: RecordStream) {
    let directory = TemporaryDirectory()
    try await directory.append(0..<count, format: format)
    let follower = try directory.open(access: .readOnly, format: format)
    var stream = try follower.log("log").stream()
    for number in 0..<count { #expect(try await stream.next(timeout: .seconds(5))?.text == "record \(number)") }
    return (directory, follower, stream)
  }

  /// The change that a stream reports.
  private func change(_ stream: inout RecordStream) async throws -> LogChange {
    do {
      let record = try await stream.next(timeout: .seconds(20))
      Issue.record("a record was delivered, or nothing: \(record?.text ?? "nothing")")
    } catch ImmutaError.logChanged(let change) {
      return change
    }
    throw TimedOut()
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog], ["NEW 9", "of another size"])
  func recordsThatAReplacedEndTookBackAreSaid(format: LogFormat, text: String) async throws {
    var (directory, follower, stream) = try await followed(10, format: format)
    defer { follower.close() }
    // As a repair of a damaged last record, with others appended since.
    try directory.cutBack(to: 9, format: format)
    try await directory.append(["\(text) a", "\(text) b", "\(text) c"], format: format)
    let found = try await change(&stream)
    #expect(found.sharedCount == 9)
    #expect(found.lastShared == 8)
    #expect(found.kind == .cutBack)
    #expect(stream.position == 10, "the position stays")
    await #expect(throws: ImmutaError.logChanged(found)) { try await stream.next() }
    stream.position = found.sharedCount
    for letter in ["a", "b", "c"] { #expect(try await stream.next(timeout: .seconds(5))?.text == "\(text) \(letter)") }
  }

  /// The log changes once more after the stream was moved to what is the same, and before it looks.
  @Test(arguments: [LogFormat.v1, .v2, .bilog], [false, true])
  func aStreamThatWasMovedIsToldOfTheNextChange(format: LogFormat, growsAgain: Bool) async throws {
    var (directory, follower, stream) = try await followed(10, format: format)
    defer { follower.close() }
    try directory.cutBack(to: 8, format: format)
    try await directory.append(["other 8"], format: format)
    stream.position = try await change(&stream).sharedCount
    #expect(stream.position == 8)
    try directory.cutBack(to: 4, format: format)
    if growsAgain { try await directory.append((4..<12).map { "another \($0)" }, format: format) }
    #expect(try await change(&stream).sharedCount == 4)
    stream.position = 4
    if !growsAgain { try await directory.append(["another 4"], format: format) }
    #expect(try await stream.next(timeout: .seconds(10))?.text == "another 4")
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog]) func aStreamThatWaitsIsTold(format: LogFormat) async throws {
    let (directory, follower, stream) = try await followed(10, format: format)
    defer { follower.close() }
    let waiting = await startWaiting {
      var stream = stream
      return try await stream.next()?.text
    }
    try directory.cutBack(to: 9, format: format)
    try await directory.append(["other"], format: format)
    await #expect(throws: ImmutaError.self) { try await value(of: waiting) }
  }

  @Test func aStreamThatIsNotSoFarGoesOn() async throws {
    let directory = TemporaryDirectory()
    try await directory.append(0..<10)
    let follower = try directory.open(access: .readOnly)
    defer { follower.close() }
    let log = try follower.log("log")
    var early = log.stream()
    #expect(try await early.next()?.text == "record 0")
    var late = log.stream(from: .latest)
    #expect(try await late.next(timeout: .zero) == nil)
    try directory.cutBack(to: 5)
    try await directory.append(["other 5", "other 6"])
    for number in 1..<5 { #expect(try await early.next(timeout: .seconds(5))?.text == "record \(number)") }
    // What it had read ahead by then, it may deliver; what comes after that is told.
    do {
      var number = 5
      while let record = try await early.next(timeout: .seconds(5)) {
        #expect(record.sequence == number)
        if record.text == "other 6" { break }
        number += 1
      }
    } catch ImmutaError.logChanged(let change) {
      #expect(change.sharedCount == 5)
    }
    #expect(try await change(&late).sharedCount == 5)
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog]) func aCopyThatGoesOnIsReadOn(format: LogFormat) async throws {
    var (directory, follower, stream) = try await followed(10, format: format)
    defer { follower.close() }
    let copy = TemporaryDirectory()
    for (name, bytes) in try directory.allFiles() { try copy.write(bytes, to: name) }
    try await copy.append(10..<15, format: format)
    for (name, bytes) in try copy.allFiles() {
      try directory.remove(name)
      try directory.write(bytes, to: name)
    }
    for number in 10..<15 { #expect(try await stream.next(timeout: .seconds(10))?.text == "record \(number)") }
    try await directory.append(15..<18, format: format)
    for number in 15..<18 { #expect(try await stream.next(timeout: .seconds(10))?.text == "record \(number)") }
  }

  @Test(arguments: [false, true]) func aLogPutBackFromAnOlderCopyIsTold(inPlace: Bool) async throws {
    let directory = TemporaryDirectory()
    try await directory.append(0..<6)
    let backup = try directory.allFiles()
    try await directory.append(6..<10)
    let follower = try directory.open(access: .readOnly)
    defer { follower.close() }
    var stream = try follower.log("log").stream(from: .sequence(10))
    #expect(try await stream.next(timeout: .zero) == nil)
    for (name, bytes) in backup {
      if !inPlace { try directory.remove(name) }
      try directory.write(bytes, to: name)
    }
    try await directory.append((6..<12).map { "new \($0)" })
    let found = try await change(&stream)
    #expect(found.sharedCount == 6)
  }

  @Test func anotherLogIsNoContinuation() async throws {
    var (directory, follower, stream) = try await followed(10)
    defer { follower.close() }
    let other = TemporaryDirectory()
    try await other.append((0..<20).map { $0 < 4 ? "record \($0)" : "another \($0)" })
    for (name, bytes) in try other.allFiles() {
      try directory.remove(name)
      try directory.write(bytes, to: name)
    }
    let found = try await change(&stream)
    #expect(found.kind == .replaced)
    #expect(found.sharedCount == 4)
  }

  enum Loss: CaseIterable { case deleted, renamed, directoryRenamed, directoryRemoved }

  @Test(arguments: Loss.allCases) func aLogThatIsGoneIsTold(loss: Loss) async throws {
    let parent = TemporaryDirectory()
    let path = parent.file("logs")
    var configuration = Storage.Configuration()
    do {
      let storage = try Storage(directory: path, namespaces: ["log"], configuration: configuration)
      try await storage.append("only", to: "log")
      storage.close()
    }
    configuration.access = .readOnly
    let follower = try Storage(directory: path, namespaces: ["log"], configuration: configuration)
    defer { follower.close() }
    var stream = try follower.log("log").stream()
    #expect(try await stream.next()?.text == "only")
    let files = FileManager.default
    switch loss {
    case .deleted: for name in ["log.log", "log.idx"] { try files.removeItem(atPath: "\(path)/\(name)") }
    case .renamed: try files.moveItem(atPath: "\(path)/log.log", toPath: "\(path)/log.log.1")
    case .directoryRenamed: try files.moveItem(atPath: path, toPath: path + "2")
    case .directoryRemoved: try files.removeItem(atPath: path)
    }
    let found = try await change(&stream)
    #expect(found.kind == .removed)
    #expect(found.sharedCount == 1)
    if loss == .renamed {
      try files.moveItem(atPath: "\(path)/log.log.1", toPath: "\(path)/log.log")
      #expect(try await stream.next(timeout: .milliseconds(20)) == nil, "it is back, and goes on")
    }
  }

  @Test func aDirectoryThatIsReplacedIsNoticed() async throws {
    let parent = TemporaryDirectory()
    let path = parent.file("logs")
    for text in ["old", "new"] {
      let storage = try Storage(directory: "\(path)-\(text)", namespaces: ["log"])
      for number in 0..<3 { try await storage.append(number == 0 ? "first" : "\(text) \(number)", to: "log") }
      storage.close()
    }
    let files = FileManager.default
    try files.createSymbolicLink(atPath: path, withDestinationPath: "\(path)-old")
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let follower = try Storage(directory: path, namespaces: ["log"], configuration: configuration)
    defer { follower.close() }
    var stream = try follower.log("log").stream()
    for _ in 0..<3 { #expect(try await stream.next() != nil) }
    try files.removeItem(atPath: path)
    try files.createSymbolicLink(atPath: path, withDestinationPath: "\(path)-new")
    #expect(try await change(&stream).sharedCount == 1)
  }

  @Test func truncationIsAnErrorAndNoSignal() async throws {
    let directory = TemporaryDirectory()
    let large = pattern(3 << 20)
    do {
      let storage = try directory.open()
      try await storage.append("small", to: "log")
      try await storage.append(large, to: "log")
      storage.close()
    }
    let follower = try directory.open(access: .readOnly)
    defer { follower.close() }
    let log = try follower.log("log")
    let record = try await log.record(at: 1)
    let waiting = await startWaiting {
      var stream = log.stream(from: .sequence(2))
      return try await stream.next()?.text
    }
    #expect(truncate(directory.file("log.log"), 0) == 0)
    await #expect(throws: ImmutaError.self) { try await value(of: waiting) }
    #expect(throws: ImmutaError.self) { try record.payload.inMemory() }
    #expect(throws: ImmutaError.self) { try record.payload.forEachChunk { _ in } }
    await #expect(throws: ImmutaError.self) { try await log.record(at: 0) }
  }

  @Test func aLargeRecordIsReadInPiecesAndWhole() async throws {
    let directory = TemporaryDirectory()
    let large = pattern(5 << 20)
    try await directory.fill([large])
    let follower = try directory.open(access: .readOnly)
    defer { follower.close() }
    let record = try await follower.log("log").record(at: 0)
    var bytes: [UInt8] = []
    try record.payload.forEachChunk(ofSize: 100_000) { bytes += Array($0) }
    #expect(bytes == large)
    #expect(Array(record.payload) == large)
    var changed = try directory.bytes(of: "log.log")
    changed[changed.count - 1] ^= 1
    let handle = try FileHandle(forUpdating: URL(filePath: directory.file("log.log")))
    try handle.seek(toOffset: UInt64(changed.count - 1))
    try handle.write(contentsOf: [changed[changed.count - 1]])
    try handle.close()
    let seen = await corruption { try record.payload.forEachChunk { _ in } }
    #expect(seen?.sequence == 0)
  }

  @Test func aLogWithADamagedHeaderIsFollowedOnceItIsRepaired() async throws {
    let directory = TemporaryDirectory()
    try await directory.append(0..<5)
    var bytes = try directory.bytes(of: "log.log")
    store(1 << 40, at: 0, in: &bytes)
    try directory.write(bytes, to: "log.log")
    let follower = try directory.open(access: .readOnly)
    defer { follower.close() }
    let log = try follower.log("log")
    #expect(log.count == 5)
    #expect(try log.details.damage != nil)
    var stream = log.stream()
    for number in 0..<5 { #expect(try await stream.next()?.text == "record \(number)") }
    #expect(try Storage.repair("log", in: directory.path, applying: true).isApplied)
    try await directory.append(5..<8)
    for number in 5..<8 { #expect(try await stream.next(timeout: .seconds(20))?.text == "record \(number)") }
    #expect(try log.details.damage == nil)
  }

  @Test func aDurableStreamTakesNoOtherLogsCompanion() async throws {
    let parent = TemporaryDirectory()
    let path = parent.file("logs")
    let storage = try Storage(directory: path, namespaces: ["log"])
    defer { storage.close() }
    try await storage.append("never flushed", to: "log")
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let follower = try Storage(directory: path, namespaces: ["log"], configuration: configuration)
    defer { follower.close() }
    var stream = try follower.log("log").stream(only: .durable)
    let other = TemporaryDirectory()
    try await other.append(0..<100)
    try FileManager.default.removeItem(atPath: "\(path)/log.idx")
    try FileManager.default.copyItem(atPath: other.file("log.idx"), toPath: "\(path)/log.idx")
    do {
      #expect(try await stream.next(timeout: .milliseconds(100)) == nil)
    } catch is ImmutaError {
      // That the companion is another's may be told, too.
    }
  }
}

extension TemporaryDirectory {
  /// Appends to the log by a storage that is closed again.
  fileprivate func append(_ texts: [String], format: LogFormat? = nil) async throws {
    let storage = try open(format: format)
    defer { storage.close() }
    for text in texts { try await storage.append(text, to: "log") }
  }

  fileprivate func append(_ numbers: Range<Int>, format: LogFormat? = nil) async throws {
    try await append(numbers.map { "record \($0)" }, format: format)
  }

  /// Damages the record of a number, and repairs the log, so that it and all after it are cut off.
  fileprivate func cutBack(to number: Int, format: LogFormat? = nil) throws {
    let name = format == .bilog ? "log.bilog" : "log.log"
    let bytes = try bytes(of: name)
    let header = format == .bilog ? 12 : 8
    var index = format == .bilog ? 0 : format == .v1 ? 8 : 16
    for _ in 0..<number {
      index += header + (format == .bilog ? Int(bytes[index + 7]) - 12 : integer(bytes, at: index))
    }
    let handle = try FileHandle(forUpdating: URL(filePath: file(name)))
    // Its bytes and those of all that follow.
    try handle.seek(toOffset: UInt64(index))
    try handle.write(contentsOf: [UInt8](repeating: 0xEE, count: bytes.count - index))
    try handle.close()
    #expect(try Storage.repair("log", in: path, format: format, applying: true).isApplied)
  }
}
