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
    while let intent = try intent(name, in: folder), intent.names(subject) {
      do throws(ImmutaError) {
        let locked = try LockedStep(intent, self)
        defer { locked.unlock() }
        // What was read before the locks were taken may be settled by now.
        if try self.intent(name, in: folder) != intent { continue }
        return try settle(intent, locked, name, in: folder)
      } catch {
        guard error.isInUse else { throw error }
        if try isDone(subject, intent) { return }
        if ContinuousClock.now > deadline { throw error }
      }
      ThreadGate().wait(nanoseconds: 2_000_000)
    }
  }

  private func intent(_ name: String, in folder: Directory) throws(ImmutaError) -> StepIntent? {
    guard let status = try io(folder.statusOfFile(name)) else { return nil }
    try io(trust.check(status, name))
    guard let file = try io(folder.openIfPresent(name, .read)) else { return nil }
    return try IntentFile.current(in: file)?.intent
  }

  /// Whether nothing is left to be done for the subject, by somebody who has another part of the step and lives.
  private func isDone(_ subject: Subject, _ intent: StepIntent) throws(ImmutaError) -> Bool {
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
    _ intent: StepIntent, _ locked: LockedStep, _ name: String, in folder: Directory
  ) throws(ImmutaError) {
    // The machine has been down, and what was to be committed was not on stable storage.
    if !intent.isOfThisRun, !intent.isStable { return try remove(name, in: folder, locked, intent) }
    var states: [StagedPart.State] = []
    for part in intent.logs {
      states.append(try self.part(part).state(isMemoryWhole: intent.isOfThisRun))
    }
    let logs = intent.logs.map(\.namespace).joined(separator: ", ")
    if states.contains(.gone) {
      logger?.warning(
        """
        a step over \(logs) was cut off, and one of these logs is not the one that it was then, or has lost what the step \
        had staged: the others keep what they have of it, and no consumer moves on
        """,
        metadata: ["path": "\(folder.path(of: name))"])
      return try remove(name, in: folder, locked, intent)
    }
    let staged = zip(intent.logs, states).filter { $0.1 == .staged }.map { part($0.0) }
    for part in staged { try part.commit() }
    let moved = try locked.move(intent)
    // What the intent vouched for vouches for itself from here on.
    if locked.has(name) || !staged.isEmpty { for part in intent.logs { try self.part(part).flush() } }
    if !staged.isEmpty || moved {
      logger?.notice(
        "finished a step over \(logs) that was cut off", metadata: ["path": "\(folder.path(of: name))"])
    }
    try remove(name, in: folder, locked, intent)
  }

  /// Only who has the lock of the first log may: another one writes the file.
  private func remove(
    _ name: String, in folder: Directory, _ locked: LockedStep, _ intent: StepIntent
  ) throws(ImmutaError) {
    guard locked.has(name) else { return }
    try io(folder.removeIfPresent(name))
    try io(folder.flush())
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
