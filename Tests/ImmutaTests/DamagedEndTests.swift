import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// A log whose newest segment is damaged, foreign or missing: the records before it can be read, whoever reads further gets
/// one error that names the segment, and nothing is appended or changed.
@Suite(.timeLimit(.minutes(3))) struct DamagedEndTests {
  private static func name(_ first: Int) -> String { String(repeating: "0", count: 20 - "\(first)".count) + "\(first)" }
  private static func log(_ first: Int) -> String { first == 0 ? "log.log" : "log.segments/\(name(first)).log" }
  private static func companion(_ first: Int) -> String { first == 0 ? "log.idx" : "log.segments/\(name(first)).idx" }
  private func numbers(_ range: Range<Int>) -> [String] { range.map(String.init) }

  private func open(_ directory: TemporaryDirectory, _ access: Storage.Access = .readWrite) throws -> Storage {
    try SegmentedLogTests.open(directory, access: access)
  }

  /// Forty records in segments of ten: closed, or as a killed writer leaves them.
  private func filled(isClosed: Bool) async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory(inMemory: true)
    try await SegmentedLogTests.fill(directory)
    if isClosed { return directory }
    let storage = try open(directory)
    defer { storage.close() }
    // It is marked as open by its next record.
    try await storage.append("40", to: "log")
    return try copy(of: directory)
  }

  /// The files as they are at this moment.
  private func copy(of directory: TemporaryDirectory) throws -> TemporaryDirectory {
    let copy = TemporaryDirectory(inMemory: true)
    // Other threads go on: what is the same twice in a row was there at one moment, as a killed process leaves it.
    var files = try directory.tree()
    while true {
      let again = try directory.tree()
      if again == files { break }
      files = again
    }
    for (name, bytes) in files {
      if let slash = name.lastIndex(of: "/") {
        try FileManager.default.createDirectory(
          atPath: copy.file(String(name[..<slash])), withIntermediateDirectories: true)
      }
      try copy.write(bytes, to: name)
    }
    return copy
  }

  private func salvaged(_ directory: TemporaryDirectory) throws -> [String] {
    _ = try Storage.salvage("log", in: directory.path, into: "new")
    let storage = try Storage(directory: directory.path, namespaces: ["new"])
    defer { storage.close() }
    let log = try storage.log("new")
    return try log.records(in: 0..<log.count).map(\.text)
  }

  // MARK: The newest

  enum Damage: CaseIterable, Sendable {
    case text, cutShort, another, misplacedCompanion, folder, link, companionIsFolder, logMissing, bothMissing

    func apply(to directory: TemporaryDirectory) throws {
      let (log, companion) = (DamagedEndTests.log(30), DamagedEndTests.companion(30))
      switch self {
      case .text:
        try directory.write(Array("this is a note, and no log at all\n".utf8), to: log)
        try directory.remove(companion)
      case .cutShort: try directory.write([1, 2, 3], to: log)
      case .another: try directory.write(directory.bytes(of: DamagedEndTests.log(10)), to: log)
      case .misplacedCompanion: try directory.write(directory.bytes(of: DamagedEndTests.companion(10)), to: companion)
      case .folder:
        try directory.remove(log)
        _ = try directory.subdirectory(log)
      case .link:
        try FileManager.default.moveItem(atPath: directory.file(log), toPath: directory.file("else"))
        try FileManager.default.createSymbolicLink(
          atPath: directory.file(log), withDestinationPath: directory.file("else"))
      case .companionIsFolder:
        try directory.remove(companion)
        _ = try directory.subdirectory(companion)
      case .logMissing: try directory.remove(log)
      case .bothMissing: for file in [log, companion] { try directory.remove(file) }
      }
    }
  }

  @Test(arguments: Damage.allCases, [true, false])
  func theRecordsBeforeItAreReadAndItIsNamedWhereItsRecordsWouldCome(damage: Damage, isClosed: Bool) async throws {
    let directory = try await filled(isClosed: isClosed)
    let whole = try directory.tree()
    try damage.apply(to: directory)
    let before = try directory.tree()

    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.records(in: 0..<30).map(\.text) == numbers(0..<30))
    let details = try log.details
    #expect(details.count == 30 && log.count == 30 && details.damage != nil, "\(details)")
    // Whoever comes to its records gets the error, however.
    let later = Timestamp(nanosecondsSince1970: Timestamp.now.nanosecondsSince1970 + 60_000_000_000)
    var errors: [ImmutaError?] = []
    var reader = log.stream(from: .sequence(25))
    for number in 25..<30 { #expect(try await reader.next()?.text == "\(number)") }
    errors.append(await error { _ = try await reader.next(timeout: .seconds(1)) })
    errors.append(await error { _ = try await reader.next(timeout: .milliseconds(1)) })
    var latest = log.stream(from: .latest)
    errors.append(await error { _ = try await latest.next(timeout: .seconds(1)) })
    var beyond = log.stream(from: .sequence(35))
    errors.append(await error { _ = try await beyond.next(timeout: .seconds(1)) })
    var coming = log.stream(from: .time(later))
    errors.append(await error { _ = try await coming.next(timeout: .seconds(1)) })
    errors.append(await error { for try await _ in log.history(from: .sequence(28)) {} })
    errors.append(await error { _ = try log.records(in: 25..<35) })
    errors.append(await error { _ = try await log.record(at: 30) })
    errors.append(await error { _ = try await log.verify() })
    let keyed = try log.keyed("parity") { payload in Int(payload.text).map { $0 % 2 == 0 ? "even" : "odd" } }
    var even = 0
    var stream = keyed.stream("even")
    errors.append(await error { while try await stream.next(timeout: .seconds(1)) != nil { even += 1 } })
    #expect(even == 15)
    for (place, error) in errors.enumerated() {
      guard case .corrupted(let found) = error else {
        Issue.record("\(place): \(error.map { "\($0)" } ?? "no error")")
        continue
      }
      #expect(found.sequence == 30, "\(place): \(found)")
      #expect(found.description.contains("\(Self.name(30))") || found.description.contains("begins with record 30"))
      #expect(found.description.lowercased().contains("put "), "\(place) says what to do: \(found)")
    }

    // Nothing is appended, and no record is lost.
    let refusal = await error { try open(directory).close() }
    #expect(refusal.map { "\($0)" }?.lowercased().contains("put ") == true, "\(refusal.map { "\($0)" } ?? "it opened")")
    let report = try Storage.repair("log", in: directory.path)
    #expect(!report.isHealthy && report.sound >= 30, "\(report)")
    let isNamed = report.lost.contains { $0.sequences.lowerBound == 30 }
    #expect(isNamed || !report.problems.isEmpty || !report.actions.isEmpty)
    let after = try directory.tree()
    // What a killed writer had not sealed may be, before the newest is looked at.
    #expect(after[Self.log(30)] == before[Self.log(30)])
    if isClosed { #expect(after.filter { !$0.key.contains(".keys/") } == before) }
    #expect(try salvaged(directory).starts(with: numbers(0..<30)))

    // Once it is back, reading goes on.
    for file in [Self.log(30), Self.companion(30)] {
      try? FileManager.default.removeItem(atPath: directory.file(file))
      try directory.write(try #require(whole[file]), to: file)
    }
    #expect(try await reader.next()?.text == "30")
    #expect(try log.records(in: 0..<40).map(\.text) == numbers(0..<40))
    #expect(try log.details.damage == nil)
    let again = try open(directory)
    defer { again.close() }
    #expect(try await again.log("log").append("more").sequence == (isClosed ? 40 : 41))
  }

  /// Its companion says which records it had: then each of them is damaged for itself.
  @Test(arguments: [true, false]) func aNewestSegmentOfZerosKeepsItsNumbers(isClosed: Bool) async throws {
    let directory = try await filled(isClosed: isClosed)
    try directory.write([UInt8](repeating: 0, count: 400), to: Self.log(30))
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.records(in: 0..<30).map(\.text) == numbers(0..<30))
    #expect(try log.details.damage != nil)
    for number in 30..<40 {
      let failure = await error { _ = try await log.record(at: number) }
      guard case .corrupted(let damage) = failure else {
        Issue.record("\(number): \(failure.map { "\($0)" } ?? "no error")")
        continue
      }
      #expect(damage.sequence == number)
    }
  }

  @Test func twoDamagedSegmentsAtTheEndAreNamedByTheFirst() async throws {
    let directory = try await filled(isClosed: true)
    for first in [20, 30] { try directory.write([1, 2, 3], to: Self.log(first)) }
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.records(in: 0..<20).map(\.text) == numbers(0..<20))
    let failure = await error { _ = try await log.record(at: 20) }
    #expect(failure.map { "\($0)" }?.contains(Self.log(20)) == true)
  }

  @Test func aFollowerWhoseNewestSegmentIsDamagedSaysSoAndGoesOnOnceItIsBack() async throws {
    let directory = try await filled(isClosed: true)
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream(from: .sequence(38))
    for number in 38..<40 { #expect(try await stream.next()?.text == "\(number)") }
    let bytes = try directory.bytes(of: Self.log(30))
    try directory.remove(Self.log(30))
    try directory.write(Array("another program's\n".utf8), to: Self.log(30))
    let failure = await error { _ = try await stream.next(timeout: .seconds(20)) }
    #expect(failure != nil)
    try directory.remove(Self.log(30))
    try directory.write(bytes, to: Self.log(30))
    #expect(try await stream.next(timeout: .milliseconds(50)) == nil)
    #expect(stream.position == 40)
  }

  @Test(arguments: [true, false]) func aSealedSegmentThatIsAFolderOrALinkIsDamage(isLink: Bool) async throws {
    let directory = try await filled(isClosed: true)
    try directory.remove(Self.log(20))
    if isLink {
      try FileManager.default.createSymbolicLink(
        atPath: directory.file(Self.log(20)), withDestinationPath: directory.file(Self.log(10)))
    } else {
      _ = try directory.subdirectory(Self.log(20))
    }
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    let failure = await error { _ = try await log.record(at: 25) }
    #expect(failure.map { "\($0)" }?.contains(isLink ? "a symbolic link" : "a folder") == true)
    #expect(try log.records(in: 30..<40).map(\.text) == numbers(30..<40))
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.sound == 30 && report.lost.map(\.sequences) == [20..<30] && report.problems.count == 1, "\(report)")
    #expect(try salvaged(directory) == numbers(0..<20) + numbers(30..<40))
  }

  // MARK: A killed writer

  /// Keeps copies of the log's files at each call that changes something.
  private final class Photographer: SystemCallHook {
    let path: String
    let photos = Lock<[TemporaryDirectory]>([])
    let take: @Sendable () -> TemporaryDirectory?

    init(of path: String, _ take: @escaping @Sendable () -> TemporaryDirectory?) {
      (self.path, self.take) = (path, take)
    }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      let changes: Set<SystemCall> = [.write, .reserve, .truncate, .flush, .rename, .unlink]
      guard path.hasPrefix(self.path), changes.contains(call) else { return .proceed }
      if let photo = take() { photos.withLock { $0.append(photo) } }
      return .proceed
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  /// The meta file notes which segment is the newest some time after the log has rolled.
  @Test(arguments: LogFormat.allCases)
  func aKilledLogThatHasJustRolledIsRebuiltWithoutItsNewestCompanion(format: LogFormat) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let photographer: Photographer
    do {
      let storage = try SegmentedLogTests.open(directory, format: format)
      defer { storage.close() }
      let log = try storage.log("log")
      for number in 0..<10 { try await log.append("\(number)") }
      try await log.roll()
      for number in 10..<20 { try await log.append("\(number)") }
      photographer = Photographer(of: directory.path) { try? copy(of: directory) }
      try await SystemCalls.withHook(photographer) {
        try await log.roll()
        for number in 20..<23 { try await log.append("\(number)") }
        // It seals what is not sealed.
        for number in 23..<26 { try await log.append("\(number)") }
        try await log.sync()
        storage.close()
      }
    }
    var rebuilt = 0
    for photo in photographer.photos.withLock({ $0 }) {
      let suffix = format == .bilog ? ".bilog.companion" : ".idx"
      let newest = "log.segments/\(Self.name(20))"
      let log = newest + (format == .bilog ? ".bilog" : ".log")
      guard photo.exists(log), photo.exists(newest + suffix) else { continue }
      func texts() throws -> [String] {
        let storage = try SegmentedLogTests.open(photo, access: .readOnly, format: format)
        defer { storage.close() }
        let log = try storage.log("log")
        return try log.records(in: 0..<log.count).map(\.text)
      }
      let expected = try texts()
      try photo.remove(newest + suffix)
      #expect(try texts() == expected)
      do {
        let storage = try SegmentedLogTests.open(photo, format: format)
        defer { storage.close() }
        let log = try storage.log("log")
        #expect(try log.records(in: 0..<log.count).map(\.text) == expected)
        #expect(try await log.append("more").sequence == expected.count)
        #expect(try await log.verify().records == expected.count + 1)
      }
      #expect(try texts() == expected + ["more"])
      rebuilt += 1
    }
    #expect(rebuilt > 5)
  }
}
