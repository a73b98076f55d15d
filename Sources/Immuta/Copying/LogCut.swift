// Several logs as they were at one moment.

/// A log of a cut, as it was at that moment.
package struct CutLog: Sendable {
  package let log: Log
  /// The number of the first record that came later.
  package var count: Int
  /// The positions of its consumers, none of them after the log's.
  let positions: [PositionCopies.CopiedPosition]
  /// The state logs of its work queues, open for reading, and how many records each had.
  let queues: [(name: String, storage: Storage, log: Log, count: Int)]
  /// What projections had saved by then: open for reading.
  let snapshots: [(name: String, file: Descriptor)]
  /// What was wrong with positions; such positions are left out.
  package let faults: [ImmutaError]
}

/// How many records several logs of a directory had at one moment, and how far their consumers had come. Each step over several
/// logs is whole in the cut, or absent, together with the position that it moved.
///
/// Nobody waits for it: the logs may be appended to while it looks for such a moment. It takes a few small reads for each log and
/// each consumer, and takes them again where steps come too quickly. The files that are read are kept open meanwhile, up to a
/// number.
package struct LogCut: Sendable {
  package private(set) var logs: [CutLog] = []
  /// Logs that could not be read, and why.
  package private(set) var failures: [(namespace: String, error: ImmutaError)] = []
  /// False if steps came so quickly that no common moment was found: then each log is as it was at a moment of its own.
  package private(set) var isOneMoment = true

  /// How often it looks for a moment.
  private static var mostAttempts: Int { 1000 }

  /// - Parameter logs: of one directory.
  /// - Throws: `.unsupportedVersion`, `.foreignOwner`, `.io`, for what is wrong with the directory.
  package init(of logs: [Log]) throws(ImmutaError) {
    guard let first = logs.first else { return }
    let (directory, trust) = (first.currentFiles.home.directory, first.trust)
    let identities = Dictionary(
      logs.compactMap { log in log.identity.map { (log.namespace, $0) } }, uniquingKeysWith: { first, _ in first })
    var consumed: [String: Consumed] = [:]
    // Before the counts: so no queue mentions a record that the log does not have.
    for log in logs { consumed[log.namespace] = Consumed(of: log) }
    var steps = try StepWatch(in: directory, trust)
    var watch = PositionWatch(logs.map { ($0.namespace, $0.consumerFolder) })
    var found: (counts: [String: Int], positions: [StepCut.Consumer: StepCut.Position]) = ([:], [:])
    isOneMoment = false
    for _ in 0..<Self.mostAttempts {
      try steps.begin()
      try watch.read { () throws(ImmutaError) in try steps.look() }
      found.counts = try count(logs) { () throws(ImmutaError) in try steps.look() }
      let known = try steps.end()
      let positions = watch.positions()
      if let positions { found.positions = positions }
      // A consumer whose steps are done may have come since the last look.
      guard watch.update(), let known, let positions,
        let cut = StepCut(
          identities, counts: found.counts, positions: positions, steps: known, boot: BootIdentity.current)
      else { continue }
      found = (cut.counts, cut.positions)
      isOneMoment = true
      break
    }
    for log in logs {
      guard let count = found.counts[log.namespace] else { continue }
      let positions = found.positions.filter { $0.key.namespace == log.namespace }
      self.logs.append(
        try consumed[log.namespace, default: Consumed()].cut(
          log, before: count, positions, faults: watch.faults[log.namespace, default: []]))
    }
  }

  /// How many records each log has now.
  ///
  /// - Parameter body: called after each.
  private mutating func count(
    _ logs: [Log], _ body: () throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> [String: Int] {
    var counts: [String: Int] = [:]
    failures = []
    for log in logs {
      do throws(ImmutaError) {
        try log.open.refresh()
        if let damage = log.damage { throw .corrupted(damage) }
        counts[log.namespace] = log.reader.count
      } catch {
        failures.append((log.namespace, error.of(log.namespace)))
      }
      try body()
    }
    return counts
  }
}

/// What is known of a log's work queues and projections.
private struct Consumed {
  /// The positions of work queues.
  var marks: [(name: String, mark: ConsumerMark, generation: UInt64)] = []
  var queues: [(name: String, storage: Storage, log: Log, count: Int)] = []
  var snapshots: [(name: String, file: Descriptor)] = []
  var faults: [ImmutaError] = []

  init() {}

  init(of log: Log) {
    let folder = log.consumerFolder
    do throws(ImmutaError) {
      snapshots = try Self.snapshots(of: log)
      for name in try folder.names() {
        // A position that cannot be read is reported where the positions are read.
        guard let found = try? folder.current(of: name), found.mark.queue != 0 else { continue }
        marks.append((name, found.mark, found.generation))
      }
      guard let place = try folder.stateFolder() else { return }
      for (name, mark, _) in marks where mark.queue & 1 == 1 {
        guard try io(LogFiles(directory: place, namespace: name).isThere()) else { continue }
        do throws(ImmutaError) {
          var configuration = Storage.Configuration()
          configuration.access = .readOnly
          configuration.acceptsFilesOfOthers = log.acceptsFilesOfOthers
          let storage = try Storage(in: io(place.duplicate()), configuration: configuration)
          let state = try storage.log(name, creating: false)
          queues.append((name, storage, state, state.count))
        } catch {
          faults.append(error.of(log.namespace))
        }
      }
    } catch {
      faults.append(error.of(log.namespace))
    }
  }

  private static func snapshots(of log: Log) throws(ImmutaError) -> [(name: String, file: Descriptor)] {
    let files = log.currentFiles.home
    guard let folder = try io(log.trust.folder(files.projectionsFolder, of: files)) else { return [] }
    var found: [(name: String, file: Descriptor)] = []
    for name in try io(folder.names()).sorted() where SnapshotFile.isSnapshot(name) {
      // The file is only replaced as a whole, so the open file does not change.
      if let file = try io(folder.openIfPresent(name, .read)) { found.append((name, file)) }
    }
    return found
  }

  /// The log as it was when it had so many records.
  ///
  /// - Parameters:
  ///   - positions: of its consumers, without work queues.
  ///   - faults: what was wrong with positions.
  func cut(
    _ log: Log, before count: Int, _ positions: [StepCut.Consumer: StepCut.Position], faults: [ImmutaError]
  ) throws(ImmutaError) -> CutLog {
    var marks = Dictionary(marks.map { ($0.name, ($0.mark, $0.generation)) }, uniquingKeysWith: { first, _ in first })
    for (consumer, position) in positions { marks[consumer.name] = (position.mark, position.generation) }
    let end = try log.open.place(count)
    let states = Set(queues.map(\.name))
    let positions = marks.sorted { $0.key < $1.key }.map { name, found in
      var mark = PositionCopies.mark(found.0, upTo: end, inRun: BootIdentity.current)
      // Even means that there is no state log.
      if !states.contains(name) { mark.queue &= ~1 }
      return PositionCopies.CopiedPosition(consumer: name, mark: mark, generation: found.1)
    }
    return CutLog(
      log: log, count: count, positions: positions, queues: queues, snapshots: snapshots,
      faults: self.faults + faults)
  }
}
