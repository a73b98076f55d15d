/// Payloads of one size, in a few variants, so that one record is not like the one before.
struct BenchPayloads: Sendable {
  private static let variants = 4

  let size: Int
  private let arrays: [[UInt8]]
  private let sums: [UInt64]

  init(size: Int) {
    self.size = size
    let payload = DemoPayload(size: size)
    arrays = (0..<Self.variants).map { number in
      var bytes = [UInt8](repeating: 0, count: size)
      payload.fill(&bytes, number: number)
      return bytes
    }
    sums = arrays.map { array in array.withUnsafeBytes(\.sum) }
  }

  /// The payload of a record.
  subscript(number: Int) -> [UInt8] { arrays[number & (Self.variants - 1)] }

  /// What the bytes of a record's payload add up to.
  func sum(of number: Int) -> UInt64 { sums[number & (Self.variants - 1)] }
}

extension UnsafeRawBufferPointer {
  /// The sum of its words of eight bytes, and of the bytes after them: touches every byte, and costs little else.
  var sum: UInt64 {
    guard let start = baseAddress else { return 0 }
    let inWords = count & ~7
    var sum: UInt64 = 0
    var offset = 0
    while offset < inWords {
      sum &+= start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      offset += 8
    }
    while offset < count {
      sum &+= UInt64(start.load(fromByteOffset: offset, as: UInt8.self))
      offset += 1
    }
    return sum
  }
}
