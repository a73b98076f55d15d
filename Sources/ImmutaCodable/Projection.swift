public import Immuta
import ImmutaLocking

/// A fold over the records of a log: a state, to which each record is added in order, once; kept between two runs of the program.
///
/// ```swift
/// let balances = try bank.projection(named: "balances", initial: [:]) { (balances: inout [String: Int], event) in
///   switch event.value {
///   case .deposited(let account, let cents): balances[account, default: 0] += cents
///   case .withdrawn(let account, let cents): balances[account, default: 0] -= cents
///   }
/// }
/// try await balances.catchUp()
/// print(balances.withState { balances, _ in balances["ada"] ?? 0 })
/// ```
///
/// From time to time it saves its state beside the log, with the number of records in it, and begins there the next time: see
/// ``SnapshotPolicy``. The snapshot replaces the one before it whole, or not at all. It can always be made again. So if it is
/// damaged, another version's, another log's, beyond the log's end, or of records that the log lost, that is logged, and the
/// records are read again. <doc:ValuesAndProjections> says how this is detected.
///
/// Any number of tasks may use it at once. State and position always fit each other.
public final class Projection<State: Codable & Sendable>: Sendable {
  /// Adds a record to the state; `hasBegun` is set before anything of the state is changed.
  typealias Fold = @Sendable (_ state: inout State, _ record: Record, _ hasBegun: inout Bool) throws -> Void

  /// The projection's name: that of its file.
  public let name: String
  let log: Log
  let file: SnapshotFile
  private let version: Int
  private let initial: State
  private let coder: any ValueCoder
  let policy: SnapshotPolicy
  private let visibility: StreamVisibility
  private let fold: Fold
  /// Held while records are added, some at a time, which may read from the device.
  private let progress: Lock<Progress>

  /// How far it is.
  fileprivate struct Progress {
    var state: State
    /// The first record that is not in the state.
    var position = 0
    /// The log that the records are from; nil if no file holds its identity.
    var identity: LogIdentity?
    /// Stands at `position`; nil if the state does not belong to the present log, and must be loaded.
    var stream: RecordStream?
    /// The record before `position`, if it was read.
    var last: SnapshotFile.LastRecord?
    /// What the newest snapshot has, as far as this one knows.
    var savedPosition = 0
    /// When saving was last tried, how far this was then, and whether a caller is saving now.
    var tried = (position: 0, at: ContinuousClock.now)
    var isSaving = false
  }

  init(
    _ log: Log, _ name: String, _ initial: State, version: Int, _ policy: SnapshotPolicy,
    _ visibility: StreamVisibility,
    _ coder: any ValueCoder, _ fold: @escaping Fold
  ) throws {
    (self.log, self.name, file) = (log, name, try log.snapshot(named: name))
    (self.initial, self.version, self.coder, self.policy) = (initial, version, coder, policy)
    (self.visibility, self.fold) = (visibility, fold)
    progress = Lock(
      try Self.loaded(log, name, file, initial: initial, version: version, visibility, coder))
  }

  // MARK: What there is

  /// The state, of the records before ``position``. O(1); while you hold it, adding the next record copies the parts that it
  /// changes. ``withState(_:)`` avoids that.
  public var state: State { progress.withLock { $0.state } }

  /// Number of the first record that is not in the state: how many are. O(1).
  public var position: Int { progress.withLock { $0.position } }

  /// The same as ``position``, with the log's identity; nil if no file holds the log's identity. O(1).
  public var nextPosition: Position? { progress.withLock { $0.place } }

  /// How many records the newest snapshot has, as far as this projection knows. O(1).
  public var savedPosition: Int { progress.withLock { $0.savedPosition } }

  /// Calls `body` with the state and the position that belongs to it. If you decide by the state and append, that position is the
  /// count to expect of the log. No record is added meanwhile, so `body` should be short; it must not use this projection.
  public func withState<R: Sendable, E: Error>(_ body: (_ state: State, _ position: Int) throws(E) -> R) throws(E) -> R
  {
    try progress.withLock { (progress) throws(E) in try body(progress.state, progress.position) }
  }

  // MARK: Going on

  /// Adds all records that exist when it is called. It may be called while ``run()`` runs, and by several tasks.
  ///
  /// Saves when the ``SnapshotPolicy`` says so; a snapshot that cannot be saved is logged, and stops nothing.
  ///
  /// - Throws: `CancellationError`; what reading throws, and the function that adds a record: then that record comes again at the
  ///   next call, and nothing of it is in the state. `.recordRemoved` where no snapshot covers records that the log does not have
  ///   any more. After `.logChanged`, of a log that is open for reading only, the next call begins again with what the log has
  ///   by then.
  public func catchUp() async throws {
    let end = visibility == .durable ? log.stableCount : log.count
    try await foldAll(before: end)
  }

  /// Adds the records that exist, and then those to come, until the task is cancelled or an error is thrown. Saves when the
  /// ``SnapshotPolicy`` says so, and at the end: cancel it before you close the storage.
  ///
  /// - Throws: whatever ends it: `CancellationError`, `.storageClosed`, and as ``catchUp()``. It never returns otherwise.
  public func run() async throws {
    do {
      while true {
        try await foldAll(before: .max)
        let (stream, deadline) = progress.withLock { ($0.stream, timeToSave($0)) }
        try await stream?.waitForRecord(until: deadline)
      }
    } catch {
      if progress.withLock({ $0.position > $0.savedPosition }) { await saveOrNote() }
      throw error
    }
  }

  /// Saves now: when it returns, the snapshot is on stable storage, and so are the records in it, where the log is open for
  /// appending. Another process may use a projection of the same name: the last snapshot counts.
  ///
  /// - Throws: what the coder throws; `.storageClosed`, `.io`. The snapshot that was there before stays then.
  public func save() async throws {
    let (state, place, last) = progress.withLock { progress in
      progress.tried = (progress.position, .now)
      return (progress.state, progress.place, progress.last)
    }
    guard let place else { return log.note("\(title) is not saved: nothing on file says which log this is") }
    try await file.save(try coder.encode(state), stateVersion: version, at: place, after: last)
    progress.withLock { $0.savedPosition = place.sequence }
  }

  // MARK: Inside

  private var title: String { Self.title(name) }
  private static func title(_ name: String) -> String { "projection “\(name)”" }

  /// Adds the records that exist, some at a time, so that others get to the state and to the thread.
  private func foldAll(before end: Int) async throws {
    while true {
      try Task.checkCancellation()
      let mayHaveMore = try progress.withLock { (progress) throws in try foldSome(&progress, before: end) }
      if beginsSaving() {
        await saveOrNote()
        progress.withLock { $0.isSaving = false }
      }
      if !mayHaveMore { return }
      await Task.yield()
    }
  }

  private func beginsSaving() -> Bool {
    progress.withLock { progress in
      let isDue = policy.asks(progress.position - progress.tried.position, in: .now - progress.tried.at)
      guard isDue, !progress.isSaving else { return false }
      progress.isSaving = true
      return true
    }
  }

  private func saveOrNote() async {
    do {
      try await save()
    } catch {
      log.note("\(title) could not be saved, and goes on: \(error)")
    }
  }

  /// When to save even if nothing comes; nil for never.
  private func timeToSave(_ progress: Progress) -> ContinuousClock.Instant? {
    guard progress.position > progress.tried.position else { return nil }
    return policy.every.map { progress.tried.at + $0 }
  }

  private func foldSome(_ progress: inout Progress, before end: Int) throws -> Bool {
    if progress.stream == nil { try load(&progress) }
    for _ in 0..<256 {
      // Asked even where nothing more is wanted: reading notices that the log is closed, or not what was read.
      guard let record = try progress.take() else { return false }
      var hasBegun = false
      do {
        try fold(&progress.state, record, &hasBegun)
      } catch {
        progress.stream?.position = record.sequence
        // Nobody knows what of the record is in the state.
        if hasBegun { rebuild(&progress, before: record.sequence) }
        throw error
      }
      progress.note(record)
      if progress.position >= end { return false }
    }
    return true
  }

  /// Makes the state again as it was before a record that it could not take.
  private func rebuild(_ progress: inout Progress, before end: Int) {
    do {
      try load(&progress)
      while progress.position < end, let record = try progress.take() {
        var hasBegun = false
        try fold(&progress.state, record, &hasBegun)
        progress.note(record)
      }
    } catch {
      // From the beginning, at the next call.
      (progress.state, progress.position, progress.stream, progress.last) = (initial, 0, nil, nil)
    }
  }

  private func load(_ progress: inout Progress) throws {
    let isSaving = progress.isSaving
    progress = try Self.loaded(log, name, file, initial: initial, version: version, visibility, coder)
    progress.isSaving = isSaving
  }

  /// The snapshot's state, if it belongs to the present log; otherwise the beginning.
  private static func loaded(
    _ log: Log, _ name: String, _ file: SnapshotFile, initial: State, version: Int, _ visibility: StreamVisibility,
    _ coder: any ValueCoder
  ) throws -> Progress {
    var progress = Progress(state: initial)
    let found: SnapshotFile.Found
    do throws(ImmutaError) {
      found = try file.load(stateVersion: version)
    } catch {
      throw error.of(log.namespace)
    }
    switch found {
    case .none: break
    case .useless(let reason):
      log.note("the snapshot of \(title(name)) is dropped: \(reason). The records are read again")
    case .state(let bytes, let sequence):
      do {
        progress.state = try unsafe bytes.withUnsafeBytes { bytes in
          try unsafe coder.decode(State.self, from: RawSpan(_unsafeBytes: bytes))
        }
        (progress.position, progress.savedPosition) = (sequence, sequence)
      } catch {
        log.note(
          "the snapshot of \(title(name)) is dropped: it is no \(State.self), \(DecodingReason.text(of: error)). The records "
            + "are read again")
      }
    }
    progress.identity = log.identity
    progress.tried.position = progress.position
    let first = log.firstSequence
    if progress.position < first {
      throw ImmutaError.recordRemoved(sequence: progress.position, first: first, in: .init(namespace: log.namespace))
    }
    // Either is refused where the log is not what the snapshot was compared with a moment ago.
    progress.stream = log.stream(
      from: progress.place.map { .position($0) } ?? .sequence(progress.position), only: visibility)
    return progress
  }
}

extension Projection.Progress {
  fileprivate var place: Position? { identity.flatMap { Position(identity: $0, sequence: position) } }

  /// The record at the position, if it exists.
  fileprivate mutating func take() throws(ImmutaError) -> Record? {
    do throws(ImmutaError) {
      return try stream?.nextAtOnce() ?? nil
    } catch {
      switch error {
      // The records in the state are not in the log any more.
      case .logChanged, .positionBeyondEnd, .foreignPosition: stream = nil
      default: break
      }
      throw error
    }
  }

  fileprivate mutating func note(_ record: Record) {
    position = record.sequence + 1
    last = SnapshotFile.LastRecord(record)
  }
}
