import Solid

/// What the steps of a consumer have appended elsewhere: STABLE must not go past a step before that is on stable storage,
/// or a power cut would skip it.
///
/// The oldest steps share one entry, and all later ones another: two entries, however many steps there are.
struct StepAppends {
  /// The records of a log that one step, or several, appended last.
  struct Append {
    let namespace: String
    /// The log's broadcaster: its generation is the log's number of stable records.
    let stable: Broadcaster
    /// How many records the log has after the step.
    let count: Int
  }

  private struct Steps {
    /// Where the consumer was before the first of them.
    let from: Int
    var appends: [Append]

    var areStable: Bool { appends.allSatisfy { $0.stable.generation >= $0.count } }

    mutating func add(_ more: [Append]) {
      for append in more {
        appends.removeAll { $0.stable === append.stable && $0.count <= append.count }
        appends.append(append)
      }
    }
  }

  private var oldest: Steps?
  private var later: Steps?

  mutating func add(_ appends: [Append], from number: Int) {
    if appends.isEmpty { return }
    if oldest == nil {
      oldest = Steps(from: number, appends: appends)
    } else if later == nil {
      later = Steps(from: number, appends: appends)
    } else {
      later?.add(appends)
    }
  }

  /// The logs that have appends which are not known to be stable.
  var pending: ConsumerMark.PendingLogs {
    .these(Set([oldest, later].compactMap(\.self).flatMap { $0.appends.map(\.namespace) }))
  }

  /// How far STABLE may go, if the log that is read allows `stable`.
  mutating func limit(_ stable: Int) -> Int {
    while let steps = oldest {
      if !steps.areStable { return min(stable, steps.from) }
      (oldest, later) = (later, nil)
    }
    return stable
  }
}
