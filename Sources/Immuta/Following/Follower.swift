import ImmutaLocking
import Solid

/// Keeps a log that is open for reading only up to date with its writer, which may be another process, or another program, and
/// with changes of its files.
///
/// Whenever a reader asks, and, while streams wait, when the process's ``FollowWaiter`` says so, it looks whether there is
/// more, and now and then whether the path still leads to the files that are open, and whether those still hold what was
/// read from them. If not, it opens the files that have the names now, finds out how many records both have in common, and
/// lets its readers go on there: each stream sees for itself whether that continues what it has delivered.
final class Follower: FollowedLog {
  private let current: Lock<FollowedFiles>
  private let open: @Sendable (LogFiles) throws(ImmutaError) -> FollowedFiles
  /// The storage's, which closes it.
  private let directory: Directory
  private let state = Lock(State())
  /// Held while other files are opened in place of the open ones.
  private let changing = Lock<Void>(())

  private struct State {
    var log = FollowerState<FollowTicket>()
    /// Readers of files that are not read any more; callers may still hold them.
    var retired: [Retired] = []
  }

  private struct Retired {
    weak var reader: LogReader?
    /// The directory of the reader's files, if this follower opened it.
    let directory: Directory?
  }

  /// Whether the names still lead to the open files costs a few calls: not each time a reader asks.
  private static let lookInterval = Duration.milliseconds(1)
  /// How long files may be missing, or in the middle of something, while they are repaired, or put back.
  private static let patience = Duration.seconds(1)

  /// - Parameter open: opens the files that have a log's names.
  init(
    _ files: FollowedFiles, open: @escaping @Sendable (LogFiles) throws(ImmutaError) -> FollowedFiles
  ) {
    current = Lock(files)
    directory = files.files.home.directory
    self.open = open
  }

  /// The files that are read now.
  var files: FollowedFiles { current.withLock { $0 } }

  /// The time of the last record that is known.
  var lastTime: Int64 { files.state.withLock { $0.lastTime } }

  // MARK: Keeping up

  /// Takes note of records that were committed since, and of changed or replaced files.
  ///
  /// - Parameter looksAgain: whether the files are looked for by their names in any case.
  /// - Throws: what keeps the log from being read on, once that has lasted a second.
  func refresh(looksAgain: Bool = false) throws(ImmutaError) {
    let files = files
    if try isAsKnown(files, looksAgain: looksAgain) {
      state.withLock { $0.log.find() }
      return
    }
    let isChanged = try changing.withLock { (_) throws(ImmutaError) -> Bool in
      if state.withLock({ $0.log.isClosed }) || self.files !== files { return false }
      do throws(ImmutaError) {
        try change(from: files)
        return true
      } catch {
        // The log may be being repaired, or put back, this very moment.
        let lost = state.withLock { $0.log.lose(at: .now) }
        if ContinuousClock.now - lost >= Self.patience { throw error }
        return false
      }
    }
    // The waiters look again, and find the new files. Not under a lock: a woken caller may call back at once.
    if isChanged { files.retire() }
  }

  private func isAsKnown(_ files: FollowedFiles, looksAgain: Bool) throws(ImmutaError) -> Bool {
    do throws(ImmutaError) {
      // Checked after COUNT was read: records that were committed before this call may lie in a segment after the open ones.
      guard try files.refresh(), try !files.hasRolled() else { return false }
    } catch .corrupted(let damage) {
      // What looks damaged may be another file's doing.
      if try !files.hasRolled(), try files.isAsFound(closely: true) { throw .corrupted(damage) }
      return false
    }
    let isDue = state.withLock { $0.log.isDue(at: .now, after: Self.lookInterval, looksAgain: looksAgain) }
    return isDue ? try files.isAsFound(closely: looksAgain) : true
  }

  private func change(from old: FollowedFiles) throws(ImmutaError) {
    let known = old.freeze()
    var isChanged = false
    defer { if !isChanged { old.thaw() } }
    let new: FollowedFiles
    do throws(ImmutaError) {
      let home = old.files.home
      let directory = home.directory
      new = try open(directory.placeByName == .elsewhere ? home.moved(to: io(directory.reopened())) : home)
    } catch {
      if error.isNotFound {
        throw .logChanged(LogChange(path: old.files.logPath, kind: .removed, sharedCount: old.reader.count))
      }
      throw error
    }
    // What was read whole is damaged now, or cut short: that is no way to go on.
    if new.isDamaged, !old.isDamaged, let damage = new.damage {
      close(new)
      throw .corrupted(damage)
    }
    // The same where the newest segment is.
    if let damage = new.endDamage, new.reader.count < known {
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
    let (before, after) = (old.files.home.directory, new.files.home.directory)
    let isLeft = before !== after && before !== directory
    let isClosed = state.withLock { state in
      state.log.find()
      state.retired.removeAll { $0.reader == nil }
      state.retired.append(Retired(reader: old.reader, directory: isLeft ? before : nil))
      return state.log.isClosed
    }
    // Callers may read what is left of the old files.
    if isLeft { before.letGo() }
    if isClosed { for files in [old, new] { close(files) } }
  }

  private func close(_ files: FollowedFiles) {
    files.close()
    // It may be that of those that stay open.
    let directory = files.files.home.directory
    if directory !== self.files.files.home.directory || state.withLock({ $0.log.isClosed }) {
      close(directory)
    }
  }

  /// One that was opened here.
  private func close(_ directory: Directory) {
    if directory !== self.directory { directory.close() }
  }

  /// Whether the files were not what they were when they were last looked at, and no others could be opened.
  var isLost: Bool { state.withLock { $0.log.isLost } }

  /// Takes note of records that were removed since.
  func noteRemoved() { files.sealed.noteRemoved() }

  /// Takes note of what was flushed since.
  func refreshStable() throws(ImmutaError) {
    try files.refreshStable()
  }

  // MARK: While streams wait

  /// A stream is about to wait. Paired with `endWait`.
  ///
  /// - Parameter isForStable: whether it waits for durable records.
  func beginWait(forStable isForStable: Bool) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      switch state.log.beginWait(forStable: isForStable) {
      case .nothing: break
      case .prompt(let ticket): ticket.prompt()
      case .thread:
        do throws(ImmutaError) {
          state.log.attend(try FollowWaiter.shared.add(self))
        } catch {
          state.log.endWait(forStable: isForStable)
          throw error
        }
      }
    }
  }

  func endWait(forStable isForStable: Bool) {
    state.withLock { $0.log.endWait(forStable: isForStable) }
  }

  var attention: FollowAttention { state.withLock { $0.log.attention() } }

  func letGo(_ ticket: any AnyObject & Sendable) -> Bool { state.withLock { $0.log.letGo(ticket) } }

  var isAsleep: Bool { state.withLock { $0.log.care.ticket?.isAsleep ?? false } }

  func look(looksAgain: Bool, _ isForStable: Bool) -> FollowLook {
    let files = files
    do throws(ImmutaError) {
      guard try isAsKnown(files, looksAgain: looksAgain) else { return .changed }
      state.withLock { $0.log.find() }
      if isForStable { try refreshStable() }
      return .asKnown
    } catch {
      interrupt(files)
      return .trouble
    }
  }

  /// The waiters look for themselves, and get the error if it lasts.
  private func interrupt(_ files: FollowedFiles) {
    files.reader.committed.interrupt()
    files.stable.interrupt()
  }

  var progress: FollowProgress {
    let files = files
    return FollowProgress(files: files, count: files.reader.count, stable: files.stable.generation)
  }

  func beginChange() -> Bool {
    state.withLock { $0.log.beginChange() }
  }

  func giveUpChange() {
    state.withLock { $0.log.endChange() }
    interrupt(files)
  }

  func changeFiles() -> Bool {
    let files = files
    do throws(ImmutaError) { try refresh(looksAgain: true) } catch { interrupt(files) }
    return state.withLock { state in
      state.log.endChange()
      return !state.log.isLost
    }
  }

  func close() {
    let retired = state.withLock { state in
      state.log.close()?.prompt()
      return state.retired
    }
    for old in retired {
      old.reader?.close()
      old.directory?.close()
    }
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
