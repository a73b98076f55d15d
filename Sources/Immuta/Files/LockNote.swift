/// What a lock's file says of who has the lock.
package struct LockNote: Hashable, Sendable {
  /// What is locked.
  package let subject: String
  /// The process that has it; nil where that cannot be told.
  package let processID: Int32?
  /// Since when, in nanoseconds since 1970; nil where that cannot be told.
  package let since: Int64?

  init(subject: String, processID: Int32?, since: Int64?) {
    self.subject = subject
    self.processID = processID
    self.since = since
  }
}
