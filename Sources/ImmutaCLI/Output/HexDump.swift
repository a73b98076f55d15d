/// Bytes for people: offset, sixteen bytes, and what of them is printable ASCII.
///
/// ```
/// 00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64                 |hello world|
/// ```
enum HexDump {
  static let bytesPerLine = 16

  /// Adds the lines of a piece of a payload; all pieces but the last are a multiple of ``bytesPerLine`` long.
  static func append(_ bytes: UnsafeRawBufferPointer, offset: Int, to output: inout [UInt8]) {
    var start = 0
    while start < bytes.count {
      let end = min(start + bytesPerLine, bytes.count)
      line(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), offset: offset + start, to: &output)
      start = end
    }
  }

  /// Offset, two spaces, three places a byte with a gap in the middle, two spaces and a bar.
  private static let blank: StaticString = "00000000                                                    |"

  private static func line(_ bytes: UnsafeRawBufferPointer, offset: Int, to output: inout [UInt8]) {
    // More than eight digits from 4 GiB on.
    let wide = offset >> 32
    if wide != 0 { output.append(hexadecimal: wide, width: 1) }
    let start = output.count
    output.append(blank)
    output.withUnsafeMutableBufferPointer { output in
      for place in 0..<8 {
        output[start + place] = [UInt8].digit(UInt8(truncatingIfNeeded: offset >> (28 - place * 4)) & 15)
      }
      var place = start + 10
      for (column, byte) in bytes.enumerated() {
        if column == bytesPerLine / 2 { place += 1 }
        output[place] = [UInt8].digit(byte >> 4)
        output[place + 1] = [UInt8].digit(byte & 15)
        place += 3
      }
    }
    for byte in bytes { output.append((0x20..<0x7F).contains(byte) ? byte : UInt8(ascii: ".")) }
    output.append("|\n")
  }
}
