package import Logging

/// What a storage tells its logger, by names that stay: the value of the metadata key `event` in each of its lines.
///
/// A line's text is for people, and may change from one version to the next. Its event, its level and the keys of its metadata
/// stay, so alarms can rely on them. The article of the module `ImmutaService` has a table that says what each means, and what to
/// do.
@nonexhaustive
public enum StorageEvent: String, Hashable, Sendable, CaseIterable {
  /// Opening a log for appending found something to say, or brought the log in order. A warning where records were lost.
  case recovered = "immuta.recovered"
  /// Opening a log for reading only found something to say.
  case opened = "immuta.opened"
  /// Opening a log takes long, as all of it must be read: told every five seconds.
  case openingProgress = "immuta.opening_progress"
  /// A copy of what is cut off was kept.
  case savedCopy = "immuta.saved_copy"
  /// The system's clock was set, or records have times that cannot be right.
  case clockDoubted = "immuta.clock_doubted"
  /// A caller has waited long for its turn to append.
  case longWait = "immuta.long_wait"
  /// A flush took long.
  case slowFlush = "immuta.slow_flush"
  /// A flush failed: nothing more is appended until the log is closed and opened again.
  case flushFailed = "immuta.flush_failed"
  /// A log began its next segment.
  case rolled = "immuta.rolled"
  /// A segment is too old, and the next one could not be begun.
  case rollFailed = "immuta.roll_failed"
  /// Segments were removed from the front.
  case removed = "immuta.removed"
  /// Segments that need not be kept could not be removed.
  case removalFailed = "immuta.removal_failed"
  /// Retention has removed records that a consumer it waits for had not read.
  case consumerOverrun = "immuta.consumer_overrun"
  /// Nothing is removed, as the position of a consumer that retention waits for cannot be read.
  case consumerUnreadable = "immuta.consumer_unreadable"
  /// A record, or more, is damaged.
  case damaged = "immuta.damaged"
  /// A log could not be closed in good order.
  case closeFailed = "immuta.close_failed"
  /// A step over several logs that was cut off is finished.
  case stepFinished = "immuta.step_finished"
  /// A log has lost its part of a step that was cut off.
  case stepLost = "immuta.step_lost"
  /// Retention has removed records whose jobs nobody had done.
  case queueJobsRemoved = "immuta.queue_jobs_removed"
  /// Jobs of a work queue that were done are given again.
  case queueJobsRepeated = "immuta.queue_jobs_repeated"
  /// A work queue was moved, and its former state counts no more.
  case queueMoved = "immuta.queue_moved"
  /// What a work queue need not keep could not be removed.
  case queueRemovalFailed = "immuta.queue_removal_failed"
  /// A work queue could not be closed in good order.
  case queueCloseFailed = "immuta.queue_close_failed"
  /// A projection is not saved, or its snapshot is dropped.
  case projection = "immuta.projection"
  /// A partition of a store cannot be used.
  case partitionUnusable = "immuta.partition_unusable"
  /// The disk is nearly full. `ImmutaService` tells it.
  case lowSpace = "immuta.low_space"
  /// The disk has room again. `ImmutaService` tells it.
  case spaceBack = "immuta.space_back"
  /// The connection to a cluster is lost. `ImmutaJetStream` tells it, and the events below.
  case clusterLost = "immuta.cluster_lost"
  /// The connection to a cluster is there again.
  case clusterBack = "immuta.cluster_back"
  /// A server of a cluster does not answer, or can do nothing: another one is connected to.
  case clusterMoving = "immuta.cluster_moving"
  /// No other server of a cluster can be reached.
  case clusterUnreachable = "immuta.cluster_unreachable"
  /// Records of a log on a cluster were removed.
  case clusterRecordsRemoved = "immuta.cluster_records_removed"
}

extension StorageEvent {
  /// The key of the metadata that has the event's name: `event`.
  public static let metadataKey = "event"
}

extension Logger {
  /// Logs an event under its name.
  package func tell(
    _ event: StorageEvent, _ level: Level, _ message: @autoclosure () -> Message,
    _ metadata: @autoclosure () -> Metadata, file: String = #fileID, function: String = #function, line: UInt = #line
  ) {
    guard level >= logLevel else { return }
    var all = metadata()
    all[StorageEvent.metadataKey] = "\(event.rawValue)"
    log(level: level, message(), metadata: all, file: file, function: function, line: line)
  }

  /// The same on a thread of its own, for code that others wait for: a logger is foreign code, which may append to this very log.
  /// If no thread can be had, nothing is logged.
  func tellBeside(_ event: StorageEvent, _ level: Level, _ message: String, _ metadata: Metadata) {
    guard level >= logLevel else { return }
    try? Thread.start { tell(event, level, "\(message)", metadata) }
  }
}
