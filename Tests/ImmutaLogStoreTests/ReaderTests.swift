import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Messages one at a time, by an object that keeps its place.
@Suite(.timeLimit(.minutes(3))) struct MessageReaderTests {
  @Test func aReaderGoesOnWhereItStopped() async throws {
    let place = try Workplace()
    let store = try LogStore(directory: place.path, partitions: 3)
    defer { store.close() }
    for number in 0..<9 { try await store.append("\(number)", key: "\(number)") }
    let reader = store.reader()
    var texts: [String] = []
    while let message = try await reader.next() {
      texts.append(message.text)
      if texts.count == 4 { break }
    }
    while let message = try await reader.next(timeout: .zero) { texts.append(message.text) }
    #expect(texts.sorted() == (0..<9).map(String.init))
    try await store.append("later", key: "x")
    let positions = reader.positions
    #expect(try reader.nextAtOnce()?.text == "later")
    #expect(try store.reader(from: positions).nextAtOnce()?.text == "later")
    #expect(try reader.nextAtOnce() == nil)
  }

  @Test func aReaderOfAPartitionThatIsNotThereThrowsInItsFirstNext() async throws {
    let place = try Workplace()
    let store = try LogStore(directory: place.path, partitions: 2)
    let unknown = store.reader(partition: 7)
    await #expect(throws: ImmutaError.partitionNotFound(7, count: 2)) { try await unknown.next() }
    let reader = store.reader(partition: 0)
    store.close()
    await #expect(throws: ImmutaError.storageClosed) { try await reader.next() }
  }

  @Test func aMessageOfABufferIsNamedByItsStore() async throws {
    let place = try Workplace()
    let store = try LogStore(directory: place.path, partitions: 1)
    defer { store.close() }
    try await store.append("Hello World!", key: "10084")
    var buffer = [UInt8](repeating: 0, count: 100)
    let count = try store.read(partition: 0, offset: 0, into: &buffer)
    let messages: [LogStore.Message] = try LogStore.unmarshal(buffer[..<count]).messages
    #expect(messages.map(\.text) == ["Hello World!"])
  }
}
