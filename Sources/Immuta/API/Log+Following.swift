extension Log {
  /// Whether streams wait for another process, and this process does not look at the files before the kernel reports a change.
  package var isAsleep: Bool { follower?.isAsleep ?? false }
}
