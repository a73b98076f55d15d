import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// As many bytes as asked for, that look random and differ from seed to seed and from place to place.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  // The block's length is a prime, so that no piece of a power of two looks like the piece before it.
  let start = Int(UInt(bitPattern: seed &* 7_919) % UInt(patternBlock.count))
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  bytes += patternBlock[start...].prefix(count)
  while bytes.count < count { bytes += patternBlock.prefix(count - bytes.count) }
  return bytes
}

private let patternBlock: [UInt8] = {
  var state: UInt64 = 0x2545_F491_4F6C_DD1D
  return (0..<65_521).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return UInt8(truncatingIfNeeded: state >> 32)
  }
}()

/// Replaces eight bytes by an integer.
func store(_ value: Int, at offset: Int, in bytes: inout [UInt8]) {
  bytes.replaceSubrange(offset..<offset + 8, with: littleEndian(value))
}

/// Appends a record to a closed log's bytes as the Go program does.
func appendAsGo(_ payload: [UInt8], to bytes: inout [UInt8]) {
  let index = bytes.count
  bytes += littleEndian(payload.count) + payload
  store(integer(bytes, at: 0) + 1, at: 0, in: &bytes)
  store(index, at: 8, in: &bytes)
}

/// A file that one of the Go programs wrote.
func fixture(_ name: String, of program: String = "immuta-v2") throws -> [UInt8] {
  let url = Bundle.module.bundleURL.appending(path: "Fixtures/\(program)/\(name)")
  return [UInt8](try Data(contentsOf: url))
}

/// Where each record of a log's bytes begins.
func indices(of bytes: [UInt8]) -> [Int] {
  var indices: [Int] = []
  var index = 16
  for _ in 0..<integer(bytes, at: 0) {
    indices.append(index)
    index += 8 + integer(bytes, at: index)
  }
  return indices
}

/// The damage that `body` reports; records an issue when it reports none.
func corruption<R>(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> R
) async -> Corruption? {
  do {
    _ = try await body()
    Issue.record("no damage was reported", sourceLocation: sourceLocation)
  } catch ImmutaError.corrupted(let corruption) {
    return corruption
  } catch {
    Issue.record("another error was thrown: \(error)", sourceLocation: sourceLocation)
  }
  return nil
}
