import Logging

/// Ends the steps that a process left half done, before one of their logs, or of their consumers, is opened: see
/// ``StepIntent``.
///
/// A step whose intent is whole is done, whatever was done of it when the process died: its records are in the files of its
/// logs, and are made part of them. After a restart of the machine that holds for intents that were on stable storage, with
/// their records; of others each log has kept what it has kept, and the intent is removed.
///
/// One who opens a log takes the locks of all logs whose part is not done. The one whose process died has let go of them.
struct Settlement {
  let directory: Directory
  let acceptsFilesOfOthers: Bool
  /// Told of what was done, and what could not be.
  let logger: Logger?

  /// What is opened.
  enum Subject: Equatable {
    case log(String)
    case consumer(String, of: String)
  }

  private var trust: FileTrust { FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers) }

  /// How long one who settles the same intent is waited for.
  private static var patience: Duration { .seconds(5) }

  /// Settles what names the subject. One look at the directory where no step was ever made.
  ///
  /// - Throws: `.locked`, `.consumerInUse` where somebody else has another log of the step, and the step is not done;
  ///   `.unsupportedVersion`, `.foreignOwner`, `.io`.
  func settle(_ subject: Subject) throws(ImmutaError) {
    guard let folder = try io(directory.folder(IntentFile.folderName)) else { return }
    for name in try io(folder.names()).sorted() where FileName.isValid(name) {
      try settle(name, in: folder, for: subject)
    }
  }

  private func settle(_ name: String, in folder: Directory, for subject: Subject) throws(ImmutaError) {
    let deadline = ContinuousClock.now + Self.patience
    while true {
      let intents = try intents(name, in: folder)
      guard intents.contains(where: { $0.names(subject) }) else { return }
      do throws(ImmutaError) {
        let locked = try LockedSteps(intents, self)
        defer { locked.unlock() }
        // What was read before the locks were taken may be settled by now.
        if try self.intents(name, in: folder) != intents { continue }
        return try settle(intents, locked, name, in: folder)
      } catch {
        guard error.isInUse else { throw error }
        if try isDone(subject, intents) { return }
        if ContinuousClock.now > deadline { throw error }
      }
      ThreadGate().wait(nanoseconds: 2_000_000)
    }
  }

  /// The older one first.
  private func intents(_ name: String, in folder: Directory) throws(ImmutaError) -> [StepIntent] {
    guard let status = try io(folder.statusOfFile(name)) else { return [] }
    try io(trust.check(status, name))
    guard let file = try io(folder.openIfPresent(name, .read)) else { return [] }
    return try IntentFile.whole(in: file).map(\.intent)
  }

  /// Whether nothing is left to be done for the subject, by somebody who has another part of the steps and lives.
  private func isDone(_ subject: Subject, _ intents: [StepIntent]) throws(ImmutaError) -> Bool {
    for intent in intents {
      guard intent.isOfThisRun else { return false }
      switch subject {
      case .log(let namespace):
        for part in intent.logs where part.namespace == namespace {
          if try self.part(part).state(isMemoryWhole: true) == .staged { return false }
        }
      case .consumer(let consumer, let namespace):
        for part in intent.consumers where part.namespace == namespace && part.consumer == consumer {
          if try isToMove(part) { return false }
        }
      }
    }
    return true
  }

  func part(_ part: StepIntent.LogPart) -> StagedPart {
    StagedPart(part, in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }

  func folder(of namespace: String) -> ConsumerFolder {
    ConsumerFolder(LogFiles(directory: directory, namespace: namespace), trust: trust)
  }

  /// Whether a position is still the one that the step was to move on from, or an older one: what a machine that goes down
  /// forgets of it, the intent says. One that is damaged is for those to notice who open the consumer.
  func isToMove(_ part: StepIntent.ConsumerPart) throws(ImmutaError) -> Bool {
    do throws(ImmutaError) {
      guard let current = try folder(of: part.namespace).current(of: part.consumer) else { return false }
      return part.isToMove(current.mark, current.generation)
    } catch .corrupted {
      return false
    }
  }

  // MARK: With the locks

  private func settle(
    _ intents: [StepIntent], _ locked: LockedSteps, _ name: String, in folder: Directory
  ) throws(ImmutaError) {
    var isBroken = false
    for intent in intents {
      // The machine has been down, and what was to be committed was not on stable storage.
      if !intent.isOfThisRun, !intent.isStable { continue }
      try settle(intent, locked, path: folder.path(of: name), &isBroken)
    }
    // Only who has the lock of the first log may: another one writes the file.
    guard locked.has(name) else { return }
    // What the intents vouch for vouches for itself from here on.
    for part in Set(intents.flatMap(\.logs).map(\.namespace)).compactMap({ name in
      intents.flatMap(\.logs).last { $0.namespace == name }
    }) {
      try self.part(part).flush()
    }
    try io(folder.removeIfPresent(name))
    try io(folder.flush())
  }

  /// - Parameter isBroken: whether a step before could not be finished: then no consumer moves past it.
  private func settle(
    _ intent: StepIntent, _ locked: LockedSteps, path: String, _ isBroken: inout Bool
  ) throws(ImmutaError) {
    var staged: [StagedPart] = []
    for part in intent.logs.map(self.part) {
      switch try part.state(isMemoryWhole: intent.isOfThisRun) {
      case .done: break
      case .staged: staged.append(part)
      case .gone: isBroken = true
      }
    }
    let logs = intent.logs.map(\.namespace).joined(separator: ", ")
    if isBroken {
      logger?.warning(
        """
        a step over \(logs) was cut off, and one of these logs is not the one that it was then, or has lost what the step \
        had staged: the others keep what they have of it, and no consumer moves on
        """, metadata: ["path": "\(path)"])
      return
    }
    for part in staged {
      try part.commit()
      try part.flush()
    }
    let moved = try locked.move(intent)
    if !staged.isEmpty || moved {
      logger?.notice("finished a step over \(logs) that was cut off", metadata: ["path": "\(path)"])
    }
  }
}

extension StepIntent {
  /// Whether the machine has not been down since it was written.
  var isOfThisRun: Bool { bootIdentity != 0 && bootIdentity == BootIdentity.current }

  fileprivate func names(_ subject: Settlement.Subject) -> Bool {
    switch subject {
    case .log(let namespace): logs.contains { $0.namespace == namespace }
    case .consumer(let consumer, let namespace):
      consumers.contains { $0.namespace == namespace && $0.consumer == consumer }
    }
  }
}

extension StepIntent.ConsumerPart {
  func isToMove(_ mark: ConsumerMark, _ generation: UInt64) -> Bool {
    mark.made == made && !TwoSlots.isNewer(generation, than: self.generation)
  }
}

extension ImmutaError {
  fileprivate var isInUse: Bool {
    switch self {
    case .locked, .consumerInUse: true
    default: false
    }
  }
}
