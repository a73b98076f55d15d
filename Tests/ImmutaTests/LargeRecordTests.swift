import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A record need not fit memory: neither appending it in chunks nor reading it in chunks takes memory for all of it.
@Suite(.timeLimit(.minutes(5))) struct LargeRecordTests {
  @Test func aRecordOf256MiBGoesInAndOutInLittleMemory() async {
    // In a process of its own, whose memory is this record's only.
    await #expect(processExitsWith: .success) {
      let directory = TemporaryDirectory()
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      let log = try storage.log("log")
      try await log.append("small")
      let idle = try peakMemory()
      try await log.append(Repeated(chunk: pattern(1 << 20), count: 256))
      var stream = log.stream(from: .skipping(1))
      let record = try #require(try await stream.next())
      #expect(record.size == 256 << 20)
      let chunk = pattern(1 << 20)
      for piece in record.payload.chunks(ofSize: 1 << 20) { #expect(holds(piece, chunk)) }
      try await log.append(record.payload.chunks())
      #expect(try await log.verify().records == 3)
      let used = try peakMemory() - idle
      #expect(used < 32 << 20, "\(used) bytes more than idle")
      storage.close()
    }
  }
}

/// The same chunk again and again.
private struct Repeated: AsyncSequence, AsyncIteratorProtocol {
  let chunk: [UInt8]
  var count: Int

  func makeAsyncIterator() -> Repeated { self }

  mutating func next() async -> [UInt8]? {
    guard count > 0 else { return nil }
    count -= 1
    return chunk
  }
}

/// The most memory the process has had resident, in bytes.
private func peakMemory() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
  let kilobytes = try #require(line.split { $0 == " " || $0 == "\t" }.compactMap { Int($0) }.first)
  return kilobytes << 10
}
