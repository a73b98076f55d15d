import ImmutaLocking

/// A directory of logs: namespaces, each with one writer and any number of readers.
///
/// ```swift
/// let storage = try Storage(directory: "./log-data", namespaces: ["events"])
/// defer { storage.close() }
///
/// try await storage.append("hello world", to: "events")
/// for try await record in storage.stream("events", from: .beginning) {
///   print(record.sequence, record.text)
/// }
/// ```
///
/// A storage may be used from any number of tasks and threads at once. Each call looks up the namespace by name; take its ``Log``
/// with ``log(_:)`` to save that.
public final class Storage: LogOwner {
  /// The directory of the files.
  public let directory: String
  /// The same, open.
  package let place: Directory
  let configuration: Configuration
  private let pools: TransformPools
  private let state = Lock(State())

  private struct State {
    var logs: [String: Log] = [:]
    /// Namespaces that are being opened, closed or removed, and how many callers want to do that.
    var names: [String: (name: Name, users: Int)] = [:]
    var isClosed = false
  }

  /// Held while a namespace is opened, closed or removed, which may take long. Calls that look up or open other namespaces go on.
  private final class Name: Sendable {
    let lock = Lock<Void>(())
  }

  /// Opens namespaces, and creates those that do not exist.
  ///
  /// Opening a log that was closed takes the same time whatever its size. A log that was not closed is recovered; see
  /// <doc:FileFormat>. Either all namespaces are opened or none. An error leaves every existing log as it was; but an empty log
  /// that was created for a namespace before the failing one stays.
  ///
  /// - Parameters:
  ///   - directory: where the files are; created if its parent exists.
  ///   - namespaces: at least one valid name, each once.
  ///   - configuration: durability, readers, access.
  /// - Throws: `.namespaceRequired`, `.invalidNamespace`, `.duplicateNamespace`, `.readerCountIsZero`,
  ///   `.invalidConfiguration`, `.locked`, `.foreignOwner`, `.corrupted`, `.codecMismatch`, `.io`; for reading only,
  ///   `.namespaceNotFound`.
  public convenience init(
    directory: String = "./logs", namespaces: [String], configuration: Configuration = .init()
  ) throws(ImmutaError) {
    try configuration.check()
    if namespaces.isEmpty { throw .namespaceRequired }
    var names: Set<String> = []
    for name in namespaces {
      guard Self.isValidNamespace(name) else { throw .invalidNamespace(name) }
      guard names.insert(name).inserted else { throw .duplicateNamespace(name) }
    }
    try self.init(opening: directory, configuration: configuration)
    do {
      try openAll(namespaces)
    } catch {
      close()
      throw error
    }
  }

  /// A storage with no namespace open yet.
  package init(opening directory: String, configuration: Configuration) throws(ImmutaError) {
    try configuration.check()
    try Self.prepareDirectory(directory, configuration.appends ? .readWrite : .readOnly)
    self.directory = directory
    place = try io(Directory(opening: directory))
    if configuration.appends { try io(place.prepareToFlushEntry()) }
    self.configuration = configuration
    pools = TransformPools(encoding: configuration.encoding, decoding: configuration.decoding)
  }

  /// A storage with no namespace open yet, in a directory that is open; closing the storage closes it.
  init(in place: Directory, configuration: Configuration) throws(ImmutaError) {
    try configuration.check()
    directory = place.path
    self.place = place
    self.configuration = configuration
    pools = TransformPools(encoding: configuration.encoding, decoding: configuration.decoding)
  }

  /// Whether a name can be a namespace's: 1 to 200 ASCII letters, digits, `.`, `_` and `-`, not starting with `.`. So every name
  /// is a valid file name, and none reaches outside the directory. O(length).
  public static func isValidNamespace(_ name: String) -> Bool {
    FileName.isValid(name)
  }

  /// The namespaces whose logs are in a directory, sorted, also those whose first segments were removed. O(files in the
  /// directory).
  ///
  /// A symbolic link with a log's name is listed; opening it throws an error that says that it is a link.
  ///
  /// - Throws: `.io` when the directory cannot be listed.
  public static func namespaces(in directory: String = "./logs") throws(ImmutaError) -> [String] {
    try io(LogFiles.names(in: Directory(opening: directory))).filter(isValidNamespace).sorted()
  }

  private static func prepareDirectory(_ directory: String, _ access: Access) throws(ImmutaError) {
    if directory.utf8.contains(0) {
      throw .invalidConfiguration("the directory's path holds a zero byte; give a path without one")
    }
    guard let status = try io(SystemCalls.status(directory.isEmpty ? "." : directory)) else {
      if access == .readOnly { throw .io(errno: ErrorNumber.notFound, operation: "open", path: directory) }
      do {
        // The directory's own entry is flushed before the first append to a log in it.
        return try SystemCalls.makeDirectory(directory)
      } catch {
        // Another process was faster.
        if error.errorNumber == ErrorNumber.exists { return }
        throw ImmutaError(error)
      }
    }
    guard status.isDirectory else { throw .io(errno: ErrorNumber.notDirectory, operation: "open", path: directory) }
  }

  /// The open namespaces' names, sorted.
  public var namespaces: [String] { state.withLock { $0.logs.keys.sorted() } }

  /// The handle of an open namespace. O(1).
  ///
  /// - Throws: `.storageClosed`, `.namespaceNotFound`.
  public func log(_ namespace: String) throws(ImmutaError) -> Log {
    guard let log = try openLog(namespace) else { throw .namespaceNotFound(namespace) }
    return log
  }

  func openLogIfAny(_ namespace: String) -> Log? { state.withLock { $0.logs[namespace] } }

  func checkOpen() throws(ImmutaError) {
    if state.withLock({ $0.isClosed }) { throw .storageClosed }
  }

  private func openLog(_ namespace: String) throws(ImmutaError) -> Log? {
    try state.withLock { (state) throws(ImmutaError) in
      if state.isClosed { throw .storageClosed.of(namespace) }
      return state.logs[namespace]
    }
  }

  /// The handle of a namespace, which is opened if it is not, and created if it does not exist and `creating` is true.
  ///
  /// It is opened with the access that the configuration says. Opening one that was not closed may take long; callers that open
  /// or use another namespace meanwhile do not wait.
  ///
  /// - Throws: `.storageClosed`, `.invalidNamespace`, `.namespaceNotFound`, and what opening throws.
  public func log(_ namespace: String, creating: Bool) throws(ImmutaError) -> Log {
    try open(namespace, creating: creating)
  }

  /// - Parameter access: nil for the configuration's access, or whatever access the namespace is open with.
  func open(_ namespace: String, creating: Bool, _ access: Access? = nil) throws(ImmutaError) -> Log {
    if let log = try openLog(namespace) { return try Self.checked(log, access) }
    guard Self.isValidNamespace(namespace) else { throw .invalidNamespace(namespace) }
    return try alone(with: namespace) { () throws(ImmutaError) in
      // Somebody else may have opened it meanwhile.
      if let log = try openLog(namespace) { return try Self.checked(log, access) }
      let configuration = try configuration.with(access ?? configuration.access(of: namespace))
      let files = configuration.files(of: namespace, in: place)
      if !creating, try !io(files.isThere()) { throw .namespaceNotFound(namespace) }
      let log = try Log(
        of: self, directory: place, namespace: namespace, configuration: configuration, pools: pools)
      let isClosed = state.withLock { state in
        if !state.isClosed { state.logs[namespace] = log }
        return state.isClosed
      }
      if isClosed {
        log.close()
        throw .storageClosed.of(namespace)
      }
      OpenFiles.shared.makeRoom(mayBlock: true)
      return log
    }
  }

  private static func checked(_ log: Log, _ access: Access?) throws(ImmutaError) -> Log {
    guard let access, (access == .readOnly) != log.isFollowing else { return log }
    let way = log.isFollowing ? "for reading only" : "for appending"
    throw .invalidConfiguration(
      "\(log.namespace.quoted) is open \(way) already: close it before it is opened with another access")
  }

  /// Makes the storage forget the log, if the log has this name.
  func forget(_ namespace: String, _ log: Log) {
    state.withLock { state in
      if state.logs[namespace] === log { state.logs[namespace] = nil }
    }
  }

  /// Calls `body` while nobody else opens, closes or removes the namespace.
  func alone<R>(with namespace: String, _ body: () throws(ImmutaError) -> R) throws(ImmutaError) -> R {
    let name = state.withLock { state in
      let entry = state.names[namespace] ?? (Name(), 0)
      state.names[namespace] = (entry.name, entry.users + 1)
      return entry.name
    }
    defer {
      state.withLock { state in
        guard let entry = state.names[namespace] else { return }
        state.names[namespace] = entry.users == 1 ? nil : (entry.name, entry.users - 1)
      }
    }
    return try name.lock.withLock { (_) throws(ImmutaError) in try body() }
  }

  func openLogs() throws(ImmutaError) -> [Log] {
    try state.withLock { (state) throws(ImmutaError) in
      if state.isClosed { throw .storageClosed }
      return Array(state.logs.values)
    }
  }

  /// Closes every namespace: its committed records are on stable storage, its file ends with the last of them, and the lock is
  /// free. Uncommitted records of transactions are gone. Streams that wait throw `.storageClosed`, as does every later call.
  /// Records that are held stay valid.
  ///
  /// May be called more than once and from anywhere; returns when the storage is closed. Blocks for a flush or two per namespace
  /// that was appended to. A namespace that cannot be flushed is closed all the same; the failure goes to the configuration's
  /// logger, and opening the namespace again recovers. ``shutdown()`` throws such a failure.
  ///
  /// Logs, consumers, queues and indexes of keys that you still hold keep no file and no folder open. Records and streams that you
  /// hold may keep parts of a file mapped: release them before you unmount the disk. Calls that are under way on other threads
  /// close what they use when they return. See ``Log/records(in:)`` for one more exception.
  ///
  /// A large record of a log that was open for reading only keeps that file open while it is held.
  public func close() {
    // It was logged.
    try? closeReporting()
  }

  /// Closes as ``close()`` does, and throws why the first namespace, by name, could not be closed in good order.
  package func closeReporting() throws(ImmutaError) {
    var first: ImmutaError?
    let logs = finalLogs()
    if logs.count >= Self.many {
      first = OpenLog.closeTogether(logs.map(\.open)).compactMap(\.self).first
    } else {
      for log in logs {
        if let failure = log.close(), first == nil { first = failure }
      }
    }
    place.close()
    if let first { throw first }
  }

  /// Closes every namespace, as ``close()`` does, and throws what went wrong. End with this if you must know that your appended
  /// records are on stable storage. It waits without blocking a thread that runs tasks.
  ///
  /// The storage is closed when it returns, and when it throws: opening it again recovers. It may be called more than once, and
  /// together with `close()`; each call has the same result.
  ///
  /// - Throws: `.io` when something could not be written or flushed, now or before: the first namespace's, by name; the
  ///   configuration's logger gets them all.
  public func shutdown() async throws {
    try await Thread.run {
      do throws(ImmutaError) { try self.closeReporting() } catch { return error }
      return nil
    }
  }

  /// The open logs, sorted by name; no more can be opened from now on.
  private func finalLogs() -> [Log] {
    state.withLock { state in
      state.isClosed = true
      return state.logs.sorted { $0.key < $1.key }.map(\.value)
    }
  }
}
