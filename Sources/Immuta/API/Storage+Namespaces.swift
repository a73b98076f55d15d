// Opening, closing and removing one namespace, while the others go on.

extension Storage {
  /// The handle of a namespace. The namespace is opened with this access if it is not open, and created if it does not exist and
  /// `creating` is true. This is for a storage that appends to some of its namespaces and follows others.
  ///
  /// ```swift
  /// let orders = try storage.log("orders")                              // appended to here
  /// let prices = try storage.log("prices", access: .readOnly)           // another process appends
  /// ```
  ///
  /// The access given here overrides ``Configuration/access`` and ``Configuration/accessByNamespace``. Several namespaces may be
  /// opened at the same time. One that takes long, because it was not closed, holds up only callers that want the same one.
  ///
  /// - Throws: `.invalidConfiguration` when the namespace is open with the other access: close it first;
  ///   `.storageClosed`, `.invalidNamespace`, `.namespaceNotFound`, and what opening throws. For reading only, a namespace
  ///   is never created.
  public func log(_ namespace: String, creating: Bool = false, access: Access) throws(ImmutaError) -> Log {
    try open(namespace, creating: creating && access == .readWrite, access)
  }

  /// Closes one namespace, as ``close()`` closes them all: its committed records are on stable storage, its file ends with
  /// the last of them, and the lock is free, for another process too. The storage's other namespaces go on.
  ///
  /// From now on its handles throw `.storageClosed`, and so does everything that was begun with them: streams that wait, open
  /// transactions, appends that wait for their turn. Records that are held stay valid. The storage does not know the name any
  /// more: ``log(_:)`` throws `.namespaceNotFound`, and ``log(_:creating:)`` opens it again, with a new handle.
  ///
  /// A namespace that is not open stays so. Blocks for a flush or two if the namespace was appended to. A failure to flush goes
  /// to the configuration's logger, and opening the namespace again recovers; ``shutdown(_:)`` throws it.
  public func close(_ namespace: String) {
    // It was logged.
    try? closeReporting(namespace)
  }

  /// Closes one namespace, as ``close(_:)`` does, and throws what went wrong. It waits without blocking a thread that runs
  /// tasks. The namespace is closed when it returns, and when it throws.
  ///
  /// - Throws: `.io` when something could not be written or flushed, now or before; `.logMoved`.
  public func shutdown(_ namespace: String) async throws {
    try await Thread.run {
      do throws(ImmutaError) { try self.closeReporting(namespace) } catch { return error }
      return nil
    }
  }

  private func closeReporting(_ namespace: String) throws(ImmutaError) {
    try alone(with: namespace) { () throws(ImmutaError) in
      if let log = openLogIfAny(namespace) { try closeAlone(log) }
    }
  }

  /// Closes one namespace by its handle, which may be an older one: another handle of that name stays open.
  func close(_ log: Log) throws(ImmutaError) {
    try alone(with: log.namespace) { () throws(ImmutaError) in try closeAlone(log) }
  }

  /// Closes a log while nobody else opens, closes or removes its namespace.
  private func closeAlone(_ log: Log) throws(ImmutaError) {
    let failure = log.close()
    forget(log.namespace, log)
    if let failure { throw failure }
  }

  /// Removes a namespace for good: its log, and the files beside it. It is closed first, if it is open here.
  ///
  /// It removes first the log, `<namespace>.log`; of a log that has rolled, the whole folder `.segments` in one step. Once that
  /// is on stable storage, it removes the companion `.idx`, the folders `.consumers`, `.projections` and `.keys` with the files
  /// in them, `.meta`, and `.lock`. Copies that opening or repairing saved beside the log, `.saved-…`, stay. When it returns, the
  /// whole removal is on stable storage.
  ///
  /// After a crash in between, either the whole log exists, or no log that opens. For a log that has rolled, the next opening for
  /// appending, or removal, finishes the work. For a log of one file that had records, opening the rest throws (`.corrupted`,
  /// “the log is missing”), and removing it again clears the rest away. The rest is never taken for another log.
  ///
  /// Handles and streams of it in this process throw `.storageClosed`, as after ``close(_:)``. A stream in another process
  /// that follows the log delivers what was committed, and then throws ``ImmutaError/logChanged(_:)``. Records that are
  /// held stay valid. ``log(_:creating:)`` makes a new log of that name, with another identity.
  ///
  /// Blocks for two flushes of the directory. It reads nothing of the log, so a damaged one can be removed, too.
  ///
  /// - Throws: `.namespaceNotFound` where there is none; `.readOnly` where this storage may only read it; `.locked` while
  ///   another process has it open for writing: nothing is removed then; `.foreignOwner`, `.storageClosed`,
  ///   `.invalidNamespace`, `.io`.
  public func remove(_ namespace: String) throws(ImmutaError) {
    guard Self.isValidNamespace(namespace) else { throw .invalidNamespace(namespace) }
    try alone(with: namespace) { () throws(ImmutaError) in
      try checkOpen()
      let open = openLogIfAny(namespace)
      let mayWrite = open.map { !$0.isFollowing } ?? (configuration.access(of: namespace) == .readWrite)
      guard mayWrite else { throw .readOnly.of(namespace) }
      if let open {
        // A failure does not matter: the log is removed.
        open.close()
        forget(namespace, open)
      }
      let files = configuration.files(of: namespace, in: place)
      // The other logs of an unfinished step get their parts of it.
      try Settlement(
        files: files, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers, logger: configuration.logger
      ).settle(.log) {}
      let trust = FileTrust(in: place, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
      try Removal(files: files, trust: trust).run()
    }
  }
}
