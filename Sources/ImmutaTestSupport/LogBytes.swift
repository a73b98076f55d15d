import Foundation
package import Immuta

/// Whether a payload is exactly these bytes; by `memcmp`, as payloads of many megabytes are compared in debug builds.
package func holds(_ payload: Payload, _ bytes: [UInt8]) -> Bool {
  guard payload.count == bytes.count else { return false }
  return payload.withUnsafeBytes { left in
    bytes.withUnsafeBytes { right in
      guard let left = left.baseAddress, let right = right.baseAddress else { return bytes.isEmpty }
      return memcmp(left, right, bytes.count) == 0
    }
  }
}

/// An integer as the files keep it.
package func littleEndian(_ value: Int) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// The integer at an offset of a file.
package func integer(_ bytes: [UInt8], at offset: Int) -> Int {
  Int((0..<8).reduce(0 as UInt64) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) })
}

/// The bytes of a closed log that holds these payloads, written down from the format's description.
package func logBytes(_ payloads: [[UInt8]]) -> [UInt8] {
  var records: [UInt8] = []
  var lastIndex = 0
  for payload in payloads {
    lastIndex = 16 + records.count
    records += littleEndian(payload.count) + payload
  }
  return littleEndian(payloads.count) + littleEndian(lastIndex) + records
}

/// Payload `number` of the Go programs' fixtures.
package func goPayload(_ number: Int) -> [UInt8] {
  number % 5 == 0
    ? Array("event \(number)".utf8)
    : Array(repeating: UInt8(truncatingIfNeeded: number), count: (number * 53) % 97)
}
