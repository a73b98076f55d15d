extension Log {
  /// Whether streams wait for another process, and nothing of this one looks until something is reported.
  package var isAsleep: Bool { follower?.isAsleep ?? false }
}
