/// A log that a thread of the ``FollowWaiter`` looks after, as that thread sees it.
protocol FollowedLog: AnyObject, Sendable {
  /// The files that are read now.
  var files: FollowedFiles { get }
  /// What a look can change.
  var progress: FollowProgress { get }
  /// Which callers wait for a look at the log: read before each look.
  var attention: FollowAttention { get }
  /// The thread that has the ticket wants to leave; false when a stream waits again. Decided under the lock that a stream takes
  /// when it begins to wait: either it finds the thread still present, or requests one.
  func letGo(_ ticket: any AnyObject & Sendable) -> Bool
  /// Takes note of records that were committed since, and wakes the waiters. Opens no other files.
  func look(looksAgain: Bool, _ isForStable: Bool) -> FollowLook
  /// A thread is about to call `changeFiles`; false when one does already.
  func beginChange() -> Bool
  /// Opens the files that have the log's names, if they are not the open ones; false if they cannot be read yet.
  func changeFiles() -> Bool
  /// No thread can be had for `changeFiles`, after `beginChange`: the waiters look for themselves.
  func giveUpChange()
}

/// Which callers wait for a look at a log.
enum FollowAttention: Equatable {
  case closed
  /// Other files are being opened; nothing is to be looked at until then.
  case busy
  case nobody
  case streams(areForStable: Bool)
}

/// The result of a look.
enum FollowLook {
  /// The files are the known ones, whether they have more records or not.
  case asKnown
  /// Others are to be opened.
  case changed
  /// Something is missing, damaged, or in the middle of a change.
  case trouble
}

/// Shows whether a look has found anything.
struct FollowProgress: Equatable {
  let files: FollowedFiles
  let count: Int
  let stable: Int

  static func == (one: FollowProgress, other: FollowProgress) -> Bool {
    one.files === other.files && one.count == other.count && one.stable == other.stable
  }
}
