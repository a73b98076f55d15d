import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whole messages in a file, for `sendfile`.
@Suite(.timeLimit(.minutes(3))) struct MessageRangeTests {
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
}
