import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// A store whose partitions roll: its messages go on, and the oldest can go.
@Suite(.timeLimit(.minutes(3))) struct RollingTests {
  private var configuration: Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.segments = SegmentLimits(maximumBytes: 500)
    return configuration
  }

  @Test func messagesGoOnOverSegments() async throws {
    let place = try Workplace()
    do {
      let store = try LogStore(directory: place.path, partitions: 2, configuration: configuration)
      defer { store.close() }
      for number in 0..<200 { try await store.append("\(number)", key: "\(number)") }
    }
    for access in [Storage.Access.readOnly, .readWrite] {
      var configuration = configuration
      configuration.access = access
      let store = try LogStore(directory: place.path, configuration: configuration)
      defer { store.close() }
      let reader = store.reader()
      var found: Set<String> = []
      while let message = try reader.nextAtOnce() { found.insert(message.text) }
      #expect(found == Set((0..<200).map(String.init)))
      #expect(try await store.verify().map(\.records).reduce(0, +) == 200)
      #expect(try store.details.allSatisfy { $0.segmentCount > 2 })
    }
  }

  @Test func aPartitionIsThereWithoutItsFirstSegment() async throws {
    let place = try Workplace()
    do {
      let store = try LogStore(directory: place.path, partitions: 2, configuration: configuration)
      defer { store.close() }
      for number in 0..<200 { try await store.append("\(number)", key: "\(number)") }
      for index in 0..<2 {
        let log = try store.partition(index).log
        #expect(try await log.removeRecords(before: log.count) > 50)
      }
    }
    #expect(try LogStore.repair(partition: 0, in: place.path).isHealthy)
    let store = try LogStore(directory: place.path, configuration: configuration)
    defer { store.close() }
    for index in 0..<2 {
      let partition = try store.partition(index)
      let first = partition.log.firstSequence
      #expect(first > 50)
      #expect(try store.reader(partition: index).nextAtOnce()?.sequence == first)
    }
  }

  @Test func aPartitionsFileStaysThatOfItsSegment() async throws {
    let place = try Workplace()
    let store = try LogStore(directory: place.path, partitions: 1)
    defer { store.close() }
    for number in 0..<10 { try await store.append("\(number)", key: "") }
    let before = try store.partition(0)
    let end = try before.end
    try await before.log.roll()
    for number in 10..<15 { try await store.append("\(number)", key: "") }
    #expect(try before.end == end)
    #expect(try before.messageRange(from: 0, limit: .max) == 0..<end)
    let now = try store.partition(0)
    #expect(now !== before)
    #expect(try now.messageRange(from: 0, limit: .max) == 0..<now.end)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = try store.read(partition: 0, offset: 0, into: &buffer)
    #expect(try LogStore.unmarshal(buffer[..<count]).messages.map(\.text) == (10..<15).map(String.init))
  }
}
