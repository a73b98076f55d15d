import Immuta

/// The work of `backup`: finds a moment, copies what each log had then, and says so in the manifest.
struct BackupWork {
  let source: String
  let target: String
  /// The names that were given; all logs if there are none.
  let names: [String]
  let prunes: Bool
  let format: LogFormat?
  let acceptsFilesOfOthers: Bool

  /// - Returns: what became of each log, in the order of their names.
  @MainActor func run() throws -> [BackupReport] {
    let place = try io(Directory(opening: source))
    let sources = try [namespaces(), partitions(in: place)]
    if sources.allSatisfy({ $0.logs.isEmpty && $0.failures.isEmpty }) {
      throw ToolError("there are no logs in \(source): give the right directory, and see that its disk is mounted")
    }
    var backup = try BackupDirectory(target, backupOf: source)
    let lock = try backup.lock()
    defer { lock.unlock() }
    let at = Timestamp.now.description
    var manifest = backup.manifest ?? Manifest(source: place.path, at: at)
    // So that the next one knows that it may go on here, wherever this one ends.
    if backup.manifest == nil { try backup.write(manifest) }
    let cuts = try sources.map { try (kind: $0.kind, cut: LogCut(of: $0.logs)) }
    (manifest.source, manifest.at) = (System.resolved(source) ?? source, at)
    manifest.isOneMoment = cuts.allSatisfy(\.cut.isOneMoment)
    if !manifest.isOneMoment {
      Failure.say(
        "note: steps over several logs came so quickly that no moment was found: each log is as it was at one of its own"
      )
    }
    var reports = sources.flatMap { source in
      source.failures.map { BackupReport(kind: source.kind, name: $0.name, outcome: .failure($0.error)) }
    }
    try StoreLayout.copy(from: place, to: backup.place)
    let progress = CopyProgress("backing up", total: cuts.reduce(0) { $0 + Self.bytes(of: $1.cut, $1.kind, manifest) })
    defer { progress.finish() }
    for (kind, cut) in cuts {
      reports += cut.failures.map { BackupReport(kind: kind, name: $0.namespace, outcome: .failure($0.error)) }
      for log in cut.logs {
        reports.append(copy(log, kind, to: backup.place, &manifest, at: at, progress))
        if case .failure(ImmutaError.io(System.noSpace, _, _)) = reports.last?.outcome { break }
      }
    }
    progress.finish()
    manifest.isComplete = manifest.isComplete || reports.contains { (try? $0.outcome.get()) != nil }
    try backup.write(manifest)
    sayWhatIsGone(sources, manifest)
    return reports.sorted {
      ($0.kind.rawValue, Int($0.name) ?? 0, $0.name) < ($1.kind.rawValue, Int($1.name) ?? 0, $1.name)
    }
  }

  private func namespaces() throws -> SourceLogs {
    let all = try Storage.namespaces(in: source) + Storage.lostNamespaces(in: source).map(\.name)
    return SourceLogs(
      names.isEmpty ? all.sorted() : names, .namespace, in: source, format: format,
      acceptsFilesOfOthers: acceptsFilesOfOthers
    ) { error, name in
      guard names.isEmpty, case ImmutaError.corrupted(let damage) = error, damage.isNoLog else { return false }
      return (try? Storage.hasTraces(name, in: source)) == false
    }
  }

  /// A store is backed up as a whole.
  private func partitions(in place: Directory) throws -> SourceLogs {
    let partitions = names.isEmpty ? try SourceLogs.partitions(in: place) : []
    return SourceLogs(partitions, .partition, in: source, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }

  @MainActor private func copy(
    _ log: CutLog, _ kind: LogKind, to place: Directory, _ manifest: inout Manifest, at: String,
    _ progress: CopyProgress
  ) -> BackupReport {
    let name = log.log.namespace
    do {
      let known = manifest[kind][name]
      var log = log
      // What the backup has, it keeps: of a step that this one leaves out, it has nothing.
      if let known, known.count > log.count { log.count = min(known.count, log.log.count) }
      let options = LogCopyOptions(
        followsRemoval: prunes, mayBeginAnew: known == nil, acceptsFilesOfOthers: acceptsFilesOfOthers)
      for fault in log.faults { Failure.say("note: not in the backup: \(Failure(fault).message ?? "\(fault)")") }
      let copied = try log.copy(to: place, options) { progress.add($0) }
      _ = try log.copyConsumers(to: place, options)
      let damaged = (known?.damaged ?? 0) + copied.damaged.count
      manifest[kind][name] = Manifest.Entry(copied, at: at, damaged: damaged)
      if let first = copied.damaged.first {
        Failure(ImmutaError.corrupted(first)).report()
        Failure.say(
          "note: \(kind.label(name)) is in the backup with that damage: the record throws there, too, when it is read")
      }
      return BackupReport(kind: kind, name: name, outcome: .success(copied), damagedCount: damaged, faults: log.faults)
    } catch {
      return BackupReport(kind: kind, name: name, outcome: .failure(error))
    }
  }

  /// About how many bytes are copied.
  private static func bytes(of cut: LogCut, _ kind: LogKind, _ manifest: Manifest) -> Int {
    cut.logs.reduce(0) { sum, log in
      let all = (try? log.log.details.byteCount) ?? 0
      return sum + max(0, all - (manifest[kind][log.log.namespace]?.bytes ?? 0))
    }
  }

  /// Logs that the backup has and the directory has not.
  private func sayWhatIsGone(_ sources: [SourceLogs], _ manifest: Manifest) {
    guard names.isEmpty else { return }
    for source in sources {
      let there = Set(source.logs.map(\.namespace) + source.failures.map(\.name))
      for name in manifest[source.kind].keys.sorted() where !there.contains(name) {
        Failure.say("note: \(source.kind.label(name)) is not in \(self.source) any more; the backup keeps it")
      }
    }
  }
}

/// A bar for what is copied and then checked.
@MainActor final class CopyProgress {
  private let progress: Progress
  private let total: Int
  private var done = 0

  /// - Parameter total: about how many bytes are copied.
  init(_ label: String, total: Int) {
    progress = Progress(label)
    // Each byte is written, and read again.
    self.total = 2 * total
  }

  func add(_ bytes: Int) {
    done += bytes
    progress.update(min(done, total), of: total)
  }

  func finish() { progress.finish() }
}
