import ImmutaTransforms

/// Keys come from files, never from the command line, where every user of the machine sees them. No message shows a
/// byte of one.
enum KeyFile {
  /// Reads a key: 32 bytes, or 64 hexadecimal digits and perhaps a newline.
  static func read(_ path: String) throws -> EncryptionKey {
    let info = try System.info(path)
    if info.isDirectory { throw ToolError("cannot read the key file \(path): it is a directory") }
    // A pipe or a descriptor of the shell's has no such permissions to go by.
    if info.size != nil, info.isOpenToOthers {
      throw ToolError("others than its owner may use the key file \(path): do `chmod 600 \(path)` first")
    }
    let bytes = try bytes(of: path, atMost: 4096)
    guard let key = EncryptionKey(bytes) ?? digits(bytes).flatMap({ EncryptionKey($0) }) else {
      throw ToolError(
        "the key file \(path) has \(bytes.count) bytes: it must hold 32 bytes, or 64 hexadecimal digits; "
          + "`head -c 32 /dev/urandom` makes a key")
    }
    return key
  }

  /// All bytes of a small file.
  static func bytes(of path: String, atMost limit: Int) throws -> [UInt8] {
    let source = try FileSource(path)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      if bytes.count > limit { throw ToolError("cannot use \(path): it has more than \(limit) bytes") }
    }
  }

  private static func digits(_ text: [UInt8]) -> [UInt8]? {
    let digits = text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...]
    guard digits.count == 64 else { return nil }
    let values = digits.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard values.count == 64 else { return nil }
    return stride(from: 0, to: 64, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
  }
}
