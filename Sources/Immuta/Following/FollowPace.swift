/// Decides how long a follower waits before it looks again by itself. A pure state machine, for one log.
///
/// After news it looks again soon, then later and later, for half a second. The writer does not report each commit
/// while nobody seems to wait (``CommitWake``): a commit that it kept to itself comes in the same tick of the clock as
/// an earlier one, at most 10 ms after it, so it is found by one of these looks. Later, the writer wakes the follower for
/// the next commit, so it sleeps.
///
/// No wake-up is lost. The writer stores a commit and then wakes; the follower reads the word that the commit changes, looks, and
/// then waits for as long as the word is what it read, which the kernel compares while it keeps the writer's call out. So a
/// commit is either seen by the look, or has changed the word, or comes later and wakes. A commit without a wake-up follows
/// another commit by less than a tick, and the writer read the tick before it stored each: the follower found that other commit,
/// at least half a second ago if it sleeps. If a writer was held up for so long between reading the tick and storing, and commits
/// nothing after, its commit is found when the sleep ends, within a minute and a half.
///
/// Writers that wake nobody are detected: their commits are found without a report. From then on the follower looks every few
/// milliseconds, until a writer wakes it again. The kernel reports programs that write by calls to sleeping followers
/// (``FileEvents``), so once such programs have been quiet for a while, the follower may sleep. Nobody reports an older version
/// that stores into memory: if a sleep ends with finding such a writer, the follower does not sleep again.
struct FollowPace: Sendable {
  /// How the next wait ends, if nothing comes.
  enum Wait: Equatable {
    /// By itself, after so many nanoseconds.
    case pause(Int64)
    /// When all followers of the process that sleep look again.
    case sleep
  }

  /// What reported news.
  enum Herald {
    case nobody
    /// The kernel, which saw a call.
    case kernel
    case writer
  }

  private enum Trust {
    /// Writers report their commits.
    case all
    /// The kernel reports their commits.
    case kernel
    case nobody
  }

  /// For how long nothing came: nanoseconds.
  private(set) var quiet: Int64 = 0
  private var pause = shortestPause
  private var trust = Trust.all
  /// How often in a row news was found that nobody had reported.
  private var unreported = 0

  private static var shortestPause: Int64 { 100_000 }
  /// A longer pause is sleep.
  private static var longestPause: Int64 { 500_000_000 }
  /// A commit that comes so long after the one before is one that a writer wakes followers for.
  private static var longestSecret: Int64 { 20_000_000 }
  /// Where nothing is reported: as long as something came lately, and later.
  static var longestGlance: Int64 { 4_000_000 }
  static var longestIdleGlance: Int64 { 20_000_000 }
  private static var idle: Int64 { 10_000_000_000 }

  /// Something new was found, after so long.
  mutating func foundNews(waited: Int64, from herald: Herald) {
    switch herald {
    case .writer: (trust, unreported) = (.all, 0)
    case .kernel: if trust == .nobody { trust = .kernel }
    case .nobody:
      if waited >= Self.longestPause {
        trust = .nobody
      } else if waited >= Self.longestSecret {
        // One may have come just when the wait was over.
        unreported += 1
        if trust == .all, unreported > 1 { trust = .kernel }
      }
    }
    (pause, quiet) = (Self.shortestPause, 0)
  }

  /// Something happens to the files: more may come soon.
  mutating func wasStirred() {
    (pause, quiet) = (Self.shortestPause, 0)
  }

  /// There was nothing new. Who was called before the pause was over waits for as long once more.
  mutating func foundNothing(waited: Int64, canBeWoken: Bool) {
    quiet = quiet.addingHeld(waited)
    guard waited >= pause || pause > Self.longestPause else { return }
    pause = canBeWoken && trust == .all ? min(4 * pause, 4 * Self.longestPause) : min(pause / 4 * 5, glance)
  }

  /// Files are missing, or in the middle of something: that is looked at often.
  mutating func foundTrouble() {
    quiet = 0
    pause = min(pause / 4 * 5, Self.longestGlance)
  }

  private var glance: Int64 { quiet < Self.idle ? Self.longestGlance : Self.longestIdleGlance }

  /// - Parameter canBeWoken: whether the writer and the kernel have a way to report it.
  func next(canBeWoken: Bool) -> Wait {
    if canBeWoken {
      switch trust {
      case .all: return pause > Self.longestPause ? .sleep : .pause(pause)
      case .kernel: if quiet >= Self.idle { return .sleep }
      case .nobody: break
      }
    }
    return .pause(min(pause, glance))
  }
}
