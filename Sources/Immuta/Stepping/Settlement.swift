import Logging

/// Finishes the steps that a process left half done, before one of their logs or consumers is opened: see ``StepIntent``.
///
/// A step whose intent is whole is finished, however much of it was done when the process died: its records are in the files of
/// its logs, and become part of the logs. After a restart of the machine that holds for intents that were on stable storage
/// together with their records; for others, each log keeps whatever it has of the step, and the intent is removed.
///
/// The opening of a log takes the locks of all logs whose part is not done. The process that died has released them.
struct Settlement {
  /// The files of the log that is opened, or whose consumer is opened.
  let files: LogFiles
  let acceptsFilesOfOthers: Bool
  /// Gets messages about what was done, and what could not be.
  let logger: Logger?

  /// What is opened.
  enum Subject: Equatable {
    case log
    case consumer(String)
  }

  private var directory: Directory { files.home.directory }

  private var trust: FileTrust { FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers) }

  /// How long to wait for a process that has a log of an unfinished step.
  private static var patience: Duration { .seconds(1) }

  /// Settles the steps that name the subject, and takes the subject's lock before anybody else can begin another step. If no step
  /// was ever made, one look at the directory; does nothing for a partition, which is in no step.
  ///
  /// - Parameter take: takes the subject's lock.
  /// - Throws: `.locked`, `.consumerInUse` if another process has another log of the step, and the step is not done;
  ///   `.unsupportedVersion`, `.io`; what `take` throws.
  func settle<Taken>(
    _ subject: Subject, thenTake take: () throws(ImmutaError) -> Taken
  ) throws(ImmutaError) -> Taken {
    if files.isPartition { return try take() }
    guard let folder = try io(directory.folder(IntentFile.folderName)) else { return try take() }
    // Another user's folder has no step of this user.
    guard try io(trust.holds(folder.status())) else { return try take() }
    // One at a time: a second caller would find the locks of the one that settles.
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
        // A process that has one of the logs may have gone on meanwhile.
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

  /// Whether the steps leave nothing to do for the subject itself, while a live process has another part of them.
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

  /// Whether a position is still the one that the step was to move on from, or an older one: the intent holds what a crash of the
  /// machine takes from it. A damaged position is reported when the consumer is opened.
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
      // The machine has been down, and the staged records were not on stable storage.
      if !intent.isOfThisRun, !intent.isStable { continue }
      try finish(intent, locked, path: folder.path(of: name), &mayMove)
    }
    // Only the holder of the first log's lock may remove it: otherwise another process may be writing the file.
    guard locked.has(name) else { return }
    // From here on, the logs and positions on stable storage vouch for themselves.
    var flushed: Set<String> = []
    for part in intents.reversed().flatMap(\.logs) where flushed.insert("\(part.namespace) \(part.first)").inserted {
      try staged(part).flush()
    }
    try io(folder.removeIfPresent(name))
    try io(folder.flush())
  }

  /// A step that was decided on is finished as far as its logs exist: if one was removed, or put back from an older copy, the
  /// others still get their parts.
  ///
  /// - Parameter mayMove: whether consumers may move: they do not move past a step that lost a part.
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
        logger?.tell(
          .stepLost, .warning,
          """
          \(part.part.namespace) is not the log that it was when a step was cut off, or has lost what the step had staged \
          there: the step's other logs have their parts, and no consumer moves on
          """, ["namespace": "\(part.part.namespace)", "path": "\(path)"])
      }
    }
    if mayMove, try locked.move(intent) { isNew = true }
    if isNew {
      let logs = intent.logs.map(\.namespace).joined(separator: ", ")
      logger?.tell(.stepFinished, .notice, "finished a step over \(logs) that was cut off", ["path": "\(path)"])
    }
  }
}

extension StepIntent {
  /// Whether the machine has been up since it was written.
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
