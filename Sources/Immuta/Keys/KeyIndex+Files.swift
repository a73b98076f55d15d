import ImmutaLocking

// Files are made when the log has rolled, and when a segment is first needed; the files of removed segments are merged into one.

extension KeyIndex {
  /// Makes the files of segments whose keys are in memory, and adds up the counts of removed segments. May block.
  func writeFiles() {
    state.withLock { $0.isAboutToWrite = false }
    while true {
      let next = state.withLock { state -> MemoryKeys? in
        while let first = state.unwritten.popLast() {
          if case .memory(let keys) = state.sealed[first] { return keys }
        }
        return nil
      }
      guard let next else { break }
      // If that fails, the keys stay in memory, and the next opening makes the file.
      guard let file = try? makeFile(of: next) else { continue }
      state.withLock { state in
        if case .memory = state.sealed[next.first] { state.sealed[next.first] = .file(file) }
      }
    }
    try? addUpRemoved()
  }

  /// The file of a segment's keys, made now; nil if it cannot be made, or another process is making it.
  private func makeFile(of keys: MemoryKeys) throws(ImmutaError) -> KeyFile? {
    let isMade = try writing.withLock { (_) throws(ImmutaError) in try makeFileAlone(of: keys) }
    return isMade ? try file(of: keys.first..<keys.end) : nil
  }

  /// The same for callers that must not wait for a thread that is making other files: that thread makes this one later.
  func makeFileIfFree(of keys: MemoryKeys) throws(ImmutaError) -> KeyFile? {
    let isMade = try writing.withLockIfAvailable { (_) throws(ImmutaError) in try makeFileAlone(of: keys) }
    if isMade == nil { state.withLock { $0.unwritten.append(keys.first) } }
    return isMade == true ? try file(of: keys.first..<keys.end) : nil
  }

  private func makeFileAlone(of keys: MemoryKeys) throws(ImmutaError) -> Bool {
    // A log that is closed may be removed, and another one may get its name.
    guard open.workBeside.begin() else { throw .storageClosed }
    defer { open.workBeside.end() }
    guard let owner = state.withLock({ $0.owner }) else { return false }
    let isMade = try folder.alone { (log) throws(ImmutaError) in
      // Another process may have made it.
      if try file(of: keys.first..<keys.end) != nil { return true }
      let writer = KeyFileWriter(keys: keys, owner: owner) { [open] (range) throws(ImmutaError) in
        try open.reader(of: range.lowerBound, open.reader).entries(range)
      }
      return try folder.replace(folder.fileName(keys.first), like: log) { (file) throws(ImmutaError) in
        try writer.write(to: file)
      }
    }
    return isMade == true
  }

  // MARK: What was removed

  /// Looks up the counts of removed records, if more were removed since.
  func noteRemoved() {
    let first = open.firstSequence
    if state.withLock({ $0.removed.end == first }) { return }
    state.withLock { state in
      for (segment, keys) in state.sealed where segment < first {
        state.sealed[segment] = nil
        if case .memory(let keys) = keys { state.removed.addMemory(keys) }
      }
      state.kept.remove(before: first)
    }
    let files = removedFiles(before: first)
    let isScattered = state.withLock { state in
      state.removed.set(files, end: first)
      return state.removed.isScattered
    }
    guard isScattered else { return }
    // Files that are not merged count all the same.
    try? WorkThreads.shared.add { try? self.addUpRemoved() }
  }

  private func removedFiles(before first: Int) -> [KeyFile] {
    let (known, damaged) = state.withLock { ($0.owner, $0.removed.damaged) }
    guard first > 0, let owner = known else { return [] }
    func open(_ name: String, _ isExpected: (KeyFileHeader) -> Bool) -> KeyFile? {
      damaged.contains(name) ? nil : folder.open(name, isExpected)
    }
    let sum = open(folder.removedName) { header in
      header.kind == .removed && header.owner == owner && header.end <= first
    }
    let end = sum?.header.end ?? 0
    let others = folder.firsts(before: first).compactMap { segment in
      open(folder.fileName(segment)) { header in
        header.kind == .segment && header.owner == owner && header.first == segment && header.first >= end
          && header.end <= first
      }
    }
    let files = [sum].compactMap(\.self) + others
    // There may be many files.
    for file in files.dropFirst() { file.rest() }
    return files
  }

  /// Merges the counts of removed segments into one file. May block.
  private func addUpRemoved() throws(ImmutaError) {
    guard open.workBeside.begin() else { throw .storageClosed }
    defer { open.workBeside.end() }
    let first = open.firstSequence
    guard first > 0, let owner = state.withLock({ $0.owner }) else { return }
    let memory = state.withLock { $0.removed.memory }
    let isDone = try writing.withLock { (_) throws(ImmutaError) in
      try folder.alone { (log) throws(ImmutaError) -> Bool in
        let files = removedFiles(before: first)
        // The same records must not count twice.
        let memory = memory.filter { keys in
          !files.contains { $0.header.first <= keys.first && keys.first < $0.header.end }
        }
        let parts = files.map { ($0.header.first, $0.header.end) } + memory.map { ($0.first, $0.end) }
        guard memory.count + files.count > (files.first?.header.kind == .removed ? 1 : 0),
          let start = parts.map(\.0).min(), let end = parts.map(\.1).max()
        else { return false }
        let header = KeyFileHeader(.removed, owner, first: start, count: end - start)
        let isWritten = try folder.replace(folder.removedName, like: log) { (file) throws(ImmutaError) in
          try write(header, KeyCounts(files, memory), to: file)
        }
        // Only now: the new file has their counts.
        if isWritten { folder.remove(folder.firsts(before: end).map { folder.fileName($0) }) }
        return isWritten
      }
    }
    if isDone == true { state.withLock { $0.removed.note(made: folder.removedName) } }
  }

  private func write(
    _ header: KeyFileHeader, _ counts: KeyCounts, to file: Descriptor
  ) throws(ImmutaError) -> Bool {
    var (header, counts) = (header, counts)
    var slots = PieceWriter(file, at: KeyFileHeader.size, size: KeySlot.size)
    while true {
      let (slot, damaged) = counts.next()
      if let damaged {
        state.withLock { $0.removed.note(damaged: damaged.name) }
        return false
      }
      guard let slot else { break }
      let place = header.groups
      try unsafe slots.append { (bytes) in unsafe slot.encode(into: bytes, at: place) }
      header.groups += 1
    }
    try slots.finish()
    try io(file.write(header.encoded(), at: 0))
    return true
  }
}
