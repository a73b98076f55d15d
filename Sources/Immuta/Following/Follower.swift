import ImmutaLocking
import Solid

/// Keeps a log that is open for reading only up to date with its writer, which may be another process, or another
/// program, and with what becomes of its files.
///
/// Whenever a reader asks, and, while streams wait, when the process's ``FollowWaiter`` says so, it looks whether there is
/// more, and now and then whether the path still leads to the files that are open, and whether those still hold what was
/// read from them. If not, it opens the files that have the names now, finds out how many records both have in common, and
/// lets its readers go on there: each stream sees for itself whether that continues what it has delivered.
final class Follower: Sendable {
  private let current: Lock<FollowedFiles>
  private let open: @Sendable (LogFiles) throws(ImmutaError) -> FollowedFiles
  /// The storage's, which closes it.
  private let directory: Directory
  private let state = Lock(State())
  /// Held while other files are opened in place of those that are open.
  private let changing = Lock<Void>(())

  private struct State {
    /// Streams that wait.
    var waiting = 0
    /// Those of them that wait for durable records.
    var waitingForStable = 0
    /// By which the thread that looks after the log is told of something; nil while nobody waits.
    var ticket: FollowTicket?
    /// Whether that thread found that nobody waits, and does not look.
    var isUnattended = false
    /// Whether another thread opens other files just now.
    var isChanging = false
    var isClosed = false
    /// When the files were last looked for by their names.
    var looked: ContinuousClock.Instant?
    /// Since when nothing that can be read has the log's name.
    var lost: ContinuousClock.Instant?
    /// Readers of files that are not read any more; somebody may hold them.
    var retired: [Retired] = []
  }

  private struct Retired {
    weak var reader: LogReader?
  }

  /// Looking files up by name costs a few calls: not each time a reader asks.
  private static let lookInterval = Duration.milliseconds(1)
  /// How long files may be missing, or in the middle of something, while they are repaired, or put back.
  private static let patience = Duration.seconds(1)

  /// - Parameter open: opens the files that have a log's names.
  init(
    _ files: FollowedFiles, open: @escaping @Sendable (LogFiles) throws(ImmutaError) -> FollowedFiles
  ) {
    current = Lock(files)
    directory = files.files.directory
    self.open = open
  }

  /// The files that are read now.
  var files: FollowedFiles { current.withLock { $0 } }

  /// The time of the last record that is known.
  var lastTime: Int64 { files.state.withLock { $0.lastTime } }

  // MARK: Keeping up

  /// Takes note of what was committed since, and of files that are not what they were.
  ///
  /// - Parameter looksAgain: whether the files are looked for by their names in any case.
  /// - Throws: what keeps the log from being read on, once that has lasted a second.
  func refresh(looksAgain: Bool = false) throws(ImmutaError) {
    let files = files
    if try isAsKnown(files, looksAgain: looksAgain) {
      if state.withLock({ $0.lost }) != nil { state.withLock { $0.lost = nil } }
      return
    }
    let isChanged = try changing.withLock { (_) throws(ImmutaError) -> Bool in
      if state.withLock({ $0.isClosed }) || self.files !== files { return false }
      do throws(ImmutaError) {
        try change(from: files)
        return true
      } catch {
        // The log may be being repaired, or put back, this very moment.
        let lost = state.withLock { state in
          let lost = state.lost ?? .now
          state.lost = lost
          return lost
        }
        if ContinuousClock.now - lost >= Self.patience { throw error }
        return false
      }
    }
    // Those who wait look again, and find the new files. Not under a lock: whoever is woken may call back at once.
    if isChanged { files.retire() }
  }

  private func isAsKnown(_ files: FollowedFiles, looksAgain: Bool) throws(ImmutaError) -> Bool {
    do throws(ImmutaError) {
      guard try files.refresh() else { return false }
    } catch .corrupted(let damage) {
      // What looks damaged may be another file's doing.
      if try files.isAsFound(closely: true) { throw .corrupted(damage) }
      return false
    }
    let isDue = state.withLock { state in
      let now = ContinuousClock.now
      if !looksAgain, state.lost == nil, let looked = state.looked, now - looked < Self.lookInterval { return false }
      state.looked = now
      return true
    }
    return isDue ? try files.isAsFound(closely: looksAgain) : true
  }

  private func change(from old: FollowedFiles) throws(ImmutaError) {
    let known = old.freeze()
    var isChanged = false
    defer { if !isChanged { old.thaw() } }
    let new: FollowedFiles
    do throws(ImmutaError) {
      let directory = old.files.directory
      new = try open(
        directory.placeByName == .elsewhere ? old.files.moved(to: io(directory.reopened())) : old.files)
    } catch {
      if error.isNotFound {
        throw .logChanged(LogChange(path: old.files.logPath, kind: .removed, sharedCount: old.reader.count))
      }
      throw error
    }
    // What was read whole is damaged now, or cut short: that is no way to go on.
    if new.isBlind, !old.isBlind, let damage = new.damage {
      close(new)
      throw .corrupted(damage)
    }
    let continuity = Continuity(from: old, to: new)
    let shared: Int
    do throws(ImmutaError) {
      shared = try continuity.shared(known)
    } catch {
      close(new)
      throw error
    }
    old.reader.lineage.succeed(
      Lineage.Succession(
        lineage: new.reader.lineage, kind: continuity.isSameLog ? .cutBack : .replaced,
        shared: shared == known ? .max : shared))
    isChanged = true
    current.withLock { $0 = new }
    let isClosed = state.withLock { state in
      state.lost = nil
      state.retired.removeAll { $0.reader == nil }
      state.retired.append(Retired(reader: old.reader))
      return state.isClosed
    }
    if isClosed { close(new) } else if old.files.directory !== new.files.directory { close(old.files.directory) }
  }

  private func close(_ files: FollowedFiles) {
    files.close()
    // It may be that of those that stay open.
    if files.files.directory !== self.files.files.directory || state.withLock({ $0.isClosed }) {
      close(files.files.directory)
    }
  }

  /// One that was opened here.
  private func close(_ directory: Directory) {
    if directory !== self.directory { directory.close() }
  }

  /// Whether the files were not what they were when they were last looked at, and no others could be opened.
  var isLost: Bool { state.withLock { $0.lost != nil } }

  /// Takes note of what was flushed since.
  func refreshStable() throws(ImmutaError) {
    try files.refreshStable()
  }

  // MARK: While streams wait

  /// A stream is about to wait. Paired with `endWait`.
  func beginWait(_ visibility: StreamVisibility) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      state.waiting += 1
      if visibility == .durable { state.waitingForStable += 1 }
      guard !state.isClosed else { return }
      if let ticket = state.ticket {
        // It looks at what is stable only for those who ask.
        let isFirst = visibility == .durable && state.waitingForStable == 1
        if state.isUnattended || isFirst { ticket.prompt() }
      } else {
        do throws(ImmutaError) {
          state.ticket = try FollowWaiter.shared.add(self)
        } catch {
          state.waiting -= 1
          if visibility == .durable { state.waitingForStable -= 1 }
          throw error
        }
      }
      state.isUnattended = false
    }
  }

  func endWait(_ visibility: StreamVisibility) {
    state.withLock { state in
      state.waiting -= 1
      if visibility == .durable { state.waitingForStable -= 1 }
    }
  }

  /// Who waits for the log to be looked at.
  enum Attention {
    case closed
    /// Other files are being opened; nothing is to be looked at until then.
    case busy
    case nobody
    case streams(areForStable: Bool)
  }

  /// Asked by the thread that looks after the log, before it looks.
  var attention: Attention {
    state.withLock { state in
      if state.isClosed { return .closed }
      if state.isChanging { return .busy }
      state.isUnattended = state.waiting == 0
      return state.isUnattended ? .nobody : .streams(areForStable: state.waitingForStable > 0)
    }
  }

  /// Nobody looks after the log any more; false when somebody waits again. Decided under the lock that `beginWait` takes:
  /// either it finds the thread still there, or asks for one.
  func letGo(_ ticket: FollowTicket) -> Bool {
    state.withLock { state in
      guard state.waiting == 0, state.ticket === ticket else { return false }
      state.ticket = nil
      return true
    }
  }

  var isAsleep: Bool { state.withLock { $0.ticket?.isAsleep ?? false } }

  /// What a look came to.
  enum Look {
    /// The files are those that are known, whether there is more in them or not.
    case asKnown
    /// Others are to be opened.
    case changed
    /// Something is missing, damaged, or in the middle of a change.
    case trouble
  }

  /// Takes note of what was committed since, and tells those who wait. Opens no other files: see `changeFiles`.
  func look(looksAgain: Bool, _ isForStable: Bool) -> Look {
    let files = files
    do throws(ImmutaError) {
      guard try isAsKnown(files, looksAgain: looksAgain) else { return .changed }
      state.withLock { $0.lost = nil }
      if isForStable { try refreshStable() }
      return .asKnown
    } catch {
      interrupt(files)
      return .trouble
    }
  }

  /// Whoever waits looks for itself, and gets the error if it lasts.
  private func interrupt(_ files: FollowedFiles) {
    files.reader.committed.interrupt()
    files.stable.interrupt()
  }

  /// What tells whether a look has found anything.
  struct Progress: Equatable {
    let files: FollowedFiles
    let count: Int
    let stable: Int

    static func == (one: Progress, other: Progress) -> Bool {
      one.files === other.files && one.count == other.count && one.stable == other.stable
    }
  }

  var progress: Progress {
    let files = files
    return Progress(files: files, count: files.reader.count, stable: files.stable.generation)
  }

  /// Another thread is about to call `changeFiles`; false when one is at it.
  func beginChange() -> Bool {
    state.withLock { state in
      defer { state.isChanging = true }
      return !state.isChanging
    }
  }

  /// Opens the files that have the log's names, if they are not those that are open; false where there are none that can be
  /// read, yet.
  func changeFiles() -> Bool {
    let files = files
    do throws(ImmutaError) { try refresh(looksAgain: true) } catch { interrupt(files) }
    return state.withLock { state in
      state.isChanging = false
      return state.lost == nil
    }
  }

  func close() {
    let retired = state.withLock { state in
      state.isClosed = true
      state.ticket?.prompt()
      state.ticket = nil
      return state.retired
    }
    for old in retired { old.reader?.close() }
    close(files)
  }
}

extension ImmutaError {
  /// Whether it says that there is no such file.
  fileprivate var isNotFound: Bool {
    switch self {
    case .namespaceNotFound: true
    case .io(let number, _, _): number == ErrorNumber.notFound || number == ErrorNumber.notDirectory
    default: false
    }
  }
}
