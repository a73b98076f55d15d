import ImmutaLocking
import Synchronization

/// Waits for all logs that this process follows: a thread for each 127 of them, and one that hears of changed files
/// (``FileEvents``). No thread is left when no stream waits any more.
final class FollowWaiter: Sendable {
  static let shared = FollowWaiter()

  private let groups = Lock<[FollowGroup]>([])

  /// Looks after a log from now on.
  func add(_ follower: any FollowedLog) throws(ImmutaError) -> FollowTicket {
    try groups.withLock { (groups) throws(ImmutaError) in
      for group in groups {
        if let ticket = try group.add(follower) { return ticket }
      }
      let group = FollowGroup()
      guard let ticket = try group.add(follower) else { preconditionFailure("a group has room for a log") }
      groups.append(group)
      return ticket
    }
  }
}

/// A log that a group looks after: by this the group gets news of it.
final class FollowTicket: FileObserver {
  let follower: any FollowedLog
  private let group: FollowGroup
  /// Acquiring and releasing: the thread that takes the news sees everything done before the report.
  private let isChanged = Atomic(false)
  private let isPrompted = Atomic(false)
  /// Whether its thread waits until something is reported. Relaxed: only for information.
  private let sleeps = Atomic(false)
  var isAsleep: Bool { sleeps.load(ordering: .relaxed) }

  init(_ follower: any FollowedLog, in group: FollowGroup) {
    self.follower = follower
    self.group = group
  }

  /// Its files may have been changed.
  func filesMayHaveChanged() {
    isChanged.store(true, ordering: .releasing)
    group.ring()
  }

  /// A caller wants a look now.
  func prompt() {
    isPrompted.store(true, ordering: .releasing)
    group.ring()
  }

  /// Opens the files that have the log's names now, on a thread of its own: that may take long, and holds up no other log.
  func changeFiles() {
    guard follower.beginChange() else { return }
    let body: @Sendable () -> Void = {
      // If there is nothing to read yet, the thread looks again soon, in its own time.
      if self.follower.changeFiles() { self.prompt() }
    }
    // Not on the group's own thread, which looks after others.
    if (try? Thread.start(body)) == nil { follower.giveUpChange() }
  }

  func noteSleep(_ isAsleep: Bool) { sleeps.store(isAsleep, ordering: .relaxed) }

  // Asked of every log whenever the thread wakes: most often a load says no.

  func takeChange() -> Bool {
    isChanged.load(ordering: .relaxed) && isChanged.exchange(false, ordering: .acquiringAndReleasing)
  }

  func takePrompt() -> Bool {
    isPrompted.load(ordering: .relaxed) && isPrompted.exchange(false, ordering: .acquiringAndReleasing)
  }
}
