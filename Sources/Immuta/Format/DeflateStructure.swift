/// Distinguishes raw DEFLATE (RFC 1951) from other bytes. It has no mark to be recognised by, but a structure: codes that must be
/// complete, lengths and distances that must fit, and an end that must be the end of the bytes. Bytes that DEFLATE did not make
/// fail within a few bytes, text in any case at its end.
///
/// Nothing is decompressed: the output is only counted. O(bits).
struct DeflateStructure {
  private let bytes: [UInt8]
  /// The next bit.
  private var position = 0
  /// Bytes that the codes so far stand for.
  private var made = 0

  private enum Stop: Error { case ranOut, isNone }

  /// Whether the bytes are one stream, and all of it.
  ///
  /// - Parameter isWhole: false where they are the beginning of something longer: then it must not end in them.
  static func isStream(_ bytes: UnsafeRawBufferPointer, isWhole: Bool) -> Bool {
    var structure = unsafe DeflateStructure(bytes: Array(bytes))
    do throws(Stop) {
      try structure.readBlocks()
    } catch {
      return error == .ranOut && !isWhole
    }
    return isWhole && structure.isAtEnd
  }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Whether nothing but the zeros is left that fill the last byte.
  private var isAtEnd: Bool {
    guard bytes.count > 0, (position + 7) / 8 == bytes.count else { return false }
    let used = position % 8
    return used == 0 || bytes[bytes.count - 1] >> used == 0
  }

  private mutating func readBlocks() throws(Stop) {
    var isLast = false
    while !isLast {
      isLast = try bits(1) == 1
      switch try bits(2) {
      case 0: try skipStored()
      case 1: try readCodes(Self.fixedLengths, Self.fixedDistances)
      case 2:
        let (lengths, distances) = try readTables()
        try readCodes(lengths, distances)
      default: throw .isNone
      }
    }
  }

  private mutating func bits(_ count: Int) throws(Stop) -> Int {
    var value = 0
    for place in 0..<count {
      guard position < bytes.count * 8 else { throw .ranOut }
      value |= Int(bytes[position / 8] >> (position % 8) & 1) << place
      position += 1
    }
    return value
  }

  private mutating func skipStored() throws(Stop) {
    position = (position + 7) / 8 * 8
    let count = try bits(16)
    guard try bits(16) == ~count & 0xFFFF else { throw .isNone }
    position += count * 8
    made += count
    if position > bytes.count * 8 { throw .ranOut }
  }

  private mutating func readCodes(_ lengths: Table, _ distances: Table) throws(Stop) {
    while true {
      let symbol = try self.symbol(lengths)
      if symbol == 256 { return }
      if symbol < 256 {
        made += 1
        continue
      }
      guard symbol - 257 < Self.lengthBases.count else { throw .isNone }
      let length = Self.lengthBases[symbol - 257] + (try bits(Self.lengthBits[symbol - 257]))
      let code = try self.symbol(distances)
      guard code < 30 else { throw .isNone }
      // The first four stand for themselves; of the others, two each have one bit more than the two before.
      let extra = max(0, code / 2 - 1)
      let base = code < 4 ? code + 1 : (2 + code % 2) << extra + 1
      guard base + (try bits(extra)) <= made else { throw .isNone }
      made += length
    }
  }

  private mutating func readTables() throws(Stop) -> (lengths: Table, distances: Table) {
    let (lengthCount, distanceCount, orderCount) = (try bits(5) + 257, try bits(5) + 1, try bits(4) + 4)
    guard lengthCount <= 286, distanceCount <= 30 else { throw .isNone }
    var ofLengths = [Int](repeating: 0, count: 19)
    for position in 0..<orderCount { ofLengths[Self.order[position]] = try bits(3) }
    guard let codes = Table(ofLengths), codes.isComplete else { throw .isNone }
    var found: [Int] = []
    while found.count < lengthCount + distanceCount {
      let symbol = try self.symbol(codes)
      switch symbol {
      case 16:
        guard let last = found.last else { throw .isNone }
        found += repeatElement(last, count: 3 + (try bits(2)))
      case 17: found += repeatElement(0, count: 3 + (try bits(3)))
      case 18: found += repeatElement(0, count: 11 + (try bits(7)))
      default: found.append(symbol)
      }
    }
    // Without a code for its end no block ends.
    guard found.count == lengthCount + distanceCount, found[256] > 0,
      let lengths = Table(Array(found[..<lengthCount])), lengths.isUsable,
      let distances = Table(Array(found[lengthCount...])), distances.isUsable
    else { throw .isNone }
    return (lengths, distances)
  }

  private mutating func symbol(_ table: Table) throws(Stop) -> Int {
    var (code, first, index) = (0, 0, 0)
    for length in 1..<Table.mostBits + 1 {
      code |= try bits(1)
      let count = table.counts[length]
      if code - count < first { return table.symbols[index + code - first] }
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    throw .isNone
  }

  /// A canonical Huffman code.
  private struct Table {
    static let mostBits = 15

    /// Symbols of each length, and all symbols in the order of their codes.
    var counts = [Int](repeating: 0, count: mostBits + 1)
    var symbols: [Int] = []
    /// Codes that stand for nothing.
    private var left = 1
    private var used: Int { symbols.count }

    /// Nil if there are more codes than the bits can distinguish.
    init?(_ lengths: [Int]) {
      for length in lengths { counts[length] += 1 }
      counts[0] = 0
      for length in 1..<Self.mostBits + 1 {
        left = left << 1 - counts[length]
        if left < 0 { return nil }
        symbols += lengths.indices.filter { lengths[$0] == length }
      }
    }

    var isComplete: Bool { left == 0 }
    /// A single code may have one bit, though there is nothing to distinguish, and there may be no distances.
    var isUsable: Bool { isComplete || used == 0 || (used == 1 && counts[1] == 1) }
  }

  private static let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
  private static let lengthBases = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
  ]
  private static let lengthBits = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
  ]
  private static let fixedLengths = table(
    (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
  private static let fixedDistances = table([Int](repeating: 5, count: 32))

  private static func table(_ lengths: [Int]) -> Table {
    guard let table = Table(lengths) else { preconditionFailure("the fixed codes of DEFLATE can be told apart") }
    return table
  }
}
