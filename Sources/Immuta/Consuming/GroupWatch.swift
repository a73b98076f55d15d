import CImmutaFileCalls
import ImmutaLocking

/// Makes a member of a group look when others come, leave or die, or give up a partition: on one of the threads for work that
/// blocks, and never twice at the same time.
///
/// Where the kernel reports changes, an idle member still looks every five seconds, for changes that were not reported; elsewhere
/// every second. After a report it looks at once, and three times more within a second: the kernel reports the death of a process
/// a moment before its locks are free.
package final class GroupWatch: Sendable {
  private let folder: @Sendable () -> Directory?
  private let look: @Sendable () -> Void
  private let state = Lock(State())

  private struct State {
    var ticket: Ticket?
    var isOver = false
    var isLooking = false
    /// Whether another look was requested during one.
    var isAsked = false
    /// How many of the looks in quick succession are done.
    var soon = 0
    /// Whether the long pause is under way.
    var isPausing = false
    /// Counts the looks that are scheduled for later: only the newest takes place.
    var later = 0
    /// Looks so far.
    var looks = 0
  }

  /// The observer for the kernel's reports; it does not retain the watch that it calls.
  private final class Ticket: FileObserver {
    private let watch: Lock<Weak>

    private struct Weak {
      weak var watch: GroupWatch?
    }

    init(_ watch: GroupWatch) { self.watch = Lock(Weak(watch: watch)) }

    func filesMayHaveChanged() { watch.withLock { $0.watch }?.lookSoon() }
  }

  private static var pausesSoon: [Duration] { [.milliseconds(20), .milliseconds(200), .milliseconds(800)] }
  private static var pauseIfTold: Duration { .seconds(5) }
  private static var pauseIfNot: Duration { .seconds(1) }

  /// - Parameters:
  ///   - folder: the group's, as it is now.
  ///   - look: what to do.
  package init(folder: @escaping @Sendable () -> Directory?, look: @escaping @Sendable () -> Void) {
    self.folder = folder
    self.look = look
  }

  deinit { end() }

  /// How often it made the member look, for tests and measurements.
  package var looks: Int { state.withLock { $0.looks } }

  /// Whether it does not look again before the kernel reports something, or the long pause is over; for tests.
  package var isAtRest: Bool {
    state.withLock { !$0.isLooking && $0.soon == Self.pausesSoon.count && $0.isPausing }
  }

  /// Looks now, on this thread, and from then on after each report, until ``end()``.
  package func begin() {
    state.withLock { state in
      state.ticket = Ticket(self)
      state.isLooking = true
    }
    run()
  }

  /// Looks soon, on another thread.
  package func lookSoon() {
    let mustRun = state.withLock { state in
      state.soon = 0
      return mayLook(&state)
    }
    if mustRun { runElsewhere() }
  }

  /// Ends the looking; a look that is under way ends by itself.
  package func end() {
    let ticket = state.withLock { state in
      state.isOver = true
      return state.ticket.take()
    }
    if let ticket { FileEvents.shared.forget(ticket) }
  }

  private func mayLook(_ state: inout State) -> Bool {
    if state.isOver { return false }
    state.isAsked = state.isLooking
    defer { state.isLooking = true }
    return !state.isLooking
  }

  private func runElsewhere() {
    do throws(NoThread) {
      try WorkThreads.shared.add { self.run() }
    } catch {
      // The next report, or the next caller that waits for a message, tries again.
      state.withLock { $0.isLooking = false }
    }
  }

  private func run() {
    while true {
      let isTold = watches()
      look()
      let isDone = state.withLock { state in
        state.looks += 1
        if state.isAsked, !state.isOver {
          state.isAsked = false
          return false
        }
        state.isLooking = false
        if !state.isOver { lookLater(&state, isTold: isTold) }
        return true
      }
      if isDone { return }
    }
  }

  /// Whether changes from now on are reported: so this is called before the look.
  private func watches() -> Bool {
    guard let ticket = state.withLock({ $0.ticket }), let folder = folder(),
      let descriptor = try? folder.opened(), descriptor.fileSystem.reportsChanges
    else { return false }
    let isTold = FileEvents.shared.watch(
      FileEvents.Places(directory: folder, files: [], names: nil, what: FILE_WATCH_CLOSES), for: ticket)
    // The watch may have ended meanwhile.
    if state.withLock({ $0.isOver }) { FileEvents.shared.forget(ticket) }
    return isTold
  }

  private func lookLater(_ state: inout State, isTold: Bool) {
    let pauses = Self.pausesSoon
    let pause =
      state.soon < pauses.count ? pauses[state.soon] : isTold ? Self.pauseIfTold : Self.pauseIfNot
    state.isPausing = state.soon == pauses.count
    state.soon = min(state.soon + 1, pauses.count)
    state.later += 1
    let number = state.later
    try? WorkThreads.shared.add(at: .now + pause) { [weak self] in self?.lookNow(number) }
  }

  private func lookNow(_ number: Int) {
    let mustRun = state.withLock { state in state.later == number && mayLook(&state) }
    if mustRun { run() }
  }
}
