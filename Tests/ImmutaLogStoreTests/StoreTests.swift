import Foundation
import Immuta
import ImmutaLibC
import ImmutaLogStore
import ImmutaTestSupport
import Synchronization
import Testing

/// Appending to partitions, and reading them in each way there is.
@Suite(.timeLimit(.minutes(3))) struct StoreTests {
  @Test func aHundredSyncedPartitionsShareTheirThreadsAndHoldTwoDescriptorsEach() async throws {
    let place = try Workplace()
    let configuration = Storage.Configuration(durability: .synced)
    let files = { (try? FileManager.default.contentsOfDirectory(atPath: $0)) ?? [] }
    let threads = files("/proc/self/task").count
    let store = try LogStore(directory: place.path, partitions: 100, configuration: configuration)
    defer { store.close() }
    for _ in 0..<3 {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for key in 0..<400 { group.addTask { try await store.append("x", key: "\(key)") } }
        try await group.waitForAll()
      }
      // Sixteen that flush, one that keeps time, and those of the test's own tasks. Two for each, once.
      #expect(files("/proc/self/task").count < threads + 60)
    }
    let open = files("/proc/self/fd").filter { number in
      let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
      return path?.hasPrefix(place.path + "/") ?? false
    }
    #expect(open.count <= 200)
    #expect(try (0..<100).map { try store.partition($0).count }.reduce(0, +) == 1200)
  }

  @Test func theReadmesCallsDoWhatTheySay() async throws {
    let place = try Workplace()
    let store = try place.open(10)
    defer { store.close() }
    let receipt = try await store.append("Hello World!", key: "10084")
    #expect(receipt.partition == store.partition(of: "10084") && receipt.offset == 0 && receipt.size == 12)
    let partition = try store.partition(receipt.partition)
    #expect(partition.index == receipt.partition && partition.fileDescriptor >= 0)
    var buffer = [UInt8](repeating: 0, count: 2024)
    let count = try store.read(partition: receipt.partition, offset: 0, into: &buffer)
    let (messages, consumed) = try LogStore.unmarshal(buffer[..<count])
    #expect(consumed == 24 && messages.map(\.text) == ["Hello World!"])
    var stream = store.stream(partition: receipt.partition, from: .beginning)
    let message = try await stream.next()
    #expect(message?.text == "Hello World!" && message?.checksum == messages[0].checksum && message?.end == 24)
  }

  @Test func whatIsAppendedIsWhatTheGoProgramWrites() async throws {
    let place = try Workplace()
    let store = try place.open(4, routing: .goCompatible)
    for number in 0..<60 {
      try await store.append("payload \(number) for key-\(number % 11)", key: "key-\(number % 11)")
    }
    store.close()
    for number in 0..<4 { #expect(try place.bytes(of: "\(number).bilog") == goPartition(number)) }
  }

  @Test func codeThatIsNotAsyncAppendsBytesByBytes() throws {
    let place = try Workplace()
    let store = try place.open(2)
    defer { store.close() }
    let receipt = try append(store)
    #expect(try texts(store, receipt.partition) == ["abc", "abc"])
  }

  private func append(_ store: LogStore) throws -> LogStore.Receipt {
    try store.append("abc", key: "k")
    return try store.append(Array("abc".utf8), key: Array("k".utf8))
  }

  private final class Counter: Sendable {
    let value = Atomic(0)
  }

  @Test func fourProducersAndFourConsumersKeepEachKeysOrder() async throws {
    let place = try Workplace()
    let store = try place.open(4)
    defer { store.close() }
    let (keys, each) = (16, 500)
    let total = Counter()
    try await withThrowingTaskGroup(of: [String].self) { group in
      for producer in 0..<4 {
        group.addTask {
          for number in 0..<each {
            for key in stride(from: producer, to: keys, by: 4) {
              try await store.append("\(key):\(number)", key: "key-\(key)")
            }
          }
          return []
        }
      }
      for partition in 0..<4 {
        group.addTask {
          var stream = store.stream(partition: partition)
          var seen: [String] = []
          while total.value.load(ordering: .relaxed) < keys * each {
            guard let message = try await stream.next(timeout: .milliseconds(20)) else { continue }
            seen.append(message.text)
            total.value.wrappingAdd(1, ordering: .relaxed)
          }
          return seen
        }
      }
      var next = [Int](repeating: 0, count: keys)
      for try await seen in group {
        for text in seen {
          let numbers = text.split(separator: ":").compactMap { Int($0) }
          #expect(next[numbers[0]] == numbers[1])
          next[numbers[0]] += 1
        }
      }
      #expect(next == [Int](repeating: each, count: keys))
    }
  }

  @Test func allPartitionsMergedAreEachInTheirOrder() async throws {
    let place = try Workplace()
    let store = try place.open(3)
    defer { store.close() }
    for number in 0..<30 {
      try await store.append("\(number)", key: "\(number)")
      // A commit's time is told once in a tick of the kernel's clock.
      if number == 14 { try await Task.sleep(for: .milliseconds(30)) }
    }
    var stream = store.stream()
    var merged: [StoredMessage] = []
    for _ in 0..<30 { merged.append(try #require(try await stream.next())) }
    #expect(try stream.nextAtOnce() == nil)
    #expect(zip(merged, merged.dropFirst()).allSatisfy { $0.timestamp <= $1.timestamp })
    #expect(Set(merged.prefix(15).map(\.text)) == Set((0..<15).map { "\($0)" }))
    for partition in 0..<3 {
      let own = merged.filter { $0.partition == partition }
      #expect(own.map(\.sequence) == Array(0..<own.count))
    }
    // Whichever partition the next comes to, it is delivered.
    for number in 0..<9 {
      let copy = stream
      let next = Task {
        var copy = copy
        return try await copy.next(timeout: .seconds(60))
      }
      try await store.append("later \(number)", key: "\(number)")
      #expect(try await next.value?.text == "later \(number)")
      _ = try await stream.next()
    }
  }

  @Test func aStreamOfSomeGoesOnWhereAnotherWas() async throws {
    let place = try Workplace(copyingGo: true)
    let store = try place.open()
    defer { store.close() }
    var first = store.stream(partitions: [0, 2])
    var texts: [String] = []
    for _ in 0..<10 { texts.append(try #require(try await first.next()).text) }
    var second = store.stream(from: first.positions)
    while let message = try second.nextAtOnce() { texts.append(message.text) }
    #expect(texts.count == 17 + 27 && Set(texts).count == 44)
    var none = store.stream(partitions: [])
    await #expect(throws: ImmutaError.self) { try await none.next() }
  }

  @Test func closingEndsWhatWaits() async throws {
    let place = try Workplace()
    let store = try place.open(2)
    let waiting = Task {
      var stream = store.stream()
      _ = try await stream.next()
    }
    let partition = try store.partition(0)
    try await Task.sleep(for: .milliseconds(10))
    store.close()
    await #expect(throws: ImmutaError.storageClosed) { try await waiting.value }
    await #expect(throws: ImmutaError.storageClosed) { try await store.append("x", key: "k") }
    #expect(throws: ImmutaError.storageClosed) { try partition.end }
    store.close()
  }

  @Test("Shutting down closes every partition, and throws what went wrong, however often one asks")
  func shutdown() async throws {
    final class FailingFlushes: SystemCallHook {
      let path: String
      init(_ path: String) { self.path = path }
      func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
        call == .flush && path == self.path ? .fail(ErrorNumber.ioError) : .proceed
      }
      func didCall(_ call: SystemCall, path: String) {}
    }
    let place = try Workplace()
    for isFailing in [false, true] {
      let store = try place.open(2)
      for number in 0..<20 { try await store.append("\(number)", key: "\(number)") }
      if isFailing {
        await SystemCalls.withHook(FailingFlushes("\(place.path)/1.bilog")) {
          await #expect(throws: ImmutaError.self) { try await store.shutdown() }
        }
        await #expect(throws: ImmutaError.self) { try await store.shutdown() }
      } else {
        try await store.shutdown()
        try await store.shutdown()
      }
      store.close()
      await #expect(throws: ImmutaError.storageClosed) { try await store.append("late", key: "k") }
    }
    let store = try place.open()
    defer { store.close() }
    #expect(try texts(store, 0).count + texts(store, 1).count == 40)
  }

  @Test(arguments: [true, false]) func aLayoutThatIsLostUnderAWriterIsNoticed(isReplaced: Bool) async throws {
    let place = try Workplace()
    let store = try place.open(2)
    defer { store.close() }
    try await store.append("a", key: "k")
    try await store.sync()
    let layout = "\(place.path)/logstore.layout"
    if isReplaced {
      try FileBytes.write(try place.bytes(of: "logstore.layout"), to: layout + ".copy")
      #expect(rename(layout + ".copy", layout) == 0)
    } else {
      try FileManager.default.removeItem(atPath: layout)
    }
    try await store.append("b", key: "k")
    await #expect(throws: ImmutaError.logMoved(path: layout)) { try await store.sync() }
    await #expect(throws: ImmutaError.logMoved(path: layout)) { try await store.append("c", key: "k") }
  }
}
