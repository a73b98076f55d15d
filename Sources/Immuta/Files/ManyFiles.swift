import ImmutaLocking

/// Puts many files on stable storage together.
///
/// First the kernel is told to write all of them; then each is flushed, on several threads at once. The file system's journal and
/// the device's cache handle flushes at the same time together: on ext4, 1,000 new files take 70 ms in this way, and 5 s one
/// after the other. `syncfs` would be one call for all, but it also waits for what other programs have not yet written, for
/// however long that takes, and its error may be any file's.
enum ManyFiles {
  /// Flushes files. May block.
  ///
  /// - Returns: why it failed, for each file; nil where it is on stable storage.
  static func flush(_ files: [Descriptor]) -> [FileError?] {
    for file in files { file.startWriteBack() }
    let failures = Lock<[FileError?]>(Array(repeating: nil, count: files.count))
    WorkThreads.shared.perform(files.count, others: WorkThreads.most - 1) { number in
      do throws(FileError) {
        try files[number].flush()
      } catch {
        failures.withLock { $0[number] = error }
      }
    }
    return failures.withLock { $0 }
  }
}
