import ImmutaLocking

/// What is closed with a directory: its own descriptors, and the folders and files that were opened in it.
///
/// They are closed whoever still holds them: a log or a stream that somebody still holds, or a thread that is held up, keeps
/// nothing of a closed directory open.
final class ClosedTogether: Sendable {
  protocol Member: AnyObject, Sendable {
    /// Closes its descriptors, for good.
    func close()
  }

  /// Of the directory that has this one as a folder; nil if there is none.
  private let holder: ClosedTogether?
  /// The directory's own descriptors.
  private let own: any Member
  private let state = Lock(State())

  private struct State {
    var isClosed = false
    var members: [ObjectIdentifier: any Member] = [:]
    /// Whether nobody has the directory any more; files of it may be in use.
    var isReleased = false
  }

  /// Nil if the directory that has this one as a folder is closed.
  init?(_ own: any Member, in holder: ClosedTogether? = nil) {
    (self.own, self.holder) = (own, holder)
    if let holder, !holder.add(self) { return nil }
  }

  /// Adds a member, for which ``forget(_:)`` must follow; false once it is too late.
  func add(_ member: any Member) -> Bool {
    state.withLock { state in
      if state.isClosed { return false }
      state.members[ObjectIdentifier(member)] = member
      return true
    }
  }

  /// Closes all of it. Calls that are under way finish.
  func close() {
    // Its own first: from then on no file is opened in it, by a member that is not closed yet.
    own.close()
    let members = state.withLock { state in
      defer { state.members = [:] }
      state.isClosed = true
      return state.members
    }
    for member in members.values { member.close() }
  }

  /// Nobody has the directory any more.
  func release() {
    own.close()
    let isUnused = state.withLock { state in
      state.isReleased = true
      return state.members.isEmpty
    }
    if isUnused { holder?.forget(self) }
  }

  /// Nobody uses a member any more.
  func forget(_ member: any Member) {
    let isUnused = state.withLock { state in
      state.members[ObjectIdentifier(member)] = nil
      return state.isReleased && state.members.isEmpty
    }
    if isUnused { holder?.forget(self) }
  }
}

extension ClosedTogether: ClosedTogether.Member {}
