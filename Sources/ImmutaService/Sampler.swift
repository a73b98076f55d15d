#if Service
  import CoreMetrics
  import Immuta
  import ImmutaLocking
  import Logging

  /// Looks at a storage from time to time: metrics of what its logs know anyway, and whether the disk is nearly full.
  final class Sampler: Sendable {
    private let served: any Served
    private let metrics: StorageMetrics
    private let freeBytes: Meter
    private let state: Lock<State>

    private struct State {
      var gauges: [String: LogGauges] = [:]
      var space: SpaceWatch
    }

    init(_ served: any Served, _ metrics: StorageMetrics, lowSpace: Int) {
      self.served = served
      self.metrics = metrics
      freeBytes = metrics.meter(.freeBytes, ("directory", served.directory))
      state = Lock(State(space: SpaceWatch(threshold: lowSpace)))
    }

    /// Looks once, on a thread that may block: a look reads files, and a disk may take long.
    func look() async {
      await Storage.onThread { self.lookNow() }
    }

    private func lookNow() {
      // Not for long: nobody else takes this lock but another look.
      let news = state.withLock { state -> (SpaceWatch.News, Int)? in
        look(&state.gauges)
        guard let free = try? served.freeSpace else { return nil }
        freeBytes.set(free)
        return state.space.look(at: free).map { ($0, free) }
      }
      if let (news, free) = news { tell(news, free) }
    }

    private func look(_ gauges: inout [String: LogGauges]) {
      guard let logs = try? served.allLogs else { return }
      for log in logs { gauges[log.namespace, default: LogGauges(log.namespace, metrics)].look(at: log) }
      let names = Set(logs.map(\.namespace))
      for (name, gauge) in gauges where !names.contains(name) {
        gauge.end()
        gauges[name] = nil
      }
    }

    private func tell(_ news: SpaceWatch.News, _ free: Int) {
      let metadata: Logger.Metadata = ["directory": "\(served.directory)", "free": "\(free)"]
      switch news {
      case .low:
        served.logger?.tell(
          .lowSpace, .warning,
          """
          only \(free) bytes are free where the logs are: appends throw once nothing is left. Make room, or let retention keep less
          """, metadata)
      case .back:
        served.logger?.tell(.spaceBack, .notice, "\(free) bytes are free where the logs are", metadata)
      }
    }
  }
#endif
