/// What a step names, with the locks of all of it that is not done: nobody else appends, moves, or settles it.
struct LockedStep {
  private var locks: [String: FileLock] = [:]
  /// Those that are to be moved.
  private var positions: [(part: StepIntent.ConsumerPart, file: PositionFile)] = []

  /// Takes the locks, in the order of the names, as all do.
  ///
  /// - Throws: `.locked`, `.consumerInUse`: then it holds none.
  init(_ intent: StepIntent, _ settlement: Settlement) throws(ImmutaError) {
    do throws(ImmutaError) {
      for part in intent.logs.sorted(by: { $0.namespace < $1.namespace }) where locks[part.namespace] == nil {
        let staged = settlement.part(part)
        if intent.isOfThisRun, try staged.state(isMemoryWhole: true) == .done {
          // Whoever has it may go on. The first log's is wanted all the same, where nobody has it: for the file.
          if part.namespace == intent.logs.map(\.namespace).min() { locks[part.namespace] = try? staged.lock() }
          continue
        }
        locks[part.namespace] = try staged.lock()
      }
      for part in intent.consumers {
        let folder = settlement.folder(of: part.namespace)
        guard try settlement.isToMove(part), var file = try folder.take(part.consumer) else { continue }
        // It may have been moved before the lock was taken.
        if let mark = try? file.read(), part.isToMove(mark, file.generation) {
          positions.append((part, file))
        } else {
          file.unlock()
        }
      }
    } catch {
      unlock()
      throw error
    }
  }

  /// Whether it has the lock of a log.
  func has(_ namespace: String) -> Bool { locks[namespace] != nil }

  /// Moves the consumers to where the step leads. Whether there was one to move.
  func move(_ intent: StepIntent) throws(ImmutaError) -> Bool {
    for (part, file) in positions {
      var file = file
      var mark = try file.read()
      mark.last = part.place
      // What the step read, and what it appended, was on stable storage before.
      if intent.isStable { mark.stable = part.place }
      mark.bootIdentity = BootIdentity.current
      try file.write(mark)
      try file.flush()
    }
    return !positions.isEmpty
  }

  func unlock() {
    for lock in locks.values { lock.unlock() }
    for (_, file) in positions { file.unlock() }
  }
}
