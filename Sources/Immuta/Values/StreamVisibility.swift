/// Which committed records a stream delivers.
@nonexhaustive
public enum StreamVisibility: Hashable, Sendable {
  /// All of them, as soon as they are committed.
  case committed
  /// Those on stable storage: such a stream never delivers what a power cut could take back. With durability
  /// `.buffered` records become stable when `sync()` is called, and when the log is closed.
  case durable
}
