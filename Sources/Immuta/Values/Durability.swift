/// What has happened to a record when `append` returns.
///
/// Whatever the durability, a record that `append` returned for survives the end of the process, however it ends: the
/// operating system has it. The durability decides what survives a power cut or a crash of the kernel.
@nonexhaustive
public enum Durability: Hashable, Sendable {
  /// The kernel decides when it writes records to the device, usually within half a minute. `sync()` waits for it.
  case buffered
  /// Records are on stable storage at the latest this long after their commit. A power cut takes at most the records that were
  /// committed in that time. More than zero.
  case interval(Duration)
  /// A record is on stable storage when `append` returns. Appends that wait at the same time share one flush (group commit), so
  /// many tasks together are many times faster than one task. Readers see a record when its flush begins at the latest, which is
  /// before `append` returns. If a flush fails, or the write before it, all appends that wait get the error.
  case synced

  var interval: Duration? {
    if case .interval(let duration) = self { duration } else { nil }
  }
}
