/// Why the file layer did not do what it was asked to. Its callers turn it into an error for people, as they know what the file
/// is part of.
package enum FileError: Error, Hashable, Sendable {
  /// A call of the system failed.
  case call(FailedCall)
  /// The directory, or the file, was closed.
  case closed
  /// A file that is open, or its directory, was removed, renamed or replaced.
  case moved(path: String)
  /// The name belongs to something that is not a regular file.
  case notRegular(path: String)
  /// The file belongs to a user, by number, who must not be trusted with what would be written to it.
  case foreignOwner(path: String, owner: Int)
  /// Another program cut a file short that is open for writing: its size now, and its least size before.
  case cutShort(path: String, size: Int, least: Int)
  /// Another process has the lock.
  case locked(LockNote)

  static func failed(
    _ call: CallName, _ errorNumber: Int32, path: String, for purpose: FilePurpose = .log
  ) -> FileError {
    .call(FailedCall(call: call, errorNumber: errorNumber, path: path, purpose: purpose))
  }

  /// The call that failed; nil where none did.
  var failedCall: CallName? { if case .call(let failed) = self { failed.call } else { nil } }

  /// The system's error number; 0 if no call failed.
  package var errorNumber: Int32 { if case .call(let failed) = self { failed.errorNumber } else { 0 } }

  /// The same, where the call was made for something else than the log itself.
  func during(_ purpose: FilePurpose) -> FileError {
    guard case .call(var failed) = self else { return self }
    failed.purpose = purpose
    return .call(failed)
  }
}

/// A call of the system that failed.
package struct FailedCall: Hashable, Sendable {
  package let call: CallName
  package let errorNumber: Int32
  package let path: String
  package fileprivate(set) var purpose: FilePurpose
}

/// The purpose of a call.
package enum FilePurpose: Hashable, Sendable {
  /// A file of a log, or its directory.
  case log
  /// A file that holds bytes before they have a place in a log: without it, nothing in the log has changed.
  case temporaryFile
}

/// The system's calls, by the names that people look them up by.
package enum CallName: String, Hashable, Sendable {
  case open, fchown, fchmod, pread, pwrite, pwritev, fallocate, ftruncate, fdatasync, fsync, flock, mmap, madvise
  case fstat, fstatvfs, stat, mkdir, unlink, rename, opendir
  case syncFileRange = "sync_file_range"
  case inotifyInit = "inotify_init1"
  case inotifyAddWatch = "inotify_add_watch"
}
