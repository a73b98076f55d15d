public import Immuta
import ImmutaLocking
package import Logging

/// A partitioned log: a key picks the partition, order holds within a partition, and partitions are written and read
/// side by side.
///
/// ```swift
/// let store = try LogStore(directory: "logs/", partitions: 10)
/// defer { store.close() }
///
/// let receipt = try await store.append("Hello World!", key: "10084")
/// for try await message in store.stream(partition: receipt.partition, from: .beginning) {
///   print(message.offset, message.text)
/// }
/// ```
///
/// Each partition is a log of Immuta's engine, in the layout of the Go program LogStore: the engine's promises for a namespace
/// hold for a partition here. The Go program's directories can be opened, and it opens stores that were closed here.
///
/// A store may be used from any number of tasks and threads at once.
public final class LogStore: Sendable {
  /// The directory of the files, as it was given.
  public let directory: String
  /// How many partitions there are.
  public let partitionCount: Int
  /// How keys pick their partition.
  public let routing: Routing
  private let access: Storage.Access
  private let acceptsFilesOfOthers: Bool
  private let storage: Storage
  /// The partitions' logs, by number; why it cannot be used, of one that is damaged.
  private let logs: [Result<Log, ImmutaError>]
  private let partitions: HeldPartitions
  /// They close with the store; held by nobody here.
  private let openConsumers = Lock<[OpenConsumer]>([])

  private struct OpenConsumer {
    weak var consumer: MessageConsumer?
  }

  /// Opens a store, and creates it if its directory has none.
  ///
  /// The directory remembers how many partitions the store has, and the name of its routing, in the file
  /// `logstore.layout`. A directory without that file that has partitions is one of the Go program's: it has as many as
  /// there are files, and is routed by ``Routing/goCompatible``, unless another routing is given. Opening it for
  /// appending makes it remember so.
  ///
  /// Opening a partition that was closed takes the same time whatever its size.
  ///
  /// A partition that is missing, or damaged so that it cannot be opened, leaves the others usable: calls that need it
  /// throw `.corrupted`, and the logger says so. Put back the one, and repair the other by
  /// ``repair(partition:in:applying:)``, before the store is opened again. When none can be opened, opening throws.
  ///
  /// - Parameters:
  ///   - directory: where the files are, with or without a slash at its end; created if its parent exists.
  ///   - partitions: how many there are; nil for as many as the directory has.
  ///   - routing: nil for the one that the directory remembers, and for a new store ``Routing/modulo``. A routing of your own is
  ///     given each time; for reading only it may be left out if you ask for no key's partition.
  ///   - configuration: durability, access and the like, of all partitions. Its `format` is not looked at.
  /// - Throws: `.partitioningMismatch` when the directory remembers something else; `.invalidConfiguration`, also for a
  ///   codec, which partitions don't have; `.locked`, `.foreignOwner`, `.corrupted`, `.io`, `.readerCountIsZero`; for
  ///   reading only, `.namespaceNotFound`.
  public init(
    directory: String = "./logs", partitions: Int? = nil, routing: Routing? = nil,
    configuration: Storage.Configuration = .init()
  ) throws(ImmutaError) {
    if let partitions, !(1...Layout.mostPartitions).contains(partitions) {
      throw .invalidConfiguration("there are 1 to \(Layout.mostPartitions) partitions in a store, not \(partitions)")
    }
    if let partitions { try Layout.checkCanBeOpen(partitions, configuration.access, at: directory) }
    if configuration.codec != nil || configuration.writeTransform != nil || configuration.readTransform != nil {
      throw .invalidConfiguration(
        "partitions hold payloads as they are, for whoever reads their bytes: open the store without a codec")
    }
    self.directory = directory
    access = configuration.access
    acceptsFilesOfOthers = configuration.acceptsFilesOfOthers
    let place = directory.isEmpty ? "." : directory
    var configuration = configuration
    configuration.format = .bilog
    configuration.filesToKeep = [Layout.fileName]
    // A directory is not made for nothing.
    if partitions == nil, configuration.access == .readWrite, try io(SystemCalls.status(place) == nil) {
      throw LayoutOpening.noStore(in: directory, configuration.access)
    }
    storage = try Storage(opening: place, configuration: configuration)
    let opening = try LayoutOpening(
      storage.place, partitions: partitions, routing: routing, access: configuration.access,
      acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
    do throws(ImmutaError) {
      let logs = try Self.openAll(opening.layout.partitions, of: storage, configuration.access)
      Self.tell(of: logs, configuration.logger)
      if !logs.contains(where: \.isUsable), case .failure(let damage) = logs[0] { throw damage }
      self.logs = logs
      if configuration.access == .readWrite { try opening.settle() }
    } catch {
      storage.close()
      throw error
    }
    self.routing = opening.routing
    partitionCount = opening.layout.partitions
    self.partitions = HeldPartitions(partitionCount)
  }

  /// Partitions that are not there are made, unless others hold messages: then they were lost, and a new one in their
  /// place would hide that.
  private static func openAll(
    _ count: Int, of storage: Storage, _ access: Storage.Access
  ) throws(ImmutaError) -> [Result<Log, ImmutaError>] {
    let present = try Layout.presentPartitions(in: storage.place)
    var opened: [Int: Result<Log, ImmutaError>] = [:]
    for number in 0..<count where present.contains(number) { opened[number] = try open(number, of: storage, access) }
    let isLoss = access == .readOnly || opened.values.contains { $0.mayHoldMessages }
    var logs: [Result<Log, ImmutaError>] = []
    for number in 0..<count {
      if let log = opened[number] {
        logs.append(log)
      } else if isLoss {
        logs.append(.failure(Layout.missing(number, in: storage.place)))
      } else {
        logs.append(try open(number, of: storage, access))
      }
    }
    return logs
  }

  private static func open(
    _ number: Int, of storage: Storage, _ access: Storage.Access
  ) throws(ImmutaError) -> Result<Log, ImmutaError> {
    do throws(ImmutaError) {
      return .success(try storage.log("\(number)", creating: access == .readWrite))
    } catch .corrupted(let damage) {
      return .failure(.corrupted(damage))
    }
  }

  private static func tell(of logs: [Result<Log, ImmutaError>], _ logger: Logger?) {
    for (number, log) in logs.enumerated() {
      if case .failure(let error) = log {
        logger?.tell(
          .partitionUnusable, .error, "partition \(number) cannot be used: \(error)",
          ["namespace": "\(number)", "partition": "\(number)"])
      }
    }
  }

  /// One partition, by number: the same object for as long as it is held, which keeps a descriptor open. O(1).
  ///
  /// - Throws: `.partitionNotFound`, `.storageClosed`, `.io`; `.corrupted` for one that could not be opened.
  public func partition(_ index: Int) throws(ImmutaError) -> Partition {
    try partitions.partition(index, log(index))
  }

  func log(_ index: Int) throws(ImmutaError) -> Log {
    guard logs.indices.contains(index) else { throw .partitionNotFound(index, count: partitionCount) }
    return try logs[index].get()
  }

  /// The log that a key's messages are appended to, with its number. Checks first whether appending is allowed: a store for
  /// reading only may not know the routing.
  func target(_ partition: () -> Int) throws(ImmutaError) -> (partition: Int, log: Log) {
    if access == .readOnly { throw .readOnly }
    let partition = partition()
    return (partition, try log(partition))
  }

  /// The partition that a key's messages are in. O(length of the key).
  public func partition(of key: some StringProtocol) -> Int {
    var key = String(key)
    return key.withUTF8 { key in unsafe routing.partition(of: Span(_unsafeElements: key), among: partitionCount) }
  }

  /// The partition that a key's messages are in: any bytes are a key. O(length of the key).
  public func partition(of key: some Collection<UInt8>) -> Int {
    let found = key.withContiguousStorageIfAvailable { key in
      unsafe routing.partition(of: Span(_unsafeElements: key), among: partitionCount)
    }
    return found ?? partition(of: Array(key))
  }

  /// What is known of one partition without reading it. O(1).
  ///
  /// - Throws: `.partitionNotFound`, `.storageClosed`, `.io`; `.corrupted` for one that could not be opened.
  public func details(partition index: Int) throws(ImmutaError) -> Log.Details { try log(index).details }

  /// What opening found out of a partition, for people; nil where there was nothing. O(1).
  package func openingNote(partition index: Int) throws(ImmutaError) -> String? { try log(index).openingNote }

  /// What is known of the partitions without reading them, in order.
  ///
  /// - Throws: `.corrupted` for a partition that could not be opened: ask the others one by one; `.storageClosed`,
  ///   `.io`.
  public var details: [Log.Details] {
    get throws(ImmutaError) {
      var details: [Log.Details] = []
      for log in logs { details.append(try log.get().details) }
      return details
    }
  }

  /// Reads and checks every message of every partition, one after the other; see `verify` of `Log`.
  ///
  /// - Returns: what was checked, by partition.
  /// - Throws: `.corrupted` naming the first damaged message, or a partition that could not be opened;
  ///   `CancellationError`, `.storageClosed`, `.io`.
  @discardableResult
  public func verify() async throws -> [VerificationReport] {
    var reports: [VerificationReport] = []
    for log in logs { reports.append(try await log.get().verify()) }
    return reports
  }

  /// Puts all that is committed in every partition on stable storage.
  public func sync() async throws {
    for case .success(let log) in logs { try await log.sync() }
  }

  /// The same for code that is not async: blocks for the flushes.
  public func sync() throws {
    for case .success(let log) in logs { try log.sync() }
  }

  /// The open partitions' logs, in order; none of those that could not be opened.
  ///
  /// - Throws: `.storageClosed`.
  package var allLogs: [Log] {
    get throws(ImmutaError) {
      _ = try storage.allLogs
      return logs.compactMap { try? $0.get() }
    }
  }

  /// Bytes that this user's files may still take in the file system of the directory.
  ///
  /// - Throws: `.storageClosed`, `.io`.
  package var freeSpace: Int {
    get throws(ImmutaError) { try storage.freeSpace }
  }

  /// Gets what people should know.
  package var logger: Logger? { storage.logger }

  /// Reports what is wrong with a partition, and repairs what can be repaired, if asked to: see `repair` of `Storage`. The store
  /// must not be open for appending, except in processes that could not open the partition.
  ///
  /// - Parameters:
  ///   - partition: its number.
  ///   - directory: the store's.
  ///   - applying: whether to repair; by default this only reports what it would do, changes nothing, and needs no right to
  ///     write.
  /// - Throws: `.namespaceNotFound` when there is no such partition, `.locked`, `.foreignOwner`, `.io`; `.corrupted`
  ///   when nothing of it is left.
  public static func repair(
    partition: Int, in directory: String = "./logs", applying: Bool = false
  ) throws(ImmutaError) -> RepairReport {
    try repair(partition: partition, in: directory, applying: applying, acceptingFilesOfOthers: false)
  }

  /// The same, where files that another user put there may be trusted: see `acceptsFilesOfOthers` of
  /// `Storage.Configuration`.
  public static func repair(
    partition: Int, in directory: String = "./logs", applying: Bool = false, acceptingFilesOfOthers: Bool
  ) throws(ImmutaError) -> RepairReport {
    let place = try io(Directory(opening: directory))
    let trust = FileTrust(in: place, acceptsFilesOfOthers: acceptingFilesOfOthers)
    // Looking accepts a store whose layout is lost or damaged, but not one of a newer version.
    if !applying {
      do throws(ImmutaError) { _ = try Layout(in: place, trust, for: .readOnly) } catch {
        if case .unsupportedVersion = error { throw error }
      }
    }
    // The companion that repairing makes must not look like the rest of a store that lost its layout.
    if applying, try Layout(in: place, trust, for: .readWrite) == nil, try !Layout.hasCompanions(in: place) {
      _ = try LayoutOpening(
        place, partitions: nil, routing: nil, access: .readWrite, acceptsFilesOfOthers: acceptingFilesOfOthers)
    }
    return try Storage.repair(
      "\(partition)", in: directory, format: .bilog, applying: applying,
      acceptingFilesOfOthers: acceptingFilesOfOthers)
  }

  /// Closes every partition: its committed messages are on stable storage, its file ends with the last of them, and
  /// other programs may open it. Streams that wait throw `.storageClosed`, as does every later call. Messages that are
  /// held stay valid.
  ///
  /// May be called more than once and from anywhere; blocks for a flush or two per partition that was appended to.
  public func close() {
    closeConsumers()
    storage.close()
    partitions.letGo()
  }

  /// Closes every partition, as ``close()`` does, and throws what went wrong, without blocking a thread that runs tasks.
  ///
  /// The store is closed when it returns, and when it throws: opening it again recovers. It may be called more than once,
  /// and beside `close()`; each call comes to the same.
  ///
  /// - Throws: `.io` when something could not be written or flushed, now or before: the first partition's, by name; the
  ///   configuration's logger gets them all.
  public func shutdown() async throws {
    // What blocks is done there.
    defer {
      closeConsumers()
      partitions.letGo()
    }
    try await storage.shutdown()
  }

  /// The consumer is to close with the store.
  func noteOpen(_ consumer: MessageConsumer) {
    openConsumers.withLock { open in
      open.removeAll { $0.consumer == nil }
      open.append(OpenConsumer(consumer: consumer))
    }
  }

  private func closeConsumers() {
    let consumers = openConsumers.withLock { open in
      defer { open = [] }
      return open.compactMap(\.consumer)
    }
    for consumer in consumers { consumer.end(.storageClosed) }
  }

  /// The members of a consumer's group.
  func group(of consumer: String) -> GroupFolder {
    GroupFolder(
      of: consumer, in: storage.place, like: Layout.fileName, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }
}

extension Result {
  fileprivate var isUsable: Bool { if case .success = self { true } else { false } }
}

extension Result where Success == Log {
  /// Whether there are messages, or nobody knows.
  fileprivate var mayHoldMessages: Bool { if case .success(let log) = self { log.count > 0 } else { true } }
}
