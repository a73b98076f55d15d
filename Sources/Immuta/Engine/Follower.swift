import Locking
import Solid

/// Keeps a log that is open for reading only up to date with its writer, which may be another process, or another
/// program, and with what becomes of its files.
///
/// Whenever a reader asks, and, while streams wait, from a thread of its own with a pause that grows from 50 microseconds
/// to 4 milliseconds, it looks whether there is more, and now and then whether the path still leads to the files that
/// are open, and whether those still hold what was read from them. If not, it opens the files that have the names now,
/// finds out how many records both have in common, and lets its readers go on there: each stream sees for itself whether
/// that continues what it has delivered.
final class Follower: Sendable {
  private let current: Lock<FollowedFiles>
  private let open: @Sendable (LogFiles) throws(ImmutaError) -> FollowedFiles
  /// The storage's, which closes it.
  private let directory: Directory
  private let state = Lock(State())
  /// Held while other files are opened in place of those that are open.
  private let changing = Lock<Void>(())
  private let pause = ThreadGate()

  private struct State {
    /// Streams that wait.
    var waiting = 0
    /// Those of them that wait for durable records.
    var waitingForStable = 0
    var isPolling = false
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

  private static let shortestPause: Int64 = 50_000
  private static let longestPause: Int64 = 4_000_000
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
    let new: FollowedFiles
    do throws(ImmutaError) {
      let directory = old.files.directory
      new = try open(
        directory.placeByName == .elsewhere ? old.files.moved(to: directory.reopened()) : old.files)
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
    let shared = try continuity.shared()
    old.reader.lineage.succeed(
      Lineage.Succession(
        lineage: new.reader.lineage, kind: continuity.isSameLog ? .cutBack : .replaced,
        shared: shared == old.reader.count ? .max : shared))
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

  /// Takes note of what was flushed since.
  func refreshStable() throws(ImmutaError) {
    try files.refreshStable()
  }

  // MARK: While streams wait

  /// A stream is about to wait. Paired with `endWait`.
  func beginWait(_ visibility: StreamVisibility) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      if !state.isPolling, !state.isClosed {
        try Thread.start { self.poll() }
        state.isPolling = true
      }
      state.waiting += 1
      if visibility == .durable { state.waitingForStable += 1 }
    }
  }

  func endWait(_ visibility: StreamVisibility) {
    state.withLock { state in
      state.waiting -= 1
      if visibility == .durable { state.waitingForStable -= 1 }
    }
  }

  private func poll() {
    var nanoseconds = Self.shortestPause
    while true {
      // Decided under the lock that `beginWait` takes: either it finds the thread polling on, or starts another.
      let (isDone, isForStable) = state.withLock { state in
        if state.waiting > 0, !state.isClosed { return (false, state.waitingForStable > 0) }
        state.isPolling = false
        return (true, false)
      }
      if isDone { return }
      let files = files
      let before = progress
      do throws(ImmutaError) {
        try refresh()
        if isForStable { try refreshStable() }
      } catch {
        // Whoever waits looks for itself, and gets the error if it lasts.
        files.reader.committed.interrupt()
        files.stable.interrupt()
      }
      nanoseconds = before != progress ? Self.shortestPause : min(nanoseconds * 5 / 4, Self.longestPause)
      pause.wait(nanoseconds: nanoseconds)
    }
  }

  private var progress: [Int] {
    let files = files
    return [files.reader.count, files.stable.generation]
  }

  func close() {
    let retired = state.withLock { state in
      state.isClosed = true
      return state.retired
    }
    pause.open()
    for old in retired { old.reader?.close() }
    close(files)
  }
}

extension ImmutaError {
  /// Whether it says that there is no such file.
  fileprivate var isNotFound: Bool {
    switch self {
    case .namespaceNotFound: true
    case .io(let number, _, _): number == SystemCalls.notFound || number == SystemCalls.notDirectory
    default: false
    }
  }
}
