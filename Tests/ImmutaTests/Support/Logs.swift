import Foundation
import Immuta
import ImmutaTestSupport
import Testing

extension TemporaryDirectory {
  /// Opens the storage that most tests use: one namespace, `log`.
  func open(
    _ durability: Durability = .buffered, access: Storage.Access = .readWrite, verifiesChecksums: Bool = true,
    format: LogFormat? = nil
  ) throws(ImmutaError) -> Storage {
    var configuration = Storage.Configuration(durability: durability)
    configuration.access = access
    configuration.verifiesChecksums = verifiesChecksums
    configuration.format = format
    return try Storage(directory: path, namespaces: ["log"], configuration: configuration)
  }

  /// Leaves a closed log, `log`, with these payloads.
  func fill(_ payloads: [[UInt8]]) async throws {
    let storage = try open()
    defer { storage.close() }
    for payload in payloads { try await storage.append(payload, to: "log") }
  }

  /// What the position file of a consumer says now.
  func mark(of file: String) throws -> ConsumerMark {
    try #require(try bytes(of: file).withUnsafeBytes { ConsumerMark.slots(in: $0).current }).mark
  }

  /// Writes a mark as the only one of a position file.
  func write(_ mark: ConsumerMark, to file: String) throws {
    try write(
      mark.encoded(generation: 0) + [UInt8](repeating: 0, count: TwoSlots.size - TwoSlots.sector), to: file)
  }

  /// All files, by name, but the locks: those stay, and hold nothing of a log.
  func allFiles() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: path) where !name.hasSuffix(".lock") {
      files[name] = try bytes(of: name)
    }
    return files
  }

  /// The same, with those in folders, by their paths from here.
  func tree() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: path)
    where !name.hasSuffix(".lock") && !FileBytes.isFolder(file(name)) {
      files[name] = try bytes(of: name)
    }
    return files
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(atPath: file(name))
  }
}

/// The payloads of all committed records.
func payloads(_ log: Log) throws -> [[UInt8]] {
  try log.records(in: 0..<log.count).map { Array($0.payload) }
}

/// The texts of all committed records.
func texts(_ log: Log) throws -> [String] {
  try log.records(in: 0..<log.count).map(\.text)
}

/// Chunks, and then an error if one is given.
struct ChunkSource: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  var chunks: [[UInt8]]
  var failure: (any Error)?

  struct Iterator: AsyncIteratorProtocol {
    var rest: ArraySlice<[UInt8]>
    let failure: (any Error)?

    mutating func next() async throws -> [UInt8]? {
      if let first = rest.popFirst() {
        await Task.yield()
        return first
      }
      if let failure { throw failure }
      return nil
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(rest: chunks[...], failure: failure) }
}

struct SourceFailed: Error, Equatable {}

/// A storage in a directory of its own, with one log that holds the numbers from 0 on as text.
final class OpenLog: Sendable {
  let directory: TemporaryDirectory
  let storage: Storage
  let log: Log

  init(_ count: Int) async throws {
    directory = TemporaryDirectory()
    storage = try directory.open()
    log = try storage.log("log")
    for number in 0..<count { try await log.append("\(number)") }
  }

  func close() { storage.close() }
}
