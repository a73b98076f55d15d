import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// What the Go program does wrong, each seen there, and not to be seen here.
@Suite(.timeLimit(.minutes(3))) struct GoFaultTests {
  @Test func everyPartitionIsUsed() async throws {
    let place = try Workplace()
    let store = try place.open(4)
    defer { store.close() }
    for number in 0..<100 { try await store.append("x", key: "key-\(number)") }
    for number in 0..<4 { #expect(try store.partition(number).count > 10) }
  }

  @Test(arguments: [Routing.modulo, .goCompatible]) func onePartitionIsEnough(routing: Routing) async throws {
    let place = try Workplace()
    let store = try place.open(1, routing: routing)
    defer { store.close() }
    #expect(try await store.append("x", key: "any").partition == 0)
  }

  @Test func anotherPartitionCountIsRefusedRatherThanRemapped() throws {
    let place = try Workplace()
    try place.open(4).close()
    for count in [3, 5] { #expect(performing: { try place.open(count) }, throws: isMismatch) }
    #expect(try place.files.filter { $0.hasSuffix(".bilog") }.count == 4)
    let store = try place.open()
    defer { store.close() }
    #expect(store.partitionCount == 4)
  }

  @Test func aPartitionNumberThatIsNoneIsAnError() async throws {
    let place = try Workplace()
    let store = try place.open(4)
    defer { store.close() }
    var buffer = [UInt8](repeating: 0, count: 10)
    for number in [4, -1, Int.max] {
      let error = ImmutaError.partitionNotFound(number, count: 4)
      #expect(throws: error) { try store.partition(number) }
      #expect(throws: error) { try store.read(partition: number, offset: 0, into: &buffer) }
      var stream = store.stream(partition: number)
      await #expect(throws: error) { try await stream.next() }
    }
    for count in [0, -1] { #expect(throws: ImmutaError.self) { try Workplace().open(count) } }
  }

  @Test func aBufferMayEndAnywhere() throws {
    let bytes = try goPartition(0)
    let (messages, consumed) = try LogStore.unmarshal(bytes)
    #expect(messages.count == 17 && consumed == bytes.count)
    for length in 0..<bytes.count {
      let (part, used) = try LogStore.unmarshal(bytes[..<length])
      #expect(part == Array(messages.prefix(part.count)))
      #expect(used <= length && used == (part.count < 17 ? messages[part.count].offset : bytes.count))
    }
  }

  @Test(arguments: [1, 8, 11, 12, 13, 5000]) func zerosAtTheEndOfABufferAreNoMessages(count: Int) throws {
    let bytes = try goPartition(1)
    let (messages, consumed) = try LogStore.unmarshal(bytes + [UInt8](repeating: 0, count: count))
    #expect(messages.count == 16 && consumed == bytes.count)
  }

  @Test func anEmptyPayloadIsAMessage() async throws {
    let place = try Workplace()
    let store = try place.open(2)
    defer { store.close() }
    let receipt = try await store.append("", key: "k")
    #expect(receipt.size == 0)
    var buffer = [UInt8](repeating: 1, count: 100)
    let count = try store.read(partition: receipt.partition, offset: receipt.offset, into: &buffer)
    #expect(count == 12)
    let (messages, consumed) = try LogStore.unmarshal(buffer[..<count])
    #expect(messages.map(\.payload) == [[]] && consumed == 12)
  }

  @Test func aChecksumThatDoesNotFitIsReported() async throws {
    var bytes = try goPartition(0)
    bytes[31 + 14] ^= 1
    #expect {
      try LogStore.unmarshal(bytes)
    } throws: { error in
      if case ImmutaError.corrupted(let damage) = error { damage.index == 31 } else { false }
    }
    bytes = try goPartition(0)
    bytes[31] = 0xFF
    #expect(throws: ImmutaError.self) { try LogStore.unmarshal(bytes) }

    let place = try Workplace(copyingGo: true)
    let store = try place.open()
    store.close()
    var stored = try place.bytes(of: "2.bilog")
    stored[40] ^= 1
    try FileBytes.write(stored, to: "\(place.path)/2.bilog")
    let again = try place.open()
    defer { again.close() }
    await #expect(throws: ImmutaError.self) { try await again.verify() }
    var stream = again.stream(partition: 2)
    await #expect(throws: ImmutaError.self) { while true { _ = try await stream.next(timeout: .zero) } }
  }

  @Test func anErrorOnOpeningTruncatesNothing() throws {
    let place = try Workplace(copyingGo: true)
    var damaged = try goPartition(2)
    damaged[0] ^= 1
    try FileBytes.write(damaged, to: "\(place.path)/2.bilog")
    do {
      let store = try place.open()
      defer { store.close() }
      #expect(throws: ImmutaError.self) { try store.partition(2) }
    }
    for number in [0, 1, 3] { #expect(try place.bytes(of: "\(number).bilog") == goPartition(number)) }
    #expect(try place.bytes(of: "2.bilog") == damaged)
    // Somebody else has it open.
    try FileBytes.write(try goPartition(2), to: "\(place.path)/2.bilog")
    let store = try place.open()
    defer { store.close() }
    #expect(performing: { try place.open() }, throws: isLocked)
    #expect(try texts(store, 2).count == 27)
  }

  @Test(arguments: ["", "/", "//"]) func theFilesAreInTheDirectory(slash: String) async throws {
    let place = try Workplace()
    let store = try LogStore(directory: place.path + slash, partitions: 2)
    try await store.append("x", key: "k")
    store.close()
    #expect(try place.files == ["0.bilog", "0.bilog.companion", "1.bilog", "1.bilog.companion", "logstore.layout"])
    let again = try LogStore(directory: place.path)
    defer { again.close() }
    #expect(again.partitionCount == 2)
  }

  @Test func readersAtOnceDoNotShareAPosition() async throws {
    let place = try Workplace(copyingGo: true)
    let store = try place.open()
    defer { store.close() }
    let whole = try goPartition(2)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for reader in 0..<8 {
        group.addTask {
          var buffer = [UInt8](repeating: 0, count: 31 + reader)
          var read: [UInt8] = []
          while true {
            let count = try store.read(partition: 2, offset: read.count, into: &buffer)
            if count == 0 { return read == whole }
            read += buffer[..<count]
          }
        }
      }
      for try await isWhole in group { #expect(isWhole) }
    }
  }
}
