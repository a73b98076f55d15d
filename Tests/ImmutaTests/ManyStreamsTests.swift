import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Any number of streams, fast and slow, near and far.
@Suite(.timeLimit(.minutes(3)), .serialized) struct ManyStreamsTests {
  /// Record `number` of the mixed log: mostly small, some over a chunk, some mapped.
  private static func mixed(_ number: Int) -> [UInt8] {
    if number % 500 == 499 { return pattern((1 << 20) + 4_096 + number, seed: number) }
    if number % 97 == 0 { return pattern(300_000 + number, seed: number) }
    return pattern((number * 7_919) % 3_000, seed: number)
  }

  #if os(Linux)
    private var threads: Int {
      (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }
  #endif

  @Test func tenThousandStreamsWaitWithoutAThreadEach() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("first")
    let streams = 10_000
    let records = 5
    let received = Box(0)
    let started = Box(0)
    #if os(Linux)
      let threadsBefore = threads
    #endif
    let all = Task {
      try await withThrowingTaskGroup { group in
        for _ in 0..<streams {
          group.addTask {
            var stream = log.stream()
            for number in 0...records {
              let record = try await stream.next()
              #expect(record?.sequence == number)
              if number == 0 { started.withLock { $0 += 1 } } else { received.withLock { $0 += 1 } }
            }
          }
        }
        try await group.waitForAll()
      }
    }
    #expect(await eventually { started.withLock { $0 } == streams })
    #if os(Linux)
      #expect(threads < threadsBefore + 100)
    #endif
    for number in 0..<records {
      try await log.append("\(number)")
      #expect(await eventually { received.withLock { $0 } == streams * (number + 1) })
    }
    try await value(of: all)
  }

  @Test func aStreamThatStartsFarBehindCatchesUpWhileWritingGoesOn() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let count = 2_500
    let head = 1_500
    for number in 0..<head { try await log.append(Self.mixed(number)) }
    try await withinLimit {
      try await withThrowingTaskGroup { group in
        for reader in 0..<4 {
          group.addTask {
            var stream = log.stream(from: .skipping(reader * 300))
            while stream.position < count {
              let position = stream.position
              let record = try await reader % 2 == 0 ? stream.next() : stream.next(timeout: .seconds(20))
              guard let record, record.sequence == position, holds(record.payload, Self.mixed(position)) else {
                Issue.record("reader \(reader) got a wrong record \(position)")
                return
              }
              // A slow reader among fast ones.
              if reader == 3, position % 100 == 0 { try await Task.sleep(for: .milliseconds(5)) }
            }
          }
        }
        group.addTask {
          for number in head..<count {
            if number % 10 == 3 {
              let ghost = try await log.beginTransaction()
              try await ghost.append(pattern(number * 100, seed: -number))
              ghost.rollBack()
            }
            try await log.append(Self.mixed(number))
          }
        }
        try await group.waitForAll()
      }
    }
    #expect(try await log.verify().records == count)
  }

  @Test(arguments: [1, 2, 5]) func moreStreamsThanDescriptorsBlockNobody(readerCount: Int) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<300).map(Self.mixed))
    var configuration = Storage.Configuration()
    configuration.readerCount = readerCount
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    // All of them in the middle of the log, none of them finished.
    var streams = (0..<50).map { _ in log.stream() }
    for number in 0..<300 {
      for position in streams.indices {
        let record = try await streams[position].next(timeout: .seconds(10))
        guard record?.sequence == number else {
          Issue.record("stream \(position) did not get record \(number)")
          return
        }
      }
    }
    let receipt = try await log.append("more")
    for position in streams.indices {
      #expect(try await streams[position].next(timeout: .seconds(10))?.sequence == receipt.sequence)
    }
  }

  @Test(arguments: [4_080, 131_056, 262_136, 1_048_560])
  func recordsAcrossTheBoundariesOfChunksAndWindowsComeWhole(size: Int) async throws {
    let directory = TemporaryDirectory()
    let count = (20 << 20) / size
    for isReopened in [false, true] {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      if !isReopened {
        for number in 0..<count { try await log.append(pattern(size + number % 17, seed: number)) }
      }
      var stream = log.stream()
      while let record = try stream.nextAtOnce() {
        guard holds(record.payload, pattern(size + record.sequence % 17, seed: record.sequence)) else {
          Issue.record("record \(record.sequence) is not what was appended")
          return
        }
      }
      #expect(stream.position == count)
    }
  }
}
