import Locking
import Synchronization

/// A directory that was opened once. Its files are found in it from then on, whatever becomes of its path: a relative
/// path and `chdir`, a symbolic link that leads elsewhere now, a user who may no longer pass through its parents.
///
/// Names are those of files, without a slash. Calls throw `.storageClosed` once the directory is closed.
package final class Directory: Sendable {
  /// As it was given: for messages.
  package let path: String
  private let handle: Lock<Descriptor?>
  /// The path from the root, as it was given otherwise; nil where the system does not say where this process is.
  private let absolutePath: String?
  /// The same with every symbolic link followed, when the directory was opened.
  private let resolvedPath: String?
  private let identity: FileIdentity
  /// Relaxed: it is set before the error is thrown, and asked by those who were told of the error.
  private let flushFailed = Atomic(false)

  /// Whether a flush of the directory, or of its own entry, failed.
  var hasFailedFlush: Bool { flushFailed.load(ordering: .relaxed) }

  package init(opening path: String) throws(ImmutaError) {
    self.path = path.isEmpty ? "." : path
    let descriptor = try Descriptor(openingDirectory: self.path)
    let status = try descriptor.status()
    guard status.isDirectory else { throw .io(errno: SystemCalls.notDirectory, operation: "open", path: self.path) }
    identity = status.identity
    absolutePath = SystemCalls.absolutePath(self.path)
    resolvedPath = SystemCalls.resolvedPath(self.path)
    handle = Lock(descriptor)
  }

  private func opened() throws(ImmutaError) -> Descriptor {
    guard let descriptor = handle.withLock({ $0 }) else { throw .storageClosed }
    return descriptor
  }

  /// Lets go of the descriptor; calls that are under way finish.
  package func close() {
    handle.withLock { $0 = nil }
  }

  /// The path of a file in it, for messages.
  package func path(of name: String) -> String {
    path.hasSuffix("/") ? path + name : "\(path)/\(name)"
  }

  // MARK: Its files

  package func open(_ name: String, _ mode: SystemCalls.OpenMode) throws(ImmutaError) -> Descriptor {
    try Descriptor(opening: name, of: opened(), mode, path: path(of: name))
  }

  /// Nil when there is no file of this name.
  package func openIfPresent(_ name: String, _ mode: SystemCalls.OpenMode) throws(ImmutaError) -> Descriptor? {
    do {
      return try open(name, mode)
    } catch .io(let number, _, _) where number == SystemCalls.notFound {
      return nil
    }
  }

  /// Of what has the name: a symbolic link is not followed. Nil when nothing has.
  package func status(of name: String) throws(ImmutaError) -> SystemCalls.Status? {
    try SystemCalls.status(opened().number, name, path: path(of: name))
  }

  package func remove(_ name: String) throws(ImmutaError) {
    try SystemCalls.unlink(opened().number, name, path: path(of: name))
  }

  package func removeIfPresent(_ name: String) throws(ImmutaError) {
    do {
      try remove(name)
    } catch .io(let number, _, _) where number == SystemCalls.notFound {
      return
    }
  }

  package func rename(_ name: String, to newName: String) throws(ImmutaError) {
    try SystemCalls.rename(opened().number, name, to: newName, path: path(of: newName))
  }

  /// The names in it, in no order.
  package func names() throws(ImmutaError) -> [String] {
    try SystemCalls.names(opened().number, path: path)
  }

  /// Puts its entries on stable storage.
  package func flush() throws(ImmutaError) {
    try flush(opened())
  }

  /// Puts its own entry in its parent on stable storage. A parent that is not open to us is left to whoever made the
  /// directory.
  package func flushEntry() throws(ImmutaError) {
    do {
      let parent = try Descriptor(openingDirectory: "..", of: opened(), path: LogFiles.parent(of: path))
      try flush(parent)
    } catch .io(let number, "open", _) where SystemCalls.isDenied(number) {
      return
    }
  }

  private func flush(_ directory: Descriptor) throws(ImmutaError) {
    defer { if directory.hasFailedFlush { flushFailed.store(true, ordering: .relaxed) } }
    try directory.flushEntries()
  }

  /// A new file that no name leads to.
  ///
  /// - Parameter name: one that nothing else has, for file systems that have no such files.
  func openUnnamed(_ name: String) throws(ImmutaError) -> Descriptor {
    try Descriptor(unnamedIn: opened(), name: name, path: path(of: name))
  }

  /// Takes the exclusive lock of the directory itself for as long as the result is held, or throws `.locked`.
  package func lock() throws(ImmutaError) -> Descriptor {
    let descriptor = try Descriptor(openingDirectory: ".", of: opened(), path: path)
    try descriptor.lock()
    return descriptor
  }

  // MARK: Its place

  /// What a path leads to.
  package enum Place: Hashable, Sendable {
    case here
    /// Another directory, or none.
    case elsewhere
    /// The path cannot be followed any more by this process.
    case unknown
  }

  /// Whether the directory is where it was when it was opened. A symbolic link on the way that leads elsewhere since
  /// changes nothing.
  package var place: Place { place(by: resolvedPath) }

  /// Whether the path, as it was given, still leads here: for those who want what has the name now.
  package var placeByName: Place { place(by: absolutePath) }

  private func place(by path: String?) -> Place {
    guard let path else { return .unknown }
    do throws(ImmutaError) {
      guard let status = try SystemCalls.status(path) else { return .elsewhere }
      return status.identity == identity ? .here : .elsewhere
    } catch {
      return .unknown
    }
  }

  /// The directory that the path, as it was given, leads to now.
  package func reopened() throws(ImmutaError) -> Directory {
    try Directory(reopening: absolutePath ?? path, as: path)
  }

  private init(reopening absolutePath: String, as path: String) throws(ImmutaError) {
    let descriptor = try Descriptor(openingDirectory: absolutePath)
    identity = try descriptor.status().identity
    self.path = path
    self.absolutePath = absolutePath
    resolvedPath = SystemCalls.resolvedPath(absolutePath)
    handle = Lock(descriptor)
  }
}

/// Tells a file from all others that exist at the same time.
package struct FileIdentity: Hashable, Sendable {
  package let device: UInt64
  package let inode: UInt64
}
