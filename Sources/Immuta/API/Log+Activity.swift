import ImmutaLocking
package import Logging
import Solid

/// What a log does now and has done since it was opened, as far as that is known without asking the system: for metrics.
package struct LogActivity: Sendable {
  /// Committed records, including those that were removed.
  package let count: Int
  /// How many of them are on stable storage, as far as this process knows.
  package let stableCount: Int
  /// Records that were appended since the log was opened; 0 for a log that is read only.
  package let appendedRecords: Int
  /// Bytes that were appended since the log was opened, with what the format puts around payloads; 0 for a log that is read only.
  package let appendedBytes: Int
  /// Commits since the log was opened: a transaction is one. 0 for a log that is read only.
  package let commits: Int
  /// Callers that wait for a record to be committed, or to be on stable storage.
  package let waitingReaders: Int
  /// Callers that wait for their turn to append.
  package let waitingAppends: Int
}

extension Log {
  /// What the log does now. O(1); takes the writer's lock for a moment.
  ///
  /// - Throws: `.storageClosed`.
  package var activity: LogActivity {
    get throws(ImmutaError) {
      try checkOpen()
      let reader = open.current
      let written = writer?.state.withLock { state in
        let appended = state.appended
        return (
          appended.records(state.count), appended.bytes(state.segment.tail), appended.commits, state.turns.count
        )
      }
      return LogActivity(
        count: reader.count, stableCount: stableCount, appendedRecords: written?.0 ?? 0,
        appendedBytes: written?.1 ?? 0, commits: written?.2 ?? 0,
        waitingReaders: reader.committed.waiterCount + reader.progress.stable.waiterCount,
        waitingAppends: written?.3 ?? 0)
    }
  }

  /// How many segments exist, and the bytes of their logs, headers and committed records. O(segments).
  ///
  /// - Throws: `.storageClosed`, `.io`.
  package var size: (segments: Int, bytes: Int) {
    get throws(ImmutaError) {
      try checkOpen()
      let earlier = try segmentSizes()
      return (earlier.count + 1, earlier.bytes + reader.end)
    }
  }
}

extension Storage {
  /// The handles of the open namespaces, sorted by name.
  ///
  /// - Throws: `.storageClosed`.
  package var allLogs: [Log] {
    get throws(ImmutaError) { try openLogs().sorted { $0.namespace < $1.namespace } }
  }

  /// Gets what people should know.
  package var logger: Logger? { configuration.logger }

  /// Runs code that may block on a thread of its own.
  package static func onThread(_ body: @escaping @Sendable () -> Void) async {
    // It throws what `body` returns.
    try? await Thread.run {
      body()
      return nil
    }
  }

  /// Bytes that this user's files may still take in the file system of the directory.
  ///
  /// - Throws: `.storageClosed`, `.io`.
  package var freeSpace: Int {
    get throws(ImmutaError) { try io(place.freeSpace()) }
  }
}
