/// The steps of one file, with the locks of all logs and consumers whose parts are not done: nobody else appends to them, moves
/// them, or settles them.
struct LockedSteps {
  private var locks: [String: FileLock] = [:]
  private var positions: [(namespace: String, consumer: String, file: PositionFile)] = []

  /// Takes the locks in the order of the names, as everybody does.
  ///
  /// - Throws: `.locked`, `.consumerInUse`: then it holds no lock.
  init(_ intents: [StepIntent], _ settlement: Settlement) throws(ImmutaError) {
    do throws(ImmutaError) {
      let parts = intents.flatMap { intent in intent.logs.map { (intent.isOfThisRun, $0) } }
      let first = parts.map(\.1.namespace).min()
      for (isOfThisRun, part) in parts.sorted(by: { $0.1.namespace < $1.1.namespace })
      where locks[part.namespace] == nil {
        let staged = settlement.staged(part)
        if isOfThisRun, try staged.state(isMemoryWhole: true) == .done {
          // If the part is done, another holder of the lock may go on. But the first log's lock is taken all the same if nobody
          // has it: for the file.
          if part.namespace == first { locks[part.namespace] = try? staged.lock() }
        } else {
          locks[part.namespace] = try staged.lock()
        }
      }
      for part in intents.flatMap(\.consumers) where try settlement.isToMove(part) {
        let isTaken = positions.contains { $0.namespace == part.namespace && $0.consumer == part.consumer }
        if !isTaken, let file = try settlement.folder(of: part.namespace).take(part.consumer) {
          positions.append((part.namespace, part.consumer, file))
        }
      }
    } catch {
      unlock()
      throw error
    }
  }

  /// Whether it has the lock of a log.
  func has(_ namespace: String) -> Bool { locks[namespace] != nil }

  /// Moves the consumers to where the step leads. Returns whether there was one to move.
  func move(_ intent: StepIntent) throws(ImmutaError) -> Bool {
    var hasMoved = false
    for part in intent.consumers {
      for (namespace, consumer, file) in positions
      where namespace == part.namespace && consumer == part.consumer {
        var file = file
        // The consumer may have been moved before the lock was taken.
        guard var mark = try? file.read(), part.isToMove(mark, file.generation) else { continue }
        mark.last = part.place
        // The records that the step read, and those that it appended, were on stable storage before.
        if intent.isStable { mark.stable = part.place } else { mark.pending.add(intent.logs.map(\.namespace)) }
        mark.bootIdentity = BootIdentity.current
        try file.write(mark, movedOnFrom: part.generation)
        try file.flush()
        hasMoved = true
      }
    }
    return hasMoved
  }

  func unlock() {
    for lock in locks.values { lock.unlock() }
    for (_, _, file) in positions { file.unlock() }
  }
}
