extension Log {
  /// Whether streams wait for another process, and nothing of this one looks until it is told of something.
  package var isAsleep: Bool { follower?.isAsleep ?? false }
}
