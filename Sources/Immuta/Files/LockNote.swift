/// The holder of a lock, as the lock's file names it.
package struct LockNote: Hashable, Sendable {
  /// What is locked.
  package let subject: String
  /// The process that has it; nil if that is unknown.
  package let processID: Int32?
  /// Since when, in nanoseconds since 1970; nil if that is unknown.
  package let since: Int64?

  init(subject: String, processID: Int32?, since: Int64?) {
    self.subject = subject
    self.processID = processID
    self.since = since
  }
}
