import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport

/// A directory with a store of its own.
struct Workplace {
  let directory: TemporaryDirectory
  /// Where the store is.
  var path: String { directory.file("store") }

  init() throws {
    directory = TemporaryDirectory(inMemory: true)
  }

  /// The Go program's directory.
  init(copyingGo: Bool) throws {
    try self.init()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for number in 0..<4 { try FileBytes.write(try goPartition(number), to: "\(path)/\(number).bilog") }
  }

  func open(
    _ partitions: Int? = nil, routing: Routing? = nil, access: Storage.Access = .readWrite
  ) throws(ImmutaError) -> LogStore {
    var configuration = Storage.Configuration()
    configuration.access = access
    return try LogStore(directory: path, partitions: partitions, routing: routing, configuration: configuration)
  }

  func bytes(of name: String) throws -> [UInt8] { try FileBytes.read("\(path)/\(name)") ?? [] }

  /// The files' names, but for the locks.
  var files: Set<String> {
    get throws { Set(try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasSuffix(".lock") }) }
  }
}

/// A partition that the Go program wrote.
func goPartition(_ number: Int) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: Bundle.module.bundleURL.appending(path: "Fixtures/logstore/\(number).bilog")))
}

/// The texts of a partition's messages.
func texts(_ store: LogStore, _ partition: Int) throws -> [String] {
  let log = try store.partition(partition).log
  return try log.records(in: 0..<log.count).map(\.text)
}

/// Whether an error is that of a directory that remembers something else.
func isMismatch(_ error: any Error) -> Bool {
  if case ImmutaError.partitioningMismatch = error { true } else { false }
}
