#if Service
  /// The names of the metrics, which stay. Each has the dimension `namespace`, unless its comment says otherwise; of a store of
  /// partitions, that is the partition's number.
  @nonexhaustive
  public enum StorageMetric: String, Hashable, Sendable, CaseIterable {
    // Counters, of what this process has appended since the log was opened.

    /// Counter: records that were appended.
    case records = "immuta_records_total"
    /// Counter: bytes that were appended, with what the format puts around payloads.
    case bytes = "immuta_bytes_total"
    /// Counter: commits. A transaction is one, whatever it appends.
    case commits = "immuta_commits_total"

    // Gauges, of what is so now.

    /// Gauge: records that exist.
    case logRecords = "immuta_log_records"
    /// Gauge: bytes of the log's files, with headers and without the companions.
    case logBytes = "immuta_log_bytes"
    /// Gauge: segments that exist.
    case segments = "immuta_segments"
    /// Gauge: records that are committed and not known to be on stable storage.
    case unflushedRecords = "immuta_unflushed_records"
    /// Gauge: callers that wait for the next record.
    case waitingReaders = "immuta_waiting_readers"
    /// Gauge: callers that wait for their turn to append.
    case waitingAppends = "immuta_waiting_appends"
    /// Gauge, also with the dimension `consumer`: records that exist and that the consumer, or work queue, has not acknowledged.
    case consumerLag = "immuta_consumer_lag_records"
    /// Gauge, with the dimension `directory` and without `namespace`: bytes that may still be written to the file system.
    case freeBytes = "immuta_free_bytes"

    // Timers, which an observer needs: see ``StorageMetrics/observer(of:)``.

    /// Timer: an append of one record, from the call until its answer. See `LogObserver`.
    case append = "immuta_append_seconds"
    /// Timer: a flush that somebody waited for, or that the interval asked for.
    case flush = "immuta_flush_seconds"
    /// Timer: from a record's commit until a reader that waited for it was woken.
    case delivery = "immuta_delivery_seconds"
  }
#endif
