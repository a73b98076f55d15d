import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// Behind the writer of a log that has grown, a thread fills the next pages: it must never meet the writer there.
@Suite(.timeLimit(.minutes(3))) struct FillAheadTests {
  private static let bytes = (0..<901_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) | 1 }

  /// Bytes of which none is zero.
  private static func payload(_ number: Int, _ size: Int) -> ArraySlice<UInt8> {
    let first = (number + 1) * 7 % 1_000
    return bytes[first..<first + size]
  }

  /// Some that are copied into mapped memory, and some, larger than what is filled at once, that are written past it
  /// right behind them.
  private static func size(_ generator: inout SeededGenerator) -> Int {
    switch Int.random(in: 0..<100, using: &generator) {
    case ..<50: Int.random(in: 1..<900, using: &generator)
    case ..<70: Int.random(in: 4_000..<16_000, using: &generator)
    default: Int.random(in: 16_384..<900_000, using: &generator)
    }
  }

  @Test(arguments: LogFormat.allCases, [1, 2] as [UInt64])
  func whatIsWrittenWhileTheNextPagesAreFilledStays(format: LogFormat, seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory(inMemory: true)
    var configuration = Storage.Configuration()
    configuration.format = format
    var sizes: [Int] = []
    for _ in 0..<2 {
      let storage = try Storage(opening: directory.path, configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("log", creating: true)
      let hook = LateFills(directory: directory.path)
      try SystemCalls.withHook(hook) {
        try hook.writer {
          try append(32 << 20, to: log, &sizes, using: &generator)
          try hook.awaitFills(6) { try append(300_000, to: log, &sizes, using: &generator) }
        }
      }
      #expect(try await log.verify().records == sizes.count)
      try check(log, sizes)
    }
    let storage = try Storage(opening: directory.path, configuration: configuration)
    defer { storage.close() }
    try check(storage.log("log", creating: false), sizes)
  }

  /// Appends so many bytes from the calling thread: single records, transactions, and some that are rolled back.
  private func append(
    _ bytes: Int, to log: Log, _ sizes: inout [Int], using generator: inout SeededGenerator
  ) throws {
    var left = bytes
    while left > 0 {
      let size = Self.size(&generator)
      left -= size
      switch Int.random(in: 0..<20, using: &generator) {
      case 0:
        try? log.transaction { transaction in
          try transaction.append(Self.payload(-1, size))
          try transaction.append(Self.payload(-1, 20_000))
          throw CancellationError()
        }
      case 1:
        try log.transaction { transaction in
          for number in 0..<3 { try transaction.append(Self.payload(sizes.count + number, size)) }
        }
        sizes += [size, size, size]
      default:
        try log.append(Self.payload(sizes.count, size))
        sizes.append(size)
      }
    }
  }

  private func check(_ log: Log, _ sizes: [Int]) throws {
    var number = 0
    for record in try log.records(in: 0..<sizes.count) {
      let expected = Self.payload(number, sizes[number])
      let isSame = record.payload.withUnsafeBytes { found in
        expected.withUnsafeBytes { expected in
          guard let one = found.baseAddress, let other = expected.baseAddress else { return false }
          return found.count == expected.count && memcmp(one, other, expected.count) == 0
        }
      }
      if !isSame { Issue.record("record \(number) is not what was appended") }
      number += 1
    }
    #expect(number == sizes.count)
  }

  @Test func nobodyWritesToALogThatWasClosed() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    var count = 0
    let hook = LateFills(directory: directory.path)
    for round in 0..<40 {
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      let log = try storage.log("log")
      // Closed a different stretch behind each new step.
      try SystemCalls.withHook(hook) {
        try hook.writer {
          for _ in 0..<(1_200 + 37 * round) { try log.append(Self.payload(0, 1_000)) }
          if round % 4 == 0 {
            try hook.awaitFills(hook.fills + 1) { try log.append(Self.payload(0, 1_000)) }
          }
          count = log.count
          storage.close()
        }
      }
      #expect(try FileBytes.read(directory.file("log.log"))?.count == 16 + count * 1_008)
    }
    #expect(hook.fills > 5, "of 40 logs that were appended to slowly at the end")
    try await Task.sleep(for: .milliseconds(50))
    #expect(try FileBytes.read(directory.file("log.log"))?.count == 16 + count * 1_008)
    #expect(try await Storage(directory: directory.path, namespaces: ["log"]).verify("log").records == count)
  }

  @Test(arguments: ["log.log", "log.idx"]) func aFailureToFillIsAFailureToWrite(file: String) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    let log = try storage.log("log")
    // Past the size from which on a thread fills, in both files.
    for _ in 0..<60_000 { try await log.append(Self.payload(0, 30)) }
    let injector = FaultInjector(directory: directory.path, .error(EIO), of: .write, lasting: true) { path in
      path.hasSuffix(file)
    }
    await injector.run {
      await #expect(throws: ImmutaError.self) {
        for _ in 0..<1_000_000 { try await log.append(Self.payload(0, 30)) }
      }
      await #expect(throws: ImmutaError.self) { try await log.append("more") }
    }
    let count = log.count
    storage.close()
    let again = try Storage(directory: directory.path, namespaces: ["log"])
    defer { again.close() }
    #expect(try again.log("log").count == count && count >= 60_000)
    #expect(try await again.verify("log").records == count)
  }

  /// A write that failed is one also where nothing was appended afterwards: what else the device lost nobody knows.
  @Test func aFailureToFillIsToldByTheNextOpening() throws {
    let directory = TemporaryDirectory(inMemory: true)
    let hook = LateFills(directory: directory.path, areFailing: true)
    try SystemCalls.withHook(hook) {
      try hook.writer {
        let storage = try Storage(directory: directory.path, namespaces: ["log"])
        let log = try storage.log("log")
        let end = ContinuousClock.now + .seconds(20)
        // Once the log is large a step is begun after each fill. A writer that is faster than the thread takes it back: so
        // it goes on slowly. An append that comes after the failure may be told of it, too.
        while hook.fills == 0, ContinuousClock.now < end {
          _ = try? log.append(Self.payload(0, 1_000))
          if log.count > 3_000 { usleep(100) }
        }
        storage.close()
      }
    }
    #expect(hook.fills > 0)
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    let details = try storage.details(of: "log")
    #expect(details.openingNote?.hasPrefix("was not closed") == true && details.count > 0)
  }
}

/// Makes each fill come late, so that a writer who did not wait for it would be there first; or fail.
private final class LateFills: SystemCallHook {
  private let directory: String
  private let areFailing: Bool
  private let state = Lock((writer: ObjectIdentifier?.none, fills: 0))

  init(directory: String, areFailing: Bool = false) {
    self.directory = directory
    self.areFailing = areFailing
  }

  /// Writes that other threads than the writer's made.
  var fills: Int { state.withLock { $0.fills } }

  /// Runs the writer on the calling thread.
  func writer(_ body: () throws -> Void) rethrows {
    state.withLock { $0.writer = ObjectIdentifier(Thread.current) }
    try body()
  }

  /// Goes on slowly until there were so many: a writer that is faster than the thread that fills takes each step back.
  func awaitFills(_ count: Int, _ append: () throws -> Void) throws {
    let end = ContinuousClock.now + .seconds(60)
    while fills < count {
      guard ContinuousClock.now < end else { throw Finding("\(fills) fills in a minute, not \(count)") }
      try append()
      usleep(5_000)
    }
  }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    guard call == .write, path.hasPrefix(directory) else { return .proceed }
    let isFill = state.withLock { state in
      let isFill = state.writer.map { $0 != ObjectIdentifier(Thread.current) } ?? false
      if isFill { state.fills += 1 }
      return isFill
    }
    guard isFill else { return .proceed }
    if areFailing { return .fail(EIO) }
    usleep(500)
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
