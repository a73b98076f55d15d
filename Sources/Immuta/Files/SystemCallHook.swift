/// The kinds of call that a test can watch, or make fail.
package enum SystemCall: String, Hashable, Sendable, CaseIterable {
  case open, read, write, reserve, truncate, flush, writeBack, map, lock, rename, unlink, makeDirectory, watch
}

/// A hook's decision about a call.
package enum SystemCallOutcome: Sendable {
  /// Make the call.
  case proceed
  /// Don't; report this error number.
  case fail(Int32)
  /// Read or write at most this many bytes.
  case limit(Int)
}

/// Watches every system call of the engine, for tests: nothing is installed otherwise.
package protocol SystemCallHook: Sendable {
  /// Called before each call.
  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome
  /// Called after each call that succeeded.
  func didCall(_ call: SystemCall, path: String)
  /// Called before the system is asked for a file's size and the like.
  func willAskStatus(path: String)
  /// Called after bytes were written.
  func didWrite(_ range: Range<Int>, path: String)
  /// Whether the file system is to be taken for one that overwrites blocks where they are; nil to ask it.
  func overwritesInPlace(path: String) -> Bool?
  /// The file system that the file pretends to lie on; nil to ask the system.
  func fileSystem(path: String) -> FileSystem?
}

extension SystemCallHook {
  package func willAskStatus(path: String) {}
  package func didWrite(_ range: Range<Int>, path: String) {}
  package func overwritesInPlace(path: String) -> Bool? { nil }
  package func fileSystem(path: String) -> FileSystem? { nil }
}
