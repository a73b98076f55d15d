/// What has happened to a record when `append` returns.
///
/// Whatever the durability, a record that `append` returned for survives the end of the process, however it ends: the
/// operating system has it. What differs is what survives the end of the machine.
@nonexhaustive
public enum Durability: Hashable, Sendable {
  /// The kernel writes records to the device when it likes, usually within half a minute. `sync()` waits for it.
  case buffered
  /// Records are on stable storage at the latest this long after they were committed: that much is lost to a power cut
  /// at most. More than zero.
  case interval(Duration)
  /// A record is on stable storage when `append` returns. Appends that wait at the same time share one flush (group
  /// commit), so many tasks together are many times faster than one.
  case synced

  var interval: Duration? {
    if case .interval(let duration) = self { duration } else { nil }
  }
}
