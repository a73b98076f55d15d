import ImmutaTransforms

/// Keys come from files, never from the command line, where every user of the machine sees them. No message shows a byte of one,
/// and no copy of one remains in memory.
enum KeyFile {
  /// More than any key file has, so that one that is too long is noticed.
  private static let bufferSize = 128

  /// Reads a key: 32 bytes, or 64 hexadecimal digits and perhaps a newline.
  static func read(_ path: String) throws -> EncryptionKey {
    let source = try FileSource(path)
    // Of the file that was opened, whatever the path names by now.
    let info = try source.info()
    if info.isDirectory { throw ToolError("cannot read the key file \(path): it is a directory") }
    // A pipe or a descriptor of the shell's has no such permissions to go by.
    if info.size != nil, info.isOpenToOthers {
      throw ToolError("others than its owner may use the key file \(path): do `chmod 600 \(path)` first")
    }
    return try withWipedMemory(bufferSize) { buffer in
      var count = 0
      while count < buffer.count {
        let more = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
        if more == 0 { break }
        count += more
      }
      return try key(UnsafeRawBufferPointer(rebasing: buffer[..<count]), path)
    }
  }

  private static func key(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> EncryptionKey {
    if bytes.count == EncryptionKey.size, bytes.allSatisfy({ digit($0) != nil }) {
      throw ToolError(
        "the key file \(path) holds \(bytes.count) hexadecimal digits, which are half a key: give 64 digits, or 32 "
          + "random bytes")
    }
    if let key = try EncryptionKey(bytes) ?? digits(bytes) { return key }
    let size = bytes.count < bufferSize ? "\(bytes.count) bytes" : "\(bufferSize) bytes or more"
    throw ToolError(
      "the key file \(path) has \(size): it must hold 32 bytes, or 64 hexadecimal digits; "
        + "`head -c 32 /dev/urandom` makes a key")
  }

  /// The key that is written in hexadecimal digits; nil if none is.
  private static func digits(_ text: UnsafeRawBufferPointer) throws -> EncryptionKey? {
    let digits = text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...]
    guard digits.count == 2 * EncryptionKey.size else { return nil }
    return withWipedMemory(EncryptionKey.size) { bytes in
      for position in 0..<EncryptionKey.size {
        guard let high = digit(digits[2 * position]), let low = digit(digits[2 * position + 1]) else { return nil }
        bytes[position] = high << 4 | low
      }
      return EncryptionKey(UnsafeRawBufferPointer(bytes))
    }
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// Calls `body` with memory for a secret, which is wiped however that ends.
  private static func withWipedMemory<R>(_ size: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R
  {
    try withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { memory in
      defer { System.wipe(memory) }
      return try body(memory)
    }
  }
}
