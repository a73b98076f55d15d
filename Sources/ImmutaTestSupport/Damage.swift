/// What can happen to a file's bytes without a program's knowledge.
public enum Damage: Hashable, Sendable, CustomStringConvertible {
  /// One bit, 0...7, of the byte at an offset is another.
  case flippedBit(at: Int, Int)
  /// All bits of the byte at an offset are others.
  case flippedByte(at: Int)
  /// The file ends at this length.
  case cut(at: Int)
  /// The range reads as zeros.
  case zeroed(Range<Int>)
  /// The bytes of the range were written a second time, over what was at an offset.
  case duplicated(Range<Int>, at: Int)
  /// Two ranges of the same length, one after the other, took each other's place.
  case swapped(Range<Int>, Range<Int>)

  /// Does it to the bytes of a file.
  ///
  /// What lies outside them is left out.
  public func apply(to bytes: inout [UInt8]) {
    switch self {
    case .flippedBit(let offset, let bit):
      if offset < bytes.count { bytes[offset] ^= 1 << bit }
    case .flippedByte(let offset):
      if offset < bytes.count { bytes[offset] ^= 0xFF }
    case .cut(let length):
      bytes.removeLast(max(0, bytes.count - length))
    case .zeroed(let range):
      for offset in range.clamped(to: 0..<bytes.count) { bytes[offset] = 0 }
    case .duplicated(let range, let target):
      let piece = Array(bytes[range.clamped(to: 0..<bytes.count)])
      for (position, byte) in piece.enumerated() where target + position < bytes.count {
        bytes[target + position] = byte
      }
    case .swapped(let left, let right):
      guard left.count == right.count, left.upperBound <= right.lowerBound, right.upperBound <= bytes.count else {
        return
      }
      for position in 0..<left.count {
        bytes.swapAt(left.lowerBound + position, right.lowerBound + position)
      }
    }
  }

  /// Some damage of a file of `count` bytes, at least 1.
  public static func random(count: Int, using generator: inout SeededGenerator) -> Damage {
    func range(_ longest: Int) -> Range<Int> {
      let start = Int.random(in: 0..<count, using: &generator)
      return start..<min(count, start + Int.random(in: 1...longest, using: &generator))
    }
    switch Int.random(in: 0..<6, using: &generator) {
    case 0:
      return .flippedBit(at: Int.random(in: 0..<count, using: &generator), Int.random(in: 0..<8, using: &generator))
    case 1: return .flippedByte(at: Int.random(in: 0..<count, using: &generator))
    case 2: return .cut(at: Int.random(in: 0..<count, using: &generator))
    case 3: return .zeroed(range(600))
    case 4: return .duplicated(range(600), at: Int.random(in: 0..<count, using: &generator))
    default:
      let length = Int.random(in: 1...max(1, min(600, count / 2)), using: &generator)
      guard count >= 2 * length else { return .cut(at: 0) }
      let left = Int.random(in: 0...count - 2 * length, using: &generator)
      let right = Int.random(in: left + length...count - length, using: &generator)
      return .swapped(left..<left + length, right..<right + length)
    }
  }

  /// In words.
  public var description: String {
    switch self {
    case .flippedBit(let offset, let bit): "bit \(bit) of byte \(offset) flipped"
    case .flippedByte(let offset): "byte \(offset) inverted"
    case .cut(let length): "cut at \(length)"
    case .zeroed(let range): "\(range) zeroed"
    case .duplicated(let range, let target): "\(range) written over \(target)"
    case .swapped(let left, let right): "\(left) and \(right) swapped"
    }
  }
}
