import ImmutaLocking

// Many namespaces at once: their requests to the file system are made together.

extension Storage {
  /// From how many namespaces on that is done.
  static var many: Int { 32 }

  /// Opens namespaces, as the configuration says. If it throws, some of them are open.
  func openAll(_ names: [String]) throws(ImmutaError) {
    if names.count < Self.many {
      for name in names { _ = try open(name, creating: configuration.access(of: name) == .readWrite) }
      return
    }
    for piece in OpenFiles.shared.pieces(names) { try openTogether(piece) }
  }

  private func openTogether(_ names: [String]) throws(ImmutaError) {
    let opened = Lock<[Result<Log, ImmutaError>?]>(Array(repeating: nil, count: names.count))
    let firstFailure = Lock(Int.max)
    WorkThreads.shared.perform(names.count, others: 3) { number in
      // Namespaces before it are opened all the same: the error is that of the first one, whichever is faster.
      if firstFailure.withLock({ $0 < number }) { return }
      let name = names[number]
      do throws(ImmutaError) {
        let log = try self.open(name, creating: self.configuration.access(of: name) == .readWrite)
        opened.withLock { $0[number] = .success(log) }
      } catch {
        opened.withLock { $0[number] = .failure(error) }
        firstFailure.withLock { $0 = min($0, number) }
      }
    }
    var new: [LogWriter] = []
    for log in opened.withLock({ $0 }) {
      guard let log = try log?.get(), log.isNew, let writer = log.writer else { continue }
      new.append(writer)
    }
    if new.count >= Self.many { try LogWriter.markTogether(new, in: place) }
    OpenFiles.shared.makeRoom(mayBlock: true)
  }

  /// Flushes what is not on stable storage, many logs together. A failure is reported by the next call that asks the log.
  func flushTogether(_ logs: [Log]) {
    let writers = logs.compactMap(\.writer).filter { !$0.flusher.hasFlushed($0.reader.count) }
    if writers.count < Self.many { return }
    for piece in OpenFiles.shared.pieces(writers) { Flusher.flushTogether(piece.map(\.flusher)) }
  }
}

extension Log {
  /// Closes the log's descriptors now, as is done when too many are open; false where that is not possible now. Blocks for a
  /// flush where something is not on stable storage. For tests.
  package func letGoOfFiles() -> Bool {
    guard let writer else {
      reader.letGoOfFiles()
      if case .resting = follower?.files.rest() { return true }
      return false
    }
    Flusher.flushTogether([writer.flusher])
    reader.letGoOfFiles()
    if case .resting = writer.rest() { return true }
    return false
  }
}

extension LogReader {
  /// Closes the descriptors, which the next read opens again.
  fileprivate func letGoOfFiles() {
    for pool in pools { pool.letGoOfFiles() }
  }
}
