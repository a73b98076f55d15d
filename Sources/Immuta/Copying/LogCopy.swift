// Copies of a log's first records elsewhere, which are logs themselves.

/// Why a log was not copied, though nothing is damaged: the files at the copy's place do not match the log.
package struct CopyRefusal: Error, CustomStringConvertible, Sendable {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// What a copy of a log contains.
package struct LogCopyReport: Sendable {
  /// The log's identity; nil where no file holds it.
  package var identity: LogIdentity?
  /// The number of its first record.
  package var firstSequence: Int
  /// The number of the first record that the copy does not have.
  package var count: Int
  /// How many records were added.
  package var added: Int
  /// Bytes of its log files.
  package var bytes = 0
  /// The records that were added though they are damaged in the log.
  package var damaged: [Corruption] = []
}

/// How a log is copied.
package struct LogCopyOptions: Sendable {
  /// Whether records that were removed from the log are removed from the copy.
  package var followsRemoval = false
  /// Whether nobody relies on what the copy has by now.
  package var mayBeginAnew = false
  package var acceptsFilesOfOthers = false

  package init(followsRemoval: Bool = false, mayBeginAnew: Bool = false, acceptsFilesOfOthers: Bool = false) {
    (self.followsRemoval, self.mayBeginAnew) = (followsRemoval, mayBeginAnew)
    self.acceptsFilesOfOthers = acceptsFilesOfOthers
  }
}

extension Log {
  /// Makes a copy of the log's records before a number in another directory, or adds the missing records to an existing copy.
  ///
  /// The copy has the same identity, numbers, times and checksums, and the same segments. It is a log that was closed, so it
  /// opens at once. Payloads that a codec made stay as they are, so no key is needed. The log may be appended to meanwhile.
  ///
  /// The added records are read again, and compared with the checksums from when they were appended. All of them are on stable
  /// storage when this returns. If it throws, or the process dies, the copy is what it was, or has some of the new records; the
  /// next copying goes on there. O(bytes of the new records + segments), in bounded memory; blocks.
  ///
  /// - Parameters:
  ///   - count: the number of the first record that is not copied; at most the log's count, now or earlier.
  ///   - directory: where the copy is.
  ///   - progress: called with the number of bytes that were copied, and with the same number again once they were checked.
  /// - Throws: `CopyRefusal`; `.corrupted` where the log or the copy is so damaged that copying cannot go on; `.locked` while
  ///   somebody writes to the copy; `.foreignOwner`, `.unsupportedVersion`, `.storageClosed`, `.io`; what `progress` throws.
  package func copy(
    before count: Int, to directory: Directory, _ options: LogCopyOptions = LogCopyOptions(),
    progress: (_ bytes: Int) throws -> Void = { _ in }
  ) throws -> LogCopyReport {
    let work = LogCopy(self, to: currentFiles.home.moved(to: directory), options)
    do {
      return try work.run(before: count, progress)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }
}

/// The work of one copy.
private struct LogCopy {
  private let log: Log
  private let source: LogFiles
  private let copy: LogFiles
  private let trust: FileTrust
  private let options: LogCopyOptions

  init(_ log: Log, to copy: LogFiles, _ options: LogCopyOptions) {
    (self.log, self.copy, self.options) = (log, copy, options)
    source = log.currentFiles.home
    trust = FileTrust(in: copy.directory, acceptsFilesOfOthers: options.acceptsFilesOfOthers)
  }

  /// How often copying begins again because segments were removed that it was about to copy.
  private static var mostAttempts: Int { 16 }

  func run(before count: Int, _ progress: (Int) throws -> Void) throws -> LogCopyReport {
    let original = try log.reader.anyDescriptor()
    let rights = try io(original.status()).rights
    let lock = try io(
      FileLock.take(copy.lock, in: copy.directory, subject: copy.namespace, rights: rights, trust: trust))
    defer { lock.unlock() }
    var damaged: [Corruption] = []
    for attempt in 1... {
      let first = log.open.firstSequence
      do {
        return try copyOnce(before: count, &damaged, progress)
      } catch let error as ImmutaError {
        // Whatever failed, the files of a segment that was removed meanwhile must not be found again.
        log.open.sealed.noteRemoved()
        guard log.open.firstSequence > first, attempt < Self.mostAttempts else { throw error }
      }
    }
    preconditionFailure("the last attempt returns or throws")
  }

  private func copyOnce(
    before count: Int, _ damaged: inout [Corruption], _ progress: (Int) throws -> Void
  ) throws -> LogCopyReport {
    try log.open.refresh()
    let newest = log.reader
    let (sealed, end) = log.open.sealed.list
    let knowledge = try LogKnowledge(source, log.companionHeader(), newest.format, log.trust)
    let wanted = PrefixPlan.Source(
      identity: knowledge.identity, format: newest.format, firsts: sealed + [end], count: count)
    let there = try whatIsThere(wanted, newest)
    let plan: PrefixPlan
    do throws(PrefixPlan.Refusal) {
      plan = try PrefixPlan(
        wanted, there?.copy, follows: options.followsRemoval, mayBeginAnew: options.mayBeginAnew)
    } catch {
      throw CopyRefusal(words(error, count))
    }
    if let newestCopy = there?.newest, let reader = try reader(ofSegment: newestCopy.files.first, wanted, newest),
      try !newestCopy.isPrefix(of: reader)
    {
      throw CopyRefusal(words(.otherLog, count))
    }
    let had = there?.copy.count ?? plan.first
    for part in plan.parts {
      let reader = try log.open.reader(of: part.first, newest)
      try write(part, plan, reader, knowledge, there?.newest, &damaged, progress)
    }
    try finish(plan, knowledge)
    var report = LogCopyReport(
      identity: knowledge.identity, firstSequence: plan.first, count: count,
      added: count - max(plan.first, min(had, count)),
      damaged: damaged)
    for path in try io(copy.logPaths()) { report.bytes += try io(Descriptor(opening: path, .read).size) }
    return report
  }

  /// What the copy has; nil where there is none.
  private func whatIsThere(
    _ wanted: PrefixPlan.Source, _ newest: LogReader
  ) throws -> (copy: PrefixPlan.Copy, newest: SegmentCopy)? {
    guard try io(copy.isThere()) else { return nil }
    var folder = try SegmentFolder(copy, trust)
    if let damage = folder.damage { throw ImmutaError.corrupted(damage) }
    // Files that were to be removed when an earlier copying was cut off.
    try folder.clear()
    guard var segment = try SegmentCopy(opening: folder.newest, trust) else {
      throw ImmutaError.corrupted(.missing(folder.newest.first..<folder.newest.first + 1, of: copy.logPath))
    }
    if segment.format == wanted.format, let reader = try reader(ofSegment: segment.files.first, wanted, newest) {
      try segment.takeWhatWasLeft(of: reader, before: min(wanted.count, reader.count) - reader.first)
    }
    return (
      PrefixPlan.Copy(
        identity: segment.identity, format: segment.format, firsts: folder.firsts,
        count: segment.files.first + segment.count), segment
    )
  }

  /// The reader of the log's segment that begins with a record; nil where no segment does.
  private func reader(
    ofSegment first: Int, _ wanted: PrefixPlan.Source, _ newest: LogReader
  ) throws -> LogReader? {
    wanted.firsts.contains(first) ? try log.open.reader(of: first, newest) : nil
  }

  private func write(
    _ part: PrefixPlan.Part, _ plan: PrefixPlan, _ reader: LogReader, _ knowledge: LogKnowledge, _ there: SegmentCopy?,
    _ damaged: inout [Corruption], _ progress: (Int) throws -> Void
  ) throws {
    guard reader.first == part.first else {
      throw ImmutaError.corrupted(.missing(part.first..<part.end, of: source.logPath))
    }
    let original = try reader.anyDescriptor()
    let folder = part.first > 0 ? try io(trust.makeFolder(copy.segmentsFolder, of: copy)) : nil
    guard let files = copy.segment(part.first, inFolder: folder) else { preconditionFailure("the folder was made") }
    let header = try header(part, plan, reader.format, knowledge)
    var segment: SegmentCopy
    if let there, there.files.first == part.first {
      segment = there
    } else {
      segment = try SegmentCopy(making: files, like: original, header)
    }
    damaged += try segment.extend(to: part.end - part.first, of: reader, header, progress)
    try io(folder?.flush())
  }

  /// What the companion of a segment of the copy says about the log.
  private func header(
    _ part: PrefixPlan.Part, _ plan: PrefixPlan, _ format: LogFormat, _ knowledge: LogKnowledge
  ) throws -> CompanionHeader {
    var header = CompanionHeader(format: format, codecName: knowledge.codecName)
    header.identity = knowledge.identity
    header.firstSequence = part.first
    header.removedCount = plan.first
    guard let segment = try io(source.segment(part.first, inFolder: source.openFolder())),
      let original = try segment.companionHeader(log.trust), original.format == format
    else { return header }
    (header.tornCount, header.recoveryTime) = (original.tornCount, original.recoveryTime)
    if var slow = original.slowTime, slow.first < part.end {
      if let end = slow.end, end >= part.end { slow.end = nil }
      header.slowTime = slow
    }
    return header
  }

  /// All segments are copied: makes them the copy's, and removes those that are no longer needed.
  private func finish(_ plan: PrefixPlan, _ knowledge: LogKnowledge) throws {
    guard let newest = plan.parts.last else { preconditionFailure("the newest segment is always looked at") }
    let directory = copy.directory
    try io(directory.flush())
    try knowledge.keep(
      inCopy: copy, removed: plan.first, newestFirst: newest.first, like: log.reader.anyDescriptor(), trust)
    try io(directory.flush())
    let folder = try io(copy.openFolder())
    for first in plan.dropped {
      guard let files = copy.segment(first, inFolder: folder) else { continue }
      try io(files.directory.removeIfPresent(files.log))
      try io(files.directory.removeIfPresent(files.companion))
    }
    if plan.dropped.isEmpty { return }
    try io(folder?.flush())
    try io(directory.flush())
  }

  /// Why nothing is copied, and what to do.
  private func words(_ refusal: PrefixPlan.Refusal, _ count: Int) -> String {
    let (name, place) = (copy.namespace.quoted, copy.directory.path)
    switch refusal {
    case .otherLog:
      return
        "\(place) has another log under the name \(name), or one that went another way since: copy into another directory"
    case .otherFormat(let format):
      return "\(place) has a log of the format \(format) under the name \(name): copy into another directory"
    case .longer(let copy):
      return
        "the copy of \(name) in \(place) has \(Quantity.records(copy)), and the log has \(count) by now: it was put back from an "
        + "older copy, or a power cut took its last records; copy into another directory, and keep this copy until you know"
    case .gap(let records):
      return
        "the records \(records.lowerBound) to \(records.upperBound - 1) of \(name) were removed before they were copied, so that "
        + "the copy in \(place) cannot be continued: copy into another directory, or let the copy's older records go"
    case .otherSegments(let first):
      return
        "\(name) and its copy in \(place) do not have the same segments: one has a segment that begins with record \(first), and "
        + "the other has not; copy into another directory"
    case .removed(let first):
      return "\(name) has no record before number \(first) any more: they were removed"
    }
  }
}
