/// A log that a thread of the ``FollowWaiter`` looks after, as that thread sees it.
protocol FollowedLog: AnyObject, Sendable {
  /// The files that are read now.
  var files: FollowedFiles { get }
  /// What a look can change.
  var progress: FollowProgress { get }
  /// Who waits for the log to be looked at: asked before each look.
  var attention: FollowAttention { get }
  /// The thread that has the ticket wants to leave; false when somebody waits again. Decided under the lock that a stream
  /// takes that begins to wait: either it finds the thread still there, or asks for one.
  func letGo(_ ticket: any AnyObject & Sendable) -> Bool
  /// Takes note of what was committed since, and wakes those who wait. Opens no other files.
  func look(looksAgain: Bool, _ isForStable: Bool) -> FollowLook
  /// A thread is about to call `changeFiles`; false when one does already.
  func beginChange() -> Bool
  /// Opens the files that have the log's names, if they are not those that are open; false where none of them can be read
  /// yet.
  func changeFiles() -> Bool
  /// There is no thread for `changeFiles`, after `beginChange`: those who wait look for themselves.
  func giveUpChange()
}

/// Who waits for a log to be looked at.
enum FollowAttention: Equatable {
  case closed
  /// Other files are being opened; nothing is to be looked at until then.
  case busy
  case nobody
  case streams(areForStable: Bool)
}

/// What a look came to.
enum FollowLook {
  /// The files are those that are known, whether there is more in them or not.
  case asKnown
  /// Others are to be opened.
  case changed
  /// Something is missing, damaged, or in the middle of a change.
  case trouble
}

/// What says whether a look has found anything.
struct FollowProgress: Equatable {
  let files: FollowedFiles
  let count: Int
  let stable: Int

  static func == (one: FollowProgress, other: FollowProgress) -> Bool {
    one.files === other.files && one.count == other.count && one.stable == other.stable
  }
}
