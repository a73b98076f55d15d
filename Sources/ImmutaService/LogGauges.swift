#if Service
  import CoreMetrics
  import Immuta

  /// The metrics of one log that are looked at from time to time, and what they were when they were last looked at.
  struct LogGauges {
    private let namespace: String
    private let metrics: StorageMetrics
    private let records: Counter
    private let bytes: Counter
    private let commits: Counter
    private let logRecords: Meter
    private let logBytes: Meter
    private let segments: Meter
    private let unflushed: Meter
    private let waitingReaders: Meter
    private let waitingAppends: Meter
    private var lags: [String: Meter] = [:]
    /// The log that was looked at last: a namespace that was closed and opened again has another one, which begins with nothing.
    private weak var log: Log?
    private var counted = Counted()

    private struct Counted {
      var records = 0
      var bytes = 0
      var commits = 0
    }

    init(_ namespace: String, _ metrics: StorageMetrics) {
      (self.namespace, self.metrics) = (namespace, metrics)
      let name = ("namespace", namespace)
      records = metrics.counter(.records, name)
      bytes = metrics.counter(.bytes, name)
      commits = metrics.counter(.commits, name)
      logRecords = metrics.meter(.logRecords, name)
      logBytes = metrics.meter(.logBytes, name)
      segments = metrics.meter(.segments, name)
      unflushed = metrics.meter(.unflushedRecords, name)
      waitingReaders = metrics.meter(.waitingReaders, name)
      waitingAppends = metrics.meter(.waitingAppends, name)
    }

    /// Looks at the log. What cannot be found out stays as it was.
    mutating func look(at log: Log) {
      if self.log !== log { (self.log, counted) = (log, Counted()) }
      if let activity = try? log.activity {
        count(activity)
        logRecords.set(activity.count - log.firstSequence)
        unflushed.set(max(0, activity.count - activity.stableCount))
        waitingReaders.set(activity.waitingReaders)
        waitingAppends.set(activity.waitingAppends)
      }
      if let size = try? log.size {
        segments.set(size.segments)
        logBytes.set(size.bytes)
      }
      if let consumers = try? log.consumers { look(at: consumers) }
    }

    private mutating func count(_ activity: LogActivity) {
      let now = Counted(records: activity.appendedRecords, bytes: activity.appendedBytes, commits: activity.commits)
      records.increment(by: now.records - counted.records)
      bytes.increment(by: now.bytes - counted.bytes)
      commits.increment(by: now.commits - counted.commits)
      counted = now
    }

    private mutating func look(at consumers: [ConsumerDetails]) {
      for consumer in consumers {
        guard let lag = consumer.lag else { continue }
        let meter =
          lags[consumer.name] ?? metrics.meter(.consumerLag, ("namespace", namespace), ("consumer", consumer.name))
        lags[consumer.name] = meter
        meter.set(lag)
      }
      let names = Set(consumers.map(\.name))
      for (name, meter) in lags where !names.contains(name) {
        meter.destroy()
        lags[name] = nil
      }
    }

    /// The log is not open any more: what its gauges say is of the past. Its counters stay.
    func end() {
      for meter in [logRecords, logBytes, segments, unflushed, waitingReaders, waitingAppends] + Array(lags.values) {
        meter.destroy()
      }
    }
  }
#endif
