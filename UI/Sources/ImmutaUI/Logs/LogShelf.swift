import HTTPTypes
import Immuta
import NIOConcurrencyHelpers
import NIOPosix

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The logs of a directory, open for reading: each is opened when it is first asked for. The least recently used are let go of.
///
/// Payloads are as they are stored, so no key is needed. A log that nobody holds any more closes itself.
final class LogShelf: Sendable {
  /// How many logs are kept open: each has a few descriptors.
  static let capacity = 64

  let directory: String
  private let acceptsFilesOfOthers: Bool
  private let kept = NIOLockedValueBox(Kept())

  private struct Kept {
    private var logs: [String: (log: Log, file: Int?)] = [:]
    /// The names, the least recently used first.
    private var order: [String] = []

    /// The log, if it still has the file that it had.
    mutating func use(_ name: String, file: Int?) -> Log? {
      guard let (log, known) = logs[name], known == file else { return nil }
      order.removeAll { $0 == name }
      order.append(name)
      return log
    }

    mutating func keep(_ log: Log, as name: String, file: Int?) {
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

  init(directory: String, acceptsFilesOfOthers: Bool = false) {
    (self.directory, self.acceptsFilesOfOthers) = (directory, acceptsFilesOfOthers)
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

  /// The names of all logs, sorted.
  func names() async throws -> [String] {
    let directory = directory
    return try await Self.read { try Storage.namespaces(in: directory) }
  }

  /// Calls `body` with a log, on a thread that may block; once more, where the log turns out to be another than it was.
  func withLog<Result: Sendable>(
    _ name: String, _ body: @escaping @Sendable (Log) throws -> Result
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
  func log(_ name: String) async throws -> Log { try await withLog(name) { $0 } }

  /// A log that has become another is opened again.
  func forget(_ name: String) { kept.withLockedValue { $0.remove(name) } }

  private func opened(_ name: String) throws -> Log {
    guard Storage.isValidNamespace(name) else { throw ImmutaError.invalidNamespace(name) }
    // A log that was removed or replaced is another one at once, and not only when its reader has noticed.
    let file = fileNumber(name)
    if let log = kept.withLockedValue({ $0.use(name, file: file) }) { return log }
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    configuration.deliversStoredPayloads = true
    configuration.acceptsFilesOfOthers = acceptsFilesOfOthers
    let storage = try Storage(directory: directory, namespaces: [name], configuration: configuration)
    let log = try storage.log(name)
    kept.withLockedValue { $0.keep(log, as: name, file: file) }
    return log
  }

  /// Of the file that a log is appended to; nil where there is none.
  private func fileNumber(_ name: String) -> Int? {
    FileFacts.number(.systemFileNumber, of: "\(directory)/\(name).log")
  }
}
