import HTTPTypes
import Immuta
import ImmutaLogStore
import NIOConcurrencyHelpers
import NIOPosix

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The logs of a directory, open for reading: each is opened when it is first asked for. The least recently used are let go of.
///
/// A log that nobody holds any more closes itself.
final class LogShelf: Sendable {
  /// How many namespaces are kept open: each has a few descriptors.
  static let capacity = 64

  let directory: String
  private let opening: LogOpening
  private let partitions: StoreShelf
  private let kept = NIOLockedValueBox(Kept())

  private struct Kept {
    private var logs: [String: (log: ShownLog, file: Int?)] = [:]
    /// The names, the least recently used first.
    private var order: [String] = []

    /// The log, if it still has the file that it had.
    mutating func use(_ name: String, file: Int?) -> ShownLog? {
      guard let (log, known) = logs[name], known == file else { return nil }
      order.removeAll { $0 == name }
      order.append(name)
      return log
    }

    mutating func keep(_ log: ShownLog, as name: String, file: Int?) {
      remove(name)
      logs[name] = (log, file)
      order.append(name)
      if order.count > LogShelf.capacity { remove(order[0]) }
    }

    mutating func remove(_ name: String) {
      logs[name] = nil
      order.removeAll { $0 == name }
    }
  }

  init(directory: String, acceptsFilesOfOthers: Bool = false, decoding: Decoding = Decoding()) {
    self.directory = directory
    opening = LogOpening(directory: directory, acceptsFilesOfOthers: acceptsFilesOfOthers, decoding: decoding)
    partitions = StoreShelf(directory: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }

  /// Throws where there is no such directory: hardly anybody means to look at one that is still to come.
  static func checkDirectory(_ path: String) throws {
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory else {
      throw Failure(.notFound, "there is no directory \(path): give that of the logs with --dir")
    }
  }

  /// Threads for what reads files: those that serve the others are never kept waiting.
  private static let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 8)
    pool.start()
    return pool
  }()

  /// Runs work that reads files, away from the threads that serve requests.
  static func read<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await threads.runIfActive(body)
  }

  /// The names of all namespaces, in order.
  func namespaces() async throws -> [LogName] {
    let directory = directory
    return try await Self.read { try Storage.namespaces(in: directory).map(LogName.namespace).sorted() }
  }

  /// The store of partitions that the directory is; nil where it is none.
  func store() async throws -> LogStore? { try await Self.read { try self.partitions.store() } }

  /// Calls `body` with a log, on a thread that may block; once more, where the log turns out to be another than it was.
  func withLog<Result: Sendable>(
    _ name: LogName, _ body: @escaping @Sendable (Log) throws -> Result
  ) async throws -> Result {
    try await withShownLog(name) { try body($0.log) }
  }

  /// The same, with what is shown of the log's payloads.
  func withShownLog<Result: Sendable>(
    _ name: LogName, _ body: @escaping @Sendable (ShownLog) throws -> Result
  ) async throws -> Result {
    try await Self.read {
      do {
        return try body(try self.opened(name))
      } catch ImmutaError.logChanged, ImmutaError.storageClosed {
        self.forget(name)
        return try body(try self.opened(name))
      }
    }
  }

  /// A log, to hold for long.
  func log(_ name: LogName) async throws -> Log { try await withLog(name) { $0 } }

  /// A log that has become another is opened again.
  func forget(_ name: LogName) {
    switch name {
    case .namespace(let name): kept.withLockedValue { $0.remove(name) }
    case .partition: partitions.forget()
    }
  }

  private func opened(_ name: LogName) throws -> ShownLog {
    switch name {
    case .namespace(let namespace):
      guard Storage.isValidNamespace(namespace) else { throw ImmutaError.invalidNamespace(namespace) }
      // A log that was removed or replaced is another one at once, and not only when its reader has noticed.
      let file = FileFacts.number(.systemFileNumber, of: "\(directory)/\(name.fileName)")
      if let log = kept.withLockedValue({ $0.use(namespace, file: file) }) { return log }
      let log = try opening.open(namespace)
      kept.withLockedValue { $0.keep(log, as: namespace, file: file) }
      return log
    case .partition(let number):
      // Partitions have no codec.
      return ShownLog(name: name, log: try partitions.log(number), showing: .appended)
    }
  }
}
