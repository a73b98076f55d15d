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
  /// Of the log that is opened, or whose consumer is.
  let files: LogFiles
  let acceptsFilesOfOthers: Bool
  /// Told of what was done, and what could not be.
  let logger: Logger?

  /// What is opened.
  enum Subject: Equatable {
    case log
    case consumer(String)
  }

  private var directory: Directory { files.home.directory }

  private var trust: FileTrust { FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers) }

  /// How long one who has a log of an unfinished step is waited for.
  private static var patience: Duration { .seconds(1) }

  /// Settles what names the subject, and takes it before anybody else may begin another step. One look at the directory where
  /// no step was ever made; nothing for a partition, which is in no step.
  ///
  /// - Parameter take: takes the subject's lock.
  /// - Throws: `.locked`, `.consumerInUse` where somebody else has another log of the step, and the step is not done;
  ///   `.unsupportedVersion`, `.io`; what `take` throws.
  func settle<Taken>(
    _ subject: Subject, thenTake take: () throws(ImmutaError) -> Taken
  ) throws(ImmutaError) -> Taken {
    if files.isPartition { return try take() }
    guard let folder = try io(directory.folder(IntentFile.folderName)) else { return try take() }
    // No step of this user's is in another's folder.
    guard try io(trust.holds(folder.status())) else { return try take() }
    // One at a time: whoever comes while another one settles would find that one's locks.
    let outcome = try io(
      folder.alone { () throws(FileError) -> Result<Taken, ImmutaError> in
        do throws(ImmutaError) {
          for name in try io(folder.names()).sorted() where FileName.isValid(name) {
            try settle(name, in: folder, for: subject)
          }
          return .success(try take())
        } catch {
          return .failure(error)
        }
      })
    return try outcome.get()
  }

  private func settle(_ name: String, in folder: Directory, for subject: Subject) throws(ImmutaError) {
    let deadline = ContinuousClock.now + Self.patience
    while true {
      let intents = try intents(name, in: folder)
      guard intents.contains(where: { names($0, subject) }) else { return }
      do throws(ImmutaError) {
        let locked = try LockedSteps(intents, self)
        defer { locked.unlock() }
        // Somebody who has one of the logs may have gone on meanwhile.
        if try self.intents(name, in: folder) == intents {
          return try finish(intents, locked, name, in: folder)
        }
      } catch {
        guard error.isInUse else { throw error }
        if ContinuousClock.now > deadline { throw error }
      }
      if try isDone(subject, intents) { return }
      ThreadGate().wait(nanoseconds: 2_000_000)
    }
  }

  /// The older one first.
  private func intents(_ name: String, in folder: Directory) throws(ImmutaError) -> [StepIntent] {
    guard let file = try IntentFile.openTrusted(name, in: folder, trust) else { return [] }
    return try IntentFile.whole(in: file).map(\.intent)
  }

  private func names(_ intent: StepIntent, _ subject: Subject) -> Bool {
    switch subject {
    case .log: intent.logs.contains { $0.namespace == files.namespace }
    case .consumer(let consumer):
      intent.consumers.contains { $0.namespace == files.namespace && $0.consumer == consumer }
    }
  }

  /// Whether a step has nothing left to be done.
  func isDone(_ intent: StepIntent) throws(ImmutaError) -> Bool {
    for part in intent.logs where try staged(part).state(isMemoryWhole: true) != .done { return false }
    for part in intent.consumers where try isToMove(part) { return false }
    return true
  }

  /// Whether nothing is left to be done for the subject, by somebody who has another part of the steps and lives.
  private func isDone(_ subject: Subject, _ intents: [StepIntent]) throws(ImmutaError) -> Bool {
    for intent in intents {
      guard intent.isOfThisRun else { return false }
      switch subject {
      case .log:
        for part in intent.logs where part.namespace == files.namespace {
          if try staged(part).state(isMemoryWhole: true) == .staged { return false }
        }
      case .consumer(let consumer):
        for part in intent.consumers where part.namespace == files.namespace && part.consumer == consumer {
          if try isToMove(part) { return false }
        }
      }
    }
    return true
  }

  func staged(_ part: StepIntent.LogPart) -> StagedPart {
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

  private func finish(
    _ intents: [StepIntent], _ locked: LockedSteps, _ name: String, in folder: Directory
  ) throws(ImmutaError) {
    var mayMove = true
    for intent in intents {
      // The machine has been down, and what was to be committed was not on stable storage.
      if !intent.isOfThisRun, !intent.isStable { continue }
      try finish(intent, locked, path: folder.path(of: name), &mayMove)
    }
    // Only who has the lock of the first log may: another one writes the file.
    guard locked.has(name) else { return }
    // What the intents vouch for vouches for itself from here on.
    var flushed: Set<String> = []
    for part in intents.reversed().flatMap(\.logs) where flushed.insert("\(part.namespace) \(part.first)").inserted {
      try staged(part).flush()
    }
    try io(folder.removeIfPresent(name))
    try io(folder.flush())
  }

  /// A step that was decided on is done as far as its logs are there: one that was removed, or put back from an older copy, keeps
  /// no other from getting its part.
  ///
  /// - Parameter mayMove: whether consumers move: not past a step that lost a part.
  private func finish(
    _ intent: StepIntent, _ locked: LockedSteps, path: String, _ mayMove: inout Bool
  ) throws(ImmutaError) {
    var isNew = false
    for part in intent.logs.map(staged) {
      switch try part.state(isMemoryWhole: intent.isOfThisRun) {
      case .done: break
      case .staged:
        try part.commit()
        try part.flush()
        isNew = true
      case .gone:
        mayMove = false
        logger?.warning(
          """
          \(part.part.namespace) is not the log that it was when a step was cut off, or has lost what the step had staged \
          there: the step's other logs have their parts, and no consumer moves on
          """, metadata: ["path": "\(path)"])
      }
    }
    if mayMove, try locked.move(intent) { isNew = true }
    if isNew {
      let logs = intent.logs.map(\.namespace).joined(separator: ", ")
      logger?.notice("finished a step over \(logs) that was cut off", metadata: ["path": "\(path)"])
    }
  }
}

extension StepIntent {
  /// Whether the machine has not been down since it was written.
  var isOfThisRun: Bool { bootIdentity != 0 && bootIdentity == BootIdentity.current }
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
