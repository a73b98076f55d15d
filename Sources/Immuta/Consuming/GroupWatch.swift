import CImmutaFileCalls
import ImmutaLocking

/// Has a member of a group look when others come, go or die, or give up a partition: on one of the threads for work that
/// blocks, and never twice at the same time.
///
/// Where the kernel reports changes, an idle member looks every five seconds all the same, for what it may not have been told
/// of; elsewhere every second. After something was reported it looks at once, and three times more within a second: a process
/// that dies is reported a moment before its locks are free.
package final class GroupWatch: Sendable {
  private let folder: @Sendable () -> Directory?
  private let look: @Sendable () -> Void
  private let state = Lock(State())

  private struct State {
    var ticket: Ticket?
    var isOver = false
    var isLooking = false
    /// Whether somebody asked for another look while there was one.
    var isAsked = false
    /// How many of the looks soon after each other have been.
    var soon = 0
    /// Whether the long pause is under way.
    var isPausing = false
    /// Counts the looks that are to come later: only the newest does.
    var later = 0
    /// Looks so far.
    var looks = 0
  }

  /// What the kernel's reports are for: does not keep what it has look.
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

  /// How often it had the member look, for tests and measurements.
  package var looks: Int { state.withLock { $0.looks } }

  /// Whether it looks no more until something is reported, or the long pause is over; for tests.
  package var isAtRest: Bool {
    state.withLock { !$0.isLooking && $0.soon == Self.pausesSoon.count && $0.isPausing }
  }

  /// Looks now, on this thread, and from then on when there is something, until ``end()``.
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

  /// Looks no more; one that is under way ends by itself.
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
      // The next report, or the next one who waits for a message, tries again.
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

  /// Whether it is told of what comes from now on: so this is before the look.
  private func watches() -> Bool {
    guard let ticket = state.withLock({ $0.ticket }), let folder = folder(),
      let descriptor = try? folder.opened(), descriptor.fileSystem.reportsChanges
    else { return false }
    let isTold = FileEvents.shared.watch(
      FileEvents.Places(directory: folder, files: [], names: nil, what: FILE_WATCH_CLOSES), for: ticket)
    // It may have ended meanwhile.
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
