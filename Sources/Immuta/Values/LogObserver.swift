/// Is told how long a log's work takes: for metrics.
///
/// ```swift
/// var configuration = Storage.Configuration()
/// configuration.observer = { namespace in Latencies(of: namespace) }
/// ```
///
/// Without an observer, no time is taken: see ``Storage/Configuration/observer``. The module `ImmutaService` has an observer that
/// hands the times to swift-metrics.
///
/// The functions are called on any thread, also several at once, in the midst of the log's work: by the caller that appends, by
/// the thread that flushes, and by readers. They must return soon, and must not call the storage.
public protocol LogObserver: Sendable {
  /// One record was appended by `append`. The time is from the call until the answer: with the wait for the turn, and in
  /// `.synced` for the flush. Not called for transactions, whose time is that of their closure, and for appends that throw.
  func appended(in time: Duration)

  /// A flush put records on stable storage, for callers that wait for it, for `sync()` or for the interval. Not called for
  /// the flushes of opening, rolling and closing, and for flushes that fail.
  func flushed(in time: Duration)

  /// A caller that waited for the next record was woken. The time is from the record's commit until then; with `.durable`
  /// visibility, that includes the flush. It is as exact as records' times are: up to a tick of the kernel's clock too long, 1 to
  /// 10 milliseconds. Not called for records that exist when they are asked for.
  func woken(after time: Duration)
}
