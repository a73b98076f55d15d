import Foundation
import ImmutaTestSupport

/// Where the tool runs: a directory of its own, removed with its last reference.
final class Workplace {
  private let directory = TemporaryDirectory()
  var path: String { directory.path }

  /// Runs the tool here to its end.
  @discardableResult
  func run(_ arguments: String..., input: [UInt8] = []) throws -> Outcome {
    try Child(arguments, in: self).finish(feeding: input)
  }

  /// Runs the tool here with text as its input.
  @discardableResult
  func run(_ arguments: String..., input: String) throws -> Outcome {
    try Child(arguments, in: self).finish(feeding: Array(input.utf8))
  }

  /// Starts the tool here.
  func start(_ arguments: String..., closing: [Int32] = []) throws -> Child {
    try Child(arguments, in: self, closing: closing)
  }

  func write(_ bytes: [UInt8], to name: String) throws { try directory.write(bytes, to: name) }

  func read(_ name: String) throws -> [UInt8] { try directory.bytes(of: name) }

  func names(in folder: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)").sorted()
  }

  /// Changes one byte of a file.
  func damage(_ name: String, at offset: Int) throws {
    var bytes = try read(name)
    bytes[offset] ^= 0x40
    try write(bytes, to: name)
  }
}
