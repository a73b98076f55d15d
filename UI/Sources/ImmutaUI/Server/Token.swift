import HTTPTypes

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

/// What a browser must know to be let in: 128 random bits, as 32 hexadecimal digits.
struct Token: Sendable {
  let text: String

  private init(text: String) { self.text = text }

  /// A new one.
  init() {
    var generator = SystemRandomNumberGenerator()
    text = (0..<2).map { _ in Self.digits(generator.next()) }.joined()
  }

  private static func digits(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }

  /// The one that a file holds; a new one, where there is no file. Then the file is made, for its owner alone.
  init(file: String) throws {
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 {
      self.init()
      let bytes = Array("\(text)\n".utf8)
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard close(descriptor) == 0, count == bytes.count else {
        throw Failure(.internalServerError, "cannot write the token to \(file)")
      }
      return
    }
    guard errno == EEXIST else {
      throw Failure(.internalServerError, "cannot make \(file): \(String(cString: strerror(errno)))")
    }
    self = Token(text: try Self.contents(of: file))
  }

  private static func contents(of file: String) throws -> String {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure(.internalServerError, "cannot read \(file): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    guard let rights = FileFacts.number(.posixPermissions, of: file), rights & 0o077 == 0 else {
      throw Failure(.internalServerError, "others may read \(file): make it its owner's alone with `chmod 600`")
    }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    let text = String(decoding: bytes.prefix(max(0, count)).prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
    guard text.utf8.count >= 32, text.utf8.allSatisfy(isTokenByte) else {
      throw Failure(
        .internalServerError,
        "\(file) holds no token: it must be 32 to 255 letters and digits; remove the file, and a new one is made")
    }
    return text
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }

  /// Whether a text is the token. Takes as long for a text that differs early as for one that differs late.
  func isEqual(to other: some StringProtocol) -> Bool {
    let (own, others) = (Array(text.utf8), Array(other.utf8))
    guard own.count == others.count else { return false }
    return zip(own, others).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
