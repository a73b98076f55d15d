// Text made of bytes, without a String or an allocation per record.

extension [UInt8] {
  /// Adds a number in decimal.
  mutating func append(decimal value: Int) {
    if value < 0 { append(UInt8(ascii: "-")) }
    var width = 1
    var rest = value.magnitude / 10
    while rest != 0 {
      width += 1
      rest /= 10
    }
    append(digitsOf: value.magnitude, base: 10, width: width)
  }

  /// Adds the last digits of a number in decimal: so many, with zeros in front.
  mutating func append(decimal value: Int, width: Int) {
    append(digitsOf: value.magnitude, base: 10, width: width)
  }

  /// Adds a number in hexadecimal, at least so many digits long.
  mutating func append(hexadecimal value: Int, width: Int) {
    let digits = (UInt.bitWidth - value.magnitude.leadingZeroBitCount + 3) / 4
    append(digitsOf: value.magnitude, base: 16, width: Swift.max(width, digits))
  }

  /// Fills the digits in from the back.
  private mutating func append(digitsOf value: UInt, base: UInt, width: Int) {
    var rest = value
    append(contentsOf: repeatElement(0, count: width))
    for position in Swift.stride(from: count - 1, to: count - 1 - width, by: -1) {
      self[position] = Self.digit(UInt8(truncatingIfNeeded: rest % base))
      rest /= base
    }
  }

  /// The digit of a value below 16.
  static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// Adds text that is part of the tool.
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}
