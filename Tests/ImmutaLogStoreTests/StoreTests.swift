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

  // MARK: Whole messages, for sendfile

  @Test func rangesAreOfWholeMessages() async throws {
    let place = try Workplace()
    let store = try place.open(1)
    defer { store.close() }
    let partition = try store.partition(0)
    #expect(try partition.messageRange(from: 0, limit: 100) == 0..<0)
    let sizes = [0, 8, 88, 0, 1000]
    var ends = [0]
    for size in sizes {
      try await store.append([UInt8](repeating: 7, count: size), key: "k")
      ends.append(ends[ends.count - 1] + 12 + size)
    }
    for (number, start) in ends.enumerated() {
      for limit in 0...1300 {
        let whole = ends[number...].last { $0 - start <= limit } ?? start
        let atLeast = number + 1 < ends.count ? max(whole, ends[number + 1]) : whole
        #expect(try partition.messageRange(from: start, limit: limit) == start..<atLeast)
      }
      #expect(try partition.messageRange(from: start, limit: Int.max) == start..<ends[ends.count - 1])
    }
    for offset in [1, 11, 13, -1, 100_000, Int.max] {
      #expect(throws: ImmutaError.invalidOffset(offset)) { try partition.messageRange(from: offset, limit: 10) }
    }
    let transaction = try await partition.log.beginTransaction()
    try await transaction.append("staged")
    #expect(try partition.messageRange(from: 0, limit: Int.max).upperBound == partition.end)
    #expect(try partition.end == ends[ends.count - 1])
  }

  #if os(Linux)
    /// What a server does: a slice of a partition goes to a socket and is never seen by the program.
    @Test func aSliceGoesToASocketWithoutBeingRead() async throws {
      let place = try Workplace(copyingGo: true)
      let store = try place.open()
      defer { store.close() }
      let partition = try store.partition(2)
      let connection = try Connection()
      var received: [UInt8] = []
      var offset = 0
      while offset < (try partition.end) {
        let range = try partition.messageRange(from: offset, limit: 200)
        #expect(range.count <= 200 && !range.isEmpty)
        var position = off_t(range.lowerBound)
        while position < range.upperBound {
          let sent = sendfile(connection.server, partition.fileDescriptor, &position, range.upperBound - Int(position))
          try #require(sent > 0)
        }
        received += try connection.receive(range.count)
        offset = range.upperBound
      }
      let (messages, consumed) = try LogStore.unmarshal(received)
      #expect(try received == goPartition(2) && consumed == received.count)
      #expect(try messages.map(\.text) == texts(store, 2))
    }

    /// A connection over the loopback interface.
    private final class Connection {
      let server: Int32
      private let client: Int32

      init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(listener, address, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, address, &size) == 0
              && connect(client, address, size) == 0
          }
        }
        try #require(isConnected)
        self.client = client
        server = accept(listener, nil, nil)
        try #require(server >= 0)
      }

      deinit {
        close(server)
        close(client)
      }

      func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
          let got = bytes[filled...].withUnsafeMutableBytes { recv(client, $0.baseAddress, $0.count, 0) }
          try #require(got > 0)
          filled += got
        }
        return bytes
      }
    }
  #endif

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

  // MARK: Files that change

  /// What becomes of a partition's file while it is followed.
  enum Change: CaseIterable, Sendable { case replaced, cutBack, writtenOver }

  /// Offsets in one file say nothing of another.
  @Test(arguments: Change.allCases) func rangesOfAFileThatIsNotThePartitionsAnyMoreAreRefused(
    change: Change
  ) async throws {
    let place = try Workplace()
    let (one, other) = (try place.open(1), try Workplace())
    for number in 0..<10 { try await one.append("message \(number)", key: "k") }
    one.close()
    let two = try other.open(1)
    for number in 0..<20 { try await two.append("another one \(number)", key: "k") }
    two.close()
    let store = try place.open(access: .readOnly)
    defer { store.close() }
    let partition = try store.partition(0)
    #expect(try partition.messageRange(from: 0, limit: .max) == 0..<partition.end)
    let before = try place.bytes(of: "0.bilog")
    switch change {
    case .replaced, .writtenOver:
      for name in ["0.bilog", "0.bilog.companion"] {
        if change == .replaced { try FileManager.default.removeItem(atPath: "\(place.path)/\(name)") }
        try FileBytes.write(try other.bytes(of: name), to: "\(place.path)/\(name)")
      }
    case .cutBack:
      let again = try place.open()
      again.close()
      try FileManager.default.removeItem(atPath: "\(place.path)/0.bilog.companion")
      try FileBytes.write(Array(before.prefix(before.count / 2)), to: "\(place.path)/0.bilog")
      // It is a log again once it was opened.
      try place.open().close()
    }
    try await Task.sleep(for: .milliseconds(5))
    let isChanged = { (error: any Error) in if case ImmutaError.logChanged = error { true } else { false } }
    #expect(performing: { try partition.messageRange(from: 0, limit: .max) }, throws: isChanged)
    #expect(performing: { try partition.end }, throws: isChanged)
    // Asked for again, it is the one that is there.
    let now = try store.partition(0)
    let range = try now.messageRange(from: 0, limit: .max)
    var bytes = [UInt8](repeating: 0, count: range.count)
    #expect(pread(now.fileDescriptor, &bytes, bytes.count, 0) == bytes.count)
    #expect(try LogStore.unmarshal(bytes).consumed == bytes.count)
    #expect(try bytes == place.bytes(of: "0.bilog"))
  }

  /// A companion that is made again is no other file of the partition's.
  @Test func rangesGoOnWhereOnlyTheCompanionIsMadeAgain() async throws {
    let place = try Workplace()
    let one = try place.open(1)
    for number in 0..<10 { try await one.append("message \(number)", key: "k") }
    one.close()
    let store = try place.open(access: .readOnly)
    defer { store.close() }
    let partition = try store.partition(0)
    let end = try partition.end
    try FileManager.default.removeItem(atPath: "\(place.path)/0.bilog.companion")
    try place.open().close()
    try await Task.sleep(for: .milliseconds(5))
    #expect(try partition.messageRange(from: 0, limit: .max) == 0..<end)
  }

  /// Without it the next program that opens the store would guess how its keys are routed.
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
