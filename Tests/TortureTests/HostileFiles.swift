import Foundation
import Immuta
import ImmutaTestSupport

/// Files that somebody made up: every checksum is right, and the numbers are whatever trips over.
struct HostileFiles: CustomStringConvertible {
  let format: LogFormat
  private(set) var tree = FileTree()
  private var what: [String] = []

  static let namespace = "events"

  var description: String { "\(format): " + what.joined(separator: "; ") }

  init(using generator: inout SeededGenerator) {
    format = LogFormat.allCases.randomElement(using: &generator) ?? .v2
    let sizes = [0, 0, 1, 5, 8, 24, 60]
    let payloads = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
      [UInt8](
        repeating: UInt8.random(in: 0...255, using: &generator), count: sizes.randomElement(using: &generator) ?? 0)
    }
    makeLog(payloads, &generator)
    makeCompanion(payloads, &generator)
    if format != .bilog, generator.oneIn(3) { makeMeta(&generator) }
  }

  private var names: (log: String, companion: String) { format.testFiles(of: Self.namespace, in: ".") }

  // MARK: The log

  private mutating func makeLog(_ payloads: [[UInt8]], _ generator: inout SeededGenerator) {
    var records: [UInt8] = []
    var lastIndex = 0
    for payload in payloads {
      lastIndex = format.headerSize + records.count
      payload.withUnsafeBytes { RecordHeader(format, of: $0) }.withBytes { records += [UInt8]($0) }
      records += payload
    }
    var log = LogHeader(format, count: payloads.count, lastIndex: lastIndex).encoded(format: format) + records
    let claims = generator.oneIn(2) ? 0 : Int.random(in: 1...3, using: &generator)
    for _ in 0..<claims {
      let fields =
        Array(stride(from: 0, to: min(log.count, format.headerSize), by: 8)) + [format.headerSize, lastIndex]
      guard let field = fields.randomElement(using: &generator), field + 8 <= log.count else { continue }
      let value = HostileNumber.instead(of: payloads.count, &generator)
      let bytes = littleEndian(value)
      log.replaceSubrange(field..<field + 8, with: format == .bilog ? bytes.reversed() : bytes)
      what.append("log \(field): \(value)")
    }
    if generator.oneIn(8) {
      log.removeLast(Int.random(in: 0...log.count, using: &generator))
      what.append("log cut at \(log.count)")
    } else if generator.oneIn(6) {
      let hole = log.count + Int.random(in: 0...70_000, using: &generator)
      tree.holes[names.log] = hole
      what.append("log with a hole to \(hole)")
    }
    tree.files[names.log] = log
  }

  // MARK: The companion

  private mutating func makeCompanion(_ payloads: [[UInt8]], _ generator: inout SeededGenerator) {
    if generator.oneIn(8) {
      what.append("no companion")
      return
    }
    var bytes: [UInt8] = []
    for slot in 0..<2 {
      bytes +=
        generator.oneIn(3)
        ? [UInt8](repeating: 0, count: TwoSlots.slotSize) : companionSlot(slot, payloads.count, &generator)
    }
    var index = format.headerSize
    for (number, payload) in payloads.enumerated() {
      let header = payload.withUnsafeBytes { RecordHeader(format, of: $0) }
      let checksum = header.withBytes { header in
        Checksum.crc32c([UInt8](header) + payload)
      }
      var entry = CompanionEntry(
        index: index, time: Int64(number) + 1, recordChecksum: checksum, endsCommit: !generator.oneIn(6),
        isMade: generator.oneIn(6))
      if generator.oneIn(8) {
        entry.index = HostileNumber.instead(of: index, &generator)
        what.append("INDEX \(number): \(entry.index)")
      }
      if generator.oneIn(8) {
        entry.time = Int64(HostileNumber.instead(of: 5, &generator))
        what.append("TIME \(number): \(entry.time)")
      }
      var encoded = [UInt8](repeating: 0, count: CompanionEntry.size)
      if !generator.oneIn(20) { encoded.withUnsafeMutableBytes { entry.encode(into: $0, number: number) } }
      bytes += encoded
      index += format.recordHeaderSize + payload.count
    }
    if generator.oneIn(10) {
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
      what.append("companion cut at \(bytes.count)")
    } else if generator.oneIn(6) {
      let hole = bytes.count + Int.random(in: 0...100_000, using: &generator)
      tree.holes[names.companion] = hole
      what.append("companion with a hole to \(hole)")
    }
    tree.files[names.companion] = bytes
  }

  private mutating func companionSlot(_ slot: Int, _ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    let version: UInt32 = generator.oneIn(20) ? UInt32.random(in: 0...9, using: &generator) : generator.oneIn(5) ? 1 : 2
    let format = generator.oneIn(15) ? UInt8.random(in: 0...9, using: &generator) : self.format.rawValue
    let clean = UInt8.random(in: 0...3, using: &generator)
    let stable = HostileNumber.instead(of: count, &generator)
    let torn = generator.oneIn(4) ? HostileNumber.instead(of: 0, &generator) : 0
    let recovered = generator.oneIn(4) ? HostileNumber.instead(of: 0, &generator) : 0
    let others = (0..<3).map { _ in generator.oneIn(6) ? HostileNumber.instead(of: 0, &generator) : 0 }
    let slow = (0..<4).map { _ in generator.oneIn(6) ? HostileNumber.instead(of: 0, &generator) : 0 }
    let identity = generator.oneIn(12) ? HostileNumber.instead(of: 1, &generator) : 1
    let boot = generator.oneIn(2) ? BootIdentity.current : generator.next()
    let generation = self.generation(slot, &generator)
    let name = codecName(&generator)
    what.append(
      "slot \(slot): version \(version), format \(format), CLEAN \(clean), GENERATION \(generation), STABLE \(stable), "
        + "TORN \(torn), RECOVERED \(recovered), FIRST, REMOVED, MADE \(others), SLOW \(slow), IDENTITY \(identity), "
        + "NAME \(name.length) \(name.bytes)")
    return TwoSlots.encoded(magic: 0x3158_4449_4154_4D49, version: version, generation: generation) { bytes in
      bytes[12] = format
      bytes[13] = clean
      bytes.storeInteger(stable, at: 24)
      bytes.storeInteger(boot, at: 32)
      bytes.storeInteger(torn, at: 40)
      bytes.storeInteger(recovered, at: 48)
      Self.store(name, in: bytes)
      bytes.storeInteger(identity, at: 1088)
      for (position, value) in others.enumerated() { bytes.storeInteger(value, at: 1104 + 8 * position) }
      for (position, value) in slow.enumerated() { bytes.storeInteger(value, at: 2008 + 8 * position) }
    }
  }

  private func generation(_ slot: Int, _ generator: inout SeededGenerator) -> UInt64 {
    let some: [UInt64] = [0, 2, 4, .max - 1, .max - 3, 1 << 63, (1 << 63) - 2, (1 << 63) + 2, 1 << 62]
    let even = some.randomElement(using: &generator) ?? 0
    return generator.oneIn(6) ? even | UInt64(1 - slot) : even | UInt64(slot)
  }

  private typealias Name = (length: Int, bytes: [UInt8])

  private func codecName(_ generator: inout SeededGenerator) -> Name {
    guard generator.oneIn(4) else { return (0, []) }
    let names: [[UInt8]] = [
      Array("mask".utf8), Array("\u{1B}[2J\u{7}evil\n".utf8), [0xFF, 0xFE], [0], [UInt8](repeating: 65, count: 1024),
    ]
    let name = names.randomElement(using: &generator) ?? []
    return (generator.oneIn(3) ? [0xFFFF, 1025, 65_000, 3].randomElement(using: &generator) ?? 0 : name.count, name)
  }

  private static func store(_ name: Name, in bytes: UnsafeMutableRawBufferPointer) {
    bytes.storeInteger(UInt16(name.length), at: 14)
    for (position, byte) in name.bytes.enumerated() { bytes[56 + position] = byte }
  }

  // MARK: The meta file

  private mutating func makeMeta(_ generator: inout SeededGenerator) {
    var bytes: [UInt8] = []
    for slot in 0..<2 {
      let version: UInt32 = generator.oneIn(10) ? UInt32.random(in: 0...9, using: &generator) : 1
      let generation = self.generation(slot, &generator)
      let name = codecName(&generator)
      let removed = generator.oneIn(3) ? HostileNumber.instead(of: 0, &generator) : 0
      let last = generator.oneIn(3) ? HostileNumber.instead(of: 0, &generator) : 0
      let namespace = HostileNumber.texts.randomElement(using: &generator) ?? []
      let length = generator.oneIn(6) ? HostileNumber.instead(of: 0, &generator) : namespace.count
      what.append(
        "meta \(slot): version \(version), GENERATION \(generation), REMOVED \(removed), LAST \(last), NAME \(name), "
          + "NAMESPACE \(length) \(namespace)")
      bytes += TwoSlots.encoded(magic: 0x4154_454D_4154_4D49, version: version, generation: generation) { bytes in
        bytes.storeInteger(generator.oneIn(8) ? 0 : 1, at: 24)
        bytes.storeInteger(removed, at: 40)
        bytes.storeInteger(last, at: 48)
        bytes.storeInteger(UInt16(truncatingIfNeeded: length), at: 1080)
        for (position, byte) in namespace.enumerated() { bytes[1082 + position] = byte }
        Self.store(name, in: bytes)
      }
    }
    if generator.oneIn(8) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator)) }
    tree.files["\(Self.namespace).meta"] = bytes
  }
}

/// CRC-32C, written down from its definition.
enum Checksum {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0x82F6_3B78 : 0) }
  }

  static func crc32c(_ bytes: [UInt8], initial: UInt32 = ~0) -> UInt32 {
    ~bytes.reduce(initial) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }
}
