import Immuta

/// The work of `restore`: copies logs out of a backup, or their first records.
struct RestoreWork {
  let backup: BackupDirectory
  let manifest: Manifest
  let directory: String
  /// The names that were given; all logs if there are none.
  let names: [String]
  let until: Until?
  let acceptsFilesOfOthers: Bool

  /// Where the records end that are put back.
  enum Until {
    /// Before this number.
    case number(Int)
    /// Before the first record of this time or later.
    case moment(Timestamp)
  }

  init(
    _ target: String, to directory: String, _ names: [String], until: Until?, acceptsFilesOfOthers: Bool
  ) throws {
    backup = try BackupDirectory(reading: target)
    guard let manifest = backup.manifest else { preconditionFailure("a backup that is read has a manifest") }
    (self.manifest, self.directory, self.names, self.until) = (manifest, directory, names, until)
    self.acceptsFilesOfOthers = acceptsFilesOfOthers
    if let unknown = names.first(where: { manifest.namespaces[$0] == nil }) {
      let known = manifest.namespaces.keys.sorted().joined(separator: ", ")
      let suggestion = Suggestion(for: unknown, among: manifest.namespaces.keys)
      throw ToolError(
        "there is no namespace “\(unknown)” in the backup;\(suggestion.asked(after: " ")) it has "
          + (known.isEmpty ? "none" : known))
    }
  }

  /// Puts all of them back, or nothing.
  ///
  /// - Returns: what became of each log, in the order of their names.
  @MainActor func run() throws -> [BackupReport] {
    let selected = names.isEmpty ? Array(manifest.namespaces.keys) : names
    let partitions = names.isEmpty ? manifest.partitions.keys.sorted { Int($0) ?? 0 < Int($1) ?? 0 } : []
    // Before the directory is made.
    let sources = [
      SourceLogs(
        Set(selected).sorted(), .namespace, in: backup.path, acceptsFilesOfOthers: acceptsFilesOfOthers),
      SourceLogs(partitions, .partition, in: backup.path, acceptsFilesOfOthers: acceptsFilesOfOthers),
    ]
    for source in sources {
      if let failure = source.failures.first { throw nothingRestored(failure.error) }
    }
    let isNew = try BackupDirectory.make(directory, like: backup.path, apartFrom: backup.path)
    do {
      return try restore(sources)
    } catch {
      if isNew { System.removeEmptyDirectory(directory) }
      throw error
    }
  }

  @MainActor private func restore(_ sources: [SourceLogs]) throws -> [BackupReport] {
    let place = try io(Directory(opening: directory))
    if !sources[1].logs.isEmpty, try StoreLayout.isThere(in: place) {
      throw ToolError("\(directory) is a store already: give another directory")
    }
    let progress = CopyProgress(
      "restoring",
      total: sources.reduce(0) { sum, source in
        source.logs.reduce(sum) { $0 + (manifest[source.kind][$1.namespace]?.bytes ?? 0) }
      })
    defer { progress.finish() }
    var reports: [BackupReport] = []
    for source in sources where !source.logs.isEmpty {
      let restored = try restorePlace(source, in: place)
      do {
        reports += try copy(source, to: restored.folder, progress)
        if source.kind == .partition { try StoreLayout.copy(from: backup.place, to: place) }
        try restored.install()
      } catch {
        restored.end()
        throw nothingRestored(error)
      }
    }
    return reports
  }

  private func restorePlace(_ source: SourceLogs, in place: Directory) throws -> RestorePlace {
    do {
      return try RestorePlace(
        in: place, source.logs.map(\.namespace), arePartitions: source.kind == .partition,
        acceptsFilesOfOthers: acceptsFilesOfOthers)
    } catch {
      guard case ImmutaError.duplicateNamespace(let name) = error else { throw error }
      throw ToolError(
        "\(directory) has \(source.kind == .partition ? "a partition" : "a namespace") “\(name)” already, or files of one: give "
          + "another directory, or move its files away first")
    }
  }

  @MainActor private func copy(
    _ source: SourceLogs, to folder: Directory, _ progress: CopyProgress
  ) throws -> [BackupReport] {
    let cut = try LogCut(of: source.logs)
    if let failure = cut.failures.first { throw failure.error }
    return try cut.logs.map { log in
      var log = log
      let name = log.log.namespace
      guard let entry = manifest[source.kind][name] else {
        preconditionFailure("only what the manifest names is put back")
      }
      log.count = try end(of: log, entry)
      let options = LogCopyOptions(acceptsFilesOfOthers: acceptsFilesOfOthers)
      for fault in log.faults { Failure.say("note: not put back: \(Failure(fault).message ?? "\(fault)")") }
      let copied = try log.copy(to: folder, options) { progress.add($0) }
      if until != nil, log.count == log.log.firstSequence, entry.count > log.count {
        Failure.say(
          "note: \(source.kind.label(name)) has no record before that of --until: it is put back without records")
      }
      for moved in try log.copyConsumers(to: folder, options) {
        Failure.say(
          "note: the consumer “\(moved.consumer)” of \(source.kind.label(name)) was at record \(moved.position), and is at the end, "
            + "record \(moved.end), now")
      }
      if let first = copied.damaged.first { Failure(ImmutaError.corrupted(first)).report() }
      return BackupReport(
        kind: source.kind, name: name, outcome: .success(copied), damagedCount: copied.damaged.count,
        faults: log.faults)
    }
  }

  /// The number of the first record that is not put back.
  private func end(of log: CutLog, _ entry: Manifest.Entry) throws -> Int {
    let (name, identity) = (log.log.namespace, log.log.identity.map { "\($0)" })
    if let expected = entry.identity, let identity, expected != identity {
      throw ToolError(
        "damaged: the backup has another log “\(name)” than its manifest says: \(identity), and not \(expected)",
        .damaged)
    }
    if log.count < entry.count {
      throw ToolError(
        "damaged: the backup has \(log.count) records of “\(name)”, and its manifest says \(entry.count): put its files back "
          + "from another copy, or copy them as they are", .damaged)
    }
    switch until {
    case nil: return entry.count
    case .number(let number): return min(number, entry.count)
    case .moment(let moment): return min(try log.log.sequence(at: moment), entry.count)
    }
  }

  private func nothingRestored(_ error: any Error) -> any Error {
    let failure = Failure(error)
    let others =
      names.isEmpty && manifest.namespaces.count > 1 ? "; to put the others back, name them" : ""
    return ToolError("\(failure.message ?? "\(error)") (nothing was put back\(others))", failure.status)
  }
}
