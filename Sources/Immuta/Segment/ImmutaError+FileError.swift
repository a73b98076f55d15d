// Where the engine's errors are made of the file layer's.

extension ImmutaError {
  /// The engine's error for a failure of the file layer.
  package init(_ error: FileError) {
    self =
      switch error {
      case .call(let failed):
        .io(
          errno: failed.errorNumber,
          operation: failed.purpose == .temporaryFile ? Self.writingTemporaryFile : failed.call.rawValue,
          path: failed.path)
      case .closed: .storageClosed
      case .moved(let path): .logMoved(path: path)
      case .notRegular(let path): .corrupted(Corruption(notRegular: path))
      case .foreignOwner(let path, let owner): .foreignOwner(path: path, owner: owner)
      case .cutShort(let path, let size, let least):
        .corrupted(
          Corruption(
            .changedMeanwhile, path: path,
            reason:
              "another program cut it short to \(size) bytes while it was open for writing, and \(least) were there: put "
              + "the log back from a copy, or repair it"))
      case .locked(let note): .locked(LockHolder(note))
      }
  }
}

extension ImmutaError {
  /// Whether a file would have become larger than the system lets it.
  var isFileTooLarge: Bool {
    if case .io(let number, _, _) = self { number == ErrorNumber.fileTooLarge } else { false }
  }
}

extension LockHolder {
  /// The holder of a lock, by the lock's file.
  package init(_ note: LockNote) {
    self.init(
      namespace: note.subject, processID: note.processID,
      since: note.since.map { Timestamp(nanosecondsSince1970: $0) })
  }
}

extension Corruption {
  fileprivate init(notRegular path: String) {
    self.init(
      .notALog, path: path, reason: "it is not a regular file: give it another name, or take it out of the directory")
    isNoLog = path.hasSuffix(".log") || path.hasSuffix(".bilog")
  }
}

/// Does a piece of work with files, and turns what the file layer throws into the engine's error. `ImmutaError(_:)` does the same
/// for a `FileError` that the caller examined first.
@inline(__always)
package func io<R: ~Copyable>(_ work: @autoclosure () throws(FileError) -> R) throws(ImmutaError) -> R {
  do throws(FileError) {
    return try work()
  } catch {
    throw ImmutaError(error)
  }
}
