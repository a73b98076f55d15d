import ImmutaTestSupport

/// A part of a file: fields in their places, and behind them a checksum of all that comes before it. Fields that say something
/// else get a checksum that is right.
struct HostilePart {
  typealias Field = (name: String, offset: Int, size: Int)

  /// With 1, 2, 4 or 8 bytes each.
  let fields: [Field]
  /// Where texts have their lengths, of 2 bytes, and where they begin.
  var texts: [(length: Int, start: Int)] = []
  /// Where the checksum is.
  let checksum: Int

  /// Has some fields of the part that begins at an offset say something else.
  ///
  /// - Returns: what they say; nil where the file has no such part.
  func lie(in bytes: inout [UInt8], at start: Int, _ generator: inout SeededGenerator) -> String? {
    let end = start + checksum
    // Zeros are a slot that was never written.
    guard end + 4 <= bytes.count, bytes[start..<start + 8].contains(where: { $0 != 0 }) else { return nil }
    var what: [String] = []
    if generator.oneIn(8), let text = texts.randomElement(using: &generator),
      let name = HostileNumber.texts.randomElement(using: &generator), start + text.start + name.count <= end
    {
      bytes.store(name.count, 2, at: start + text.length)
      bytes.replaceSubrange(start + text.start..<start + text.start + name.count, with: name)
      what.append("text \(name)")
    }
    for _ in 0..<Int.random(in: what.isEmpty ? 1...3 : 0...1, using: &generator) {
      guard let field = fields.randomElement(using: &generator) else { continue }
      let sound = bytes.number(field.size, at: start + field.offset)
      bytes.store(HostileNumber.lie(about: sound, &generator), field.size, at: start + field.offset)
      what.append("\(field.name) \(bytes.number(field.size, at: start + field.offset))")
    }
    bytes.store(Int(Checksum.crc32c(Array(bytes[start..<end]))), 4, at: end)
    return what.joined(separator: ", ")
  }

  // MARK: The parts of the files of a log, by the format's description

  /// A slot of a companion's header.
  static let companionSlot = HostilePart(
    fields: [
      ("MAGIC", 0, 8), ("VERSION", 8, 4), ("FORMAT", 12, 1), ("CLEAN", 13, 1), ("NAME LENGTH", 14, 2),
      ("GENERATION", 16, 8), ("STABLE", 24, 8), ("BOOT ID", 32, 8), ("TORN", 40, 8), ("RECOVERED", 48, 8),
      ("IDENTITY", 1088, 8), ("IDENTITY", 1096, 8), ("FIRST", 1104, 8), ("REMOVED", 1112, 8), ("MADE", 1120, 8),
      ("SLOW FROM", 2008, 8), ("SLOW END", 2016, 8), ("SLOW TIME", 2024, 8), ("SLOW CLOCK", 2032, 8),
    ], texts: [(14, 56)], checksum: 2044)

  /// A slot of a meta file.
  static let metaSlot = HostilePart(
    fields: [
      ("MAGIC", 0, 8), ("VERSION", 8, 4), ("ZEROS", 12, 2), ("NAME LENGTH", 14, 2), ("GENERATION", 16, 8),
      ("IDENTITY", 24, 8), ("IDENTITY", 32, 8), ("REMOVED", 40, 8), ("LAST", 48, 8), ("LAST", 48, 8),
      ("NAMESPACE LENGTH", 1080, 2), ("NAMESPACE", 1082, 8),
    ], texts: [(14, 56), (1080, 1082)], checksum: 2044)

  /// A slot of a consumer's position.
  static let positionSlot = HostilePart(
    fields: [
      ("MAGIC", 0, 8), ("VERSION", 8, 4), ("ZEROS", 12, 4), ("GENERATION", 16, 8), ("IDENTITY", 24, 8),
      ("IDENTITY", 32, 8), ("LAST", 40, 8), ("LAST INDEX", 48, 8), ("LAST TIME", 56, 8), ("STABLE", 64, 8),
      ("STABLE INDEX", 72, 8), ("STABLE TIME", 80, 8), ("BOOT ID", 88, 8), ("QUEUE", 96, 8), ("MADE", 104, 8),
      ("PENDING", 112, 2), ("PENDING", 112, 2), ("LENGTH", 114, 2), ("NAME", 116, 8),
    ], texts: [(114, 116)], checksum: 508)

  /// What a snapshot begins with.
  static let snapshotHeader = HostilePart(
    fields: [
      ("MAGIC", 0, 8), ("VERSION", 8, 4), ("FLAGS", 12, 4), ("IDENTITY", 16, 8), ("IDENTITY", 24, 8),
      ("SEQUENCE", 32, 8), ("BOOT ID", 40, 8), ("STATE VERSION", 48, 8), ("INDEX", 56, 8), ("TIME", 64, 8),
      ("RECORD CRC", 72, 4), ("STATE CRC", 76, 4), ("LENGTH", 80, 8), ("ZEROS", 88, 4),
    ], checksum: 92)

  /// What a file of keys begins with.
  static let keysHeader = HostilePart(
    fields: [
      ("MAGIC", 0, 8), ("LAYOUT", 8, 4), ("KIND", 12, 4), ("VERSION", 16, 8), ("IDENTITY", 24, 8), ("IDENTITY", 32, 8),
      ("FIRST", 40, 8), ("COUNT", 48, 8), ("GROUPS", 56, 8), ("POSTINGS", 64, 8), ("LAST INDEX", 72, 8),
      ("LAST TIME", 80, 8), ("LAST CRC", 88, 4), ("UNREADABLE", 96, 8), ("NAME", 104, 8), ("ZEROS", 112, 8),
    ], checksum: 124)
}

extension [UInt8] {
  /// The little-endian number of so many bytes at an offset.
  func number(_ size: Int, at offset: Int) -> Int {
    let value = (0..<size).reduce(0 as UInt64) { $0 | UInt64(self[offset + $1]) << UInt64($1 * 8) }
    return Int(truncatingIfNeeded: value)
  }

  /// Stores the lower bytes of a number.
  mutating func store(_ value: Int, _ size: Int, at offset: Int) {
    for place in 0..<size { self[offset + place] = UInt8(truncatingIfNeeded: value >> (place * 8)) }
  }
}
