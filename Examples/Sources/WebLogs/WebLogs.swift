import ImmutaLogStore

/// One request, in six bytes rather than a line of text.
struct Request {
  var status: UInt16
  var microseconds: UInt32

  var bytes: [UInt8] {
    withUnsafeBytes(of: status.littleEndian, Array.init) + withUnsafeBytes(of: microseconds.littleEndian, Array.init)
  }

  init(status: UInt16, microseconds: UInt32) {
    self.status = status
    self.microseconds = microseconds
  }

  init?(_ bytes: [UInt8]) {
    guard bytes.count == 6 else { return nil }
    status = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
    microseconds = (0..<4).reduce(0) { $0 | UInt32(bytes[2 + $1]) << (8 * $1) }
  }
}

/// Binary web logs: written by each host's key, read a buffer at a time.
@main struct WebLogs {
  static func main() async throws {
    let store = try LogStore(directory: "web-logs/", partitions: 4)
    defer { store.close() }
    for number in 0..<10_000 {
      let request = Request(status: number % 100 == 0 ? 500 : 200, microseconds: UInt32(number % 997))
      try await store.append(request.bytes, key: "host-\(number % 16)")
    }

    // Each partition by itself: so they can be counted on as many machines.
    var (requests, failures) = (0, 0)
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    for partition in 0..<store.partitionCount {
      var offset = 0
      while true {
        let count = try store.read(partition: partition, offset: offset, into: &buffer)
        let (messages, consumed) = try LogStore.unmarshal(buffer[..<count])
        if messages.isEmpty { break }
        requests += messages.count
        failures += messages.count { Request($0.payload)?.status == 500 }
        // A message that the buffer ended inside of is read again, whole.
        offset += consumed
      }
    }
    precondition(requests.isMultiple(of: 10_000) && failures == requests / 100)
    print("web logs: \(failures) of \(requests) requests failed")
  }
}
