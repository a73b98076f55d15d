import HTTPTypes
import ImmutaTransforms

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Keys come from files, never from the command line, where every user of the machine sees them. No message shows a byte of one.
enum KeyFile {
  /// Reads a key: 32 bytes, or 64 hexadecimal digits and perhaps a newline.
  static func read(_ path: String) throws -> EncryptionKey {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure(.internalServerError, "cannot read the key file \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFREG || status.st_mode & 0o077 == 0 else {
      throw Failure(
        .internalServerError, "others than its owner may use the key file \(path): do `chmod 600 \(path)` first")
    }
    let bytes = contents(descriptor)
    guard let key = EncryptionKey(bytes) ?? digits(bytes).flatMap({ EncryptionKey($0) }) else {
      throw Failure(
        .internalServerError,
        "the key file \(path) holds no key: it must hold 32 bytes, or 64 hexadecimal digits; "
          + "`head -c 32 /dev/urandom` makes a key")
    }
    return key
  }

  /// All that a key file can have, and a byte more, so that one that is too long is noticed.
  private static func contents(_ descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 2 * EncryptionKey.size + 2)
    while bytes.count < buffer.count {
      let most = buffer.count - bytes.count
      // A call of the system's: this type has a function of that name, too.
      let count = buffer.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, most) }
      if count <= 0 { break }
      bytes += buffer.prefix(count)
    }
    return bytes
  }

  private static func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    #if canImport(Darwin)
      Darwin.read(descriptor, buffer, count)
    #elseif canImport(Musl)
      Musl.read(descriptor, buffer, count)
    #else
      Glibc.read(descriptor, buffer, count)
    #endif
  }

  /// The bytes that are written in hexadecimal digits; nil if none are.
  private static func digits(_ text: [UInt8]) -> [UInt8]? {
    let digits = (text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...])
      .map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == 2 * EncryptionKey.size else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[place], let low = digits[place + 1] else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    return bytes
  }
}
