import ImmutaTestSupport

/// Numbers that arithmetic, and whoever believes them, trips over; and texts that are no names.
enum HostileNumber {
  private static let numbers: [Int] =
    [
      0, 1, 2, 3, -1, -8, -12, 7, 8, 16, 4096, .max, .max - 1, .max - 4, .max - 8, .max / 2, .max / 4, .max / 4 + 1,
      .min,
    ]
    + [.min + 1, .max / 24, .max / 24 + 1] + [20, 31, 32, 33, 40, 56, 57, 58, 59, 60, 61, 62].map { 1 << $0 }
    // The most records of a log, and 24 or 32 bytes for each of a file's.
    + [.max / 32, .max / 32 + 1, .max / 32 - 1]

  /// Names with what a terminal obeys, names of other files, what is no text, and what is too long.
  static let texts: [[UInt8]] = [
    Array("mask".utf8), Array("other".utf8), Array("\u{1B}[2J\u{7}evil\n".utf8), Array("../events".utf8),
    Array(".".utf8), Array("/".utf8), [0xFF, 0xFE], [0], [], [UInt8](repeating: 65, count: 180),
  ]

  static func instead(of sound: Int, _ generator: inout SeededGenerator) -> Int {
    switch Int.random(in: 0..<10, using: &generator) {
    case 0..<5: numbers.randomElement(using: &generator) ?? 0
    case 5: sound &+ Int.random(in: -9...9, using: &generator)
    case 6: Int(truncatingIfNeeded: generator.next())
    default: sound
    }
  }

  /// The same, and another number than the sound one.
  static func lie(about sound: Int, _ generator: inout SeededGenerator) -> Int {
    for _ in 0..<8 {
      let number = instead(of: sound, &generator)
      if number != sound { return number }
    }
    return sound &+ 1
  }
}
