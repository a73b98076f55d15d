import Immuta
import ImmutaLogStore
import NIOConcurrencyHelpers

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The store of partitions in a directory, open for reading for as long as it is the same one.
final class StoreShelf: Sendable {
  private let directory: String
  private let acceptsFilesOfOthers: Bool
  private let kept = NIOLockedValueBox<Kept?>(nil)

  private struct Kept: Sendable {
    let store: LogStore
    /// The number of each partition's file when the store was opened; nil where there was none.
    let files: [Int?]
    let opened: ContinuousClock.Instant
  }

  /// A store with partitions that could not be opened is opened again after so long: they may have been repaired.
  private static let patience = Duration.seconds(2)

  init(directory: String, acceptsFilesOfOthers: Bool) {
    (self.directory, self.acceptsFilesOfOthers) = (directory, acceptsFilesOfOthers)
  }

  /// The store; nil where the directory is none. O(files of the directory), and O(partitions) where it must be opened.
  ///
  /// - Throws: what opening it throws, such as `.corrupted` where no partition can be used.
  func store() throws -> LogStore? { try current()?.store }

  /// A partition as a log.
  ///
  /// - Throws: `.namespaceNotFound` where the directory is no store; `.partitionNotFound`; `.corrupted` for a partition that
  ///   cannot be opened.
  func log(_ number: Int) throws -> Log {
    guard var kept = try current() else { throw ImmutaError.namespaceNotFound("\(LogName.partition(number))") }
    // Another file is another log at once, and not only when a reader has noticed.
    if kept.files.indices.contains(number), kept.files[number] != file(of: number) { kept = try open() }
    do {
      return try kept.store.partition(number).log
    } catch ImmutaError.corrupted(let damage) {
      if ContinuousClock.now - kept.opened > Self.patience { forget() }
      throw ImmutaError.corrupted(damage)
    }
  }

  /// A store that has become another is opened again.
  func forget() { kept.withLockedValue { $0 = nil } }

  private func current() throws -> Kept? {
    guard isStore else {
      forget()
      return nil
    }
    return try kept.withLockedValue { $0 } ?? open()
  }

  private func open() throws -> Kept {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    configuration.acceptsFilesOfOthers = acceptsFilesOfOthers
    let store = try LogStore(directory: directory, configuration: configuration)
    let new = Kept(store: store, files: (0..<store.partitionCount).map(file(of:)), opened: .now)
    kept.withLockedValue { $0 = new }
    return new
  }

  /// Whether the directory has the files of a store.
  private var isStore: Bool {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.contains { $0 == "logstore.layout" || $0.hasSuffix(".bilog") }
  }

  private func file(of number: Int) -> Int? {
    FileFacts.number(.systemFileNumber, of: "\(directory)/\(LogName.partition(number).fileName)")
  }
}
