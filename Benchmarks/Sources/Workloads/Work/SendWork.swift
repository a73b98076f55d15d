import Foundation
import Immuta
import ImmutaLogStore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

#if os(Linux)
  /// A partition's messages to a socket over the loopback interface, a megabyte of whole messages at a time.
  enum SendWork {
    static let all = [100, 1024, 64 << 10].map(send)

    private static let slice = 1 << 20

    private static func send(_ size: Int) -> Workload {
      Workload("256 MiB of messages of \(sizeName(size))", .send, unit: .time(per: "MiB")) { bench, directory in
        let store = try LogStore(directory: directory, partitions: 1)
        defer { store.close() }
        let payloads = Payloads(size: size)
        let partition = try store.partition(0)
        let count = bench.scaled((256 << 20) / (size + 12))
        for first in stride(from: 0, to: count, by: 1000) {
          try partition.log.transaction { transaction in
            for number in first..<min(first + 1000, count) { try transaction.append(payloads[number]) }
          }
        }
        let size = try partition.end
        let perMiB = Double(1 << 20) / Double(size)
        return [
          Contender("messageRange and sendfile", .ours) { _ in
            try measure(directory, size, sendingSlices) * perMiB
          },
          Contender("sendfile of the whole file", .floor) { _ in
            try measure(directory, size) { store, connection in
              try sendFile(0..<size, of: store.partition(0), to: connection)
            } * perMiB
          },
          Contender("read and write", .other) { _ in
            try measure(directory, size, copyingSlices) * perMiB
          },
          Contender("stream and write, verified", .other) { _ in
            try measure(directory, size, streaming) * perMiB
          },
        ]
      }
    }

    /// The time until the other side has got everything.
    private static func measure(
      _ directory: String, _ size: Int, _ send: (LogStore, Connection) throws -> Void
    ) throws -> Double {
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let store = try LogStore(directory: directory, configuration: configuration)
      defer { store.close() }
      let connection = try Connection()
      return try nanoseconds {
        connection.startReceiving()
        try send(store, connection)
        if connection.finish() != size { throw BenchError("what arrived is not what was sent") }
      }
    }

    private static func sendingSlices(_ store: LogStore, _ connection: Connection) throws {
      let partition = try store.partition(0)
      var range = try partition.messageRange(from: 0, limit: slice)
      while !range.isEmpty {
        try sendFile(range, of: partition, to: connection)
        range = try partition.messageRange(from: range.upperBound, limit: slice)
      }
    }

    private static func sendFile(_ range: Range<Int>, of partition: Partition, to connection: Connection) throws {
      var position = off_t(range.lowerBound)
      while position < range.upperBound {
        let sent = sendfile(connection.sender, partition.fileDescriptor, &position, range.upperBound - Int(position))
        if sent <= 0 { throw BenchError("sendfile failed: \(String(cString: strerror(errno)))") }
      }
    }

    private static func copyingSlices(_ store: LogStore, _ connection: Connection) throws {
      var buffer = [UInt8](repeating: 0, count: slice)
      var offset = 0
      while true {
        let count = try store.read(partition: 0, offset: offset, into: &buffer)
        if count == 0 { return }
        try buffer.withUnsafeBytes { try connection.send(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        offset += count
      }
    }

    /// What a server does that looks at each message: its payloads, checked, in writes of some size.
    private static func streaming(_ store: LogStore, _ connection: Connection) throws {
      var stream = store.stream(partition: 0)
      var buffer: [UInt8] = []
      while let message = try stream.nextAtOnce() {
        withUnsafeBytes(of: UInt64(12 + message.payload.count).bigEndian) { buffer.append(contentsOf: $0) }
        withUnsafeBytes(of: message.checksum.bigEndian) { buffer.append(contentsOf: $0) }
        message.payload.withUnsafeBytes { buffer.append(contentsOf: $0) }
        if buffer.count >= slice {
          try buffer.withUnsafeBytes(connection.send)
          buffer.removeAll(keepingCapacity: true)
        }
      }
      try buffer.withUnsafeBytes(connection.send)
    }
  }

  /// Two ends of a connection over the loopback interface, the other one drained by a thread.
  private final class Connection: Sendable {
    let sender: Int32
    private let receiver: Int32
    private let received = Atomic(0)
    private let isOver = DispatchSemaphore(value: 0)

    init() throws {
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(listener) }
      receiver = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let client = receiver
      let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          bind(listener, address, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, address, &size) == 0
            && connect(client, address, size) == 0
        }
      }
      sender = isConnected ? accept(listener, nil, nil) : -1
      if sender < 0 {
        throw BenchError("no connection over the loopback interface: \(String(cString: strerror(errno)))")
      }
    }

    deinit {
      close(sender)
      close(receiver)
    }

    func startReceiving() {
      Thread.detachNewThread {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
          let count = buffer.withUnsafeMutableBytes { recv(self.receiver, $0.baseAddress, $0.count, 0) }
          if count <= 0 { break }
          self.received.wrappingAdd(count, ordering: .relaxed)
        }
        self.isOver.signal()
      }
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = write(sender, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count <= 0 { throw BenchError("write failed: \(String(cString: strerror(errno)))") }
        rest = rest.dropFirst(count)
      }
    }

    /// Ends the connection; returns how many bytes arrived.
    func finish() -> Int {
      shutdown(sender, Int32(SHUT_WR))
      isOver.wait()
      return received.load(ordering: .relaxed)
    }
  }
#else
  /// The system calls that it compares are Linux's.
  enum SendWork {
    static let all: [Workload] = []
  }
#endif
