/// What a verification checked.
public struct VerificationReport: Hashable, Sendable {
  /// Records checked: all that were committed when the check began.
  public let records: Int
  /// Bytes of the log checked, its header included.
  public let bytes: Int
  /// Payload bytes of the smallest record; 0 when there is none.
  public let smallestPayload: Int
  /// Payload bytes of the largest record; 0 when there is none.
  public let largestPayload: Int
  /// Records whose checksum was taken when they were appended: they are what was appended. Of the others, which lost
  /// theirs with the companion or never had one, nobody can tell: they can be read, and have not changed since their
  /// checksums were made from the log's bytes.
  public let verifiable: Int
  /// The codec that the log was written with, where payloads were compared as they are stored and not decoded; empty
  /// where they were decoded, or there is none.
  public let undecodedCodec: String
}

extension VerificationReport: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    var text = "\(Quantity.records(records)) in \(Quantity.bytes(bytes)): "
    switch verifiable {
    case records: text += "every one is what was appended"
    case 0: text += "readable, none verifiable: there is no checksum from when they were appended"
    default:
      text += "\(verifiable) are what was appended, \(records - verifiable) are readable and not verifiable: there is "
      text += "no checksum from when they were appended"
    }
    if !undecodedCodec.isEmpty { text += "; not decoded: written with \(undecodedCodec.printable)" }
    return text
  }
}

extension Log {
  /// Reads every committed record and checks it: that it begins where the one before ends, that its bytes are those
  /// that were appended, that its companion entry is whole, that times don't go down, and that the header agrees; with
  /// a codec, also that it can be decoded. A record without a checksum from when it was appended is only read: see
  /// ``VerificationReport/verifiable``. Damage that opening found and passed over throws, too.
  ///
  /// Readers and the writer go on meanwhile. Checks checksums even where the configuration turned that off for reading.
  /// O(bytes of the log), in bounded memory; gives other tasks a turn now and then.
  ///
  /// - Returns: what was checked.
  /// - Throws: `.corrupted` naming the first damaged record by number and byte offset, `.undecodable` likewise;
  ///   `CancellationError`;
  ///   `.storageClosed`, `.io`.
  @discardableResult
  public func verify() async throws -> VerificationReport {
    try await verify { _, _ in }
  }

  /// The same, telling now and then how many of how many records were checked.
  @discardableResult
  package func verify(progress: (_ done: Int, _ count: Int) -> Void) async throws -> VerificationReport {
    try open.refresh()
    let reader = reader
    do {
      return try await verify(reader, progress: progress)
    } catch let error as ImmutaError {
      // What looks damaged may be another file's doing.
      guard try open.isDueToChange(error, of: reader) else { throw error.of(namespace) }
      let change = reader.lineage.change(to: self.reader.lineage)
      throw ImmutaError.logChanged(
        LogChange(path: files.logPath, kind: change.kind, sharedCount: Swift.min(change.shared, reader.count)))
    }
  }

  private func verify(
    _ newest: LogReader, progress: (_ done: Int, _ count: Int) -> Void
  ) async throws -> VerificationReport {
    try newest.checkOpen()
    let (count, first) = (newest.count, open.firstSequence)
    var found = Verified()
    if newest.first > first {
      found = try await verifySealed(from: first, newest) { progress($0 - first, count - first) }
    }
    let last = try await verifyUnlessRemoved(newest, through: count) { progress($0 - first, count - first) }
    try found.add(last, newest)
    // Not in a record: such as bytes after the last one, which are none.
    if let damage { throw ImmutaError.corrupted(damage) }
    return VerificationReport(
      records: found.records, bytes: found.bytes, smallestPayload: found.records == 0 ? 0 : found.sizes.smallest,
      largestPayload: found.sizes.largest, verifiable: found.verifiable,
      undecodedCodec: newest.check.decoder == nil ? try knownCodec() : "")
  }

  /// What was found sound.
  private struct Verified: Sendable {
    var records = 0
    var bytes = 0
    var verifiable = 0
    /// Of the first record, and of the last; nil where there is none.
    var times: ClosedRange<Timestamp>?
    var sizes = (smallest: Int.max, largest: 0)

    /// Adds what follows.
    mutating func add(_ next: Verified, _ segment: LogReader) throws(ImmutaError) {
      // Entries of partitions do not say whether they were made.
      if segment.format != .bilog, let times, let later = next.times, later.lowerBound < times.upperBound {
        throw segment.check.corrupted(.order, segment.first, nil, "its time is before that of the record before")
      }
      records += next.records
      bytes += next.bytes
      verifiable += next.verifiable
      let (lowest, highest) = (times?.lowerBound ?? next.times?.lowerBound, next.times?.upperBound ?? times?.upperBound)
      if let lowest, let highest { times = lowest...Swift.max(lowest, highest) }
      sizes = (Swift.min(sizes.smallest, next.sizes.smallest), Swift.max(sizes.largest, next.sizes.largest))
    }
  }

  /// How many segments are verified at once.
  private static var mostAtOnce: Int { Swift.min(8, ThisProcess.processorCount) }

  /// The segments before the newest, several at once. What is damaged is told by its first record.
  private func verifySealed(
    from first: Int, _ newest: LogReader, progress: (_ number: Int) -> Void
  ) async throws -> Verified {
    var number = first
    var waiting: [Int: Result<(segment: LogReader, found: Verified), any Error>] = [:]
    var (begun, ended) = (0, 0)
    var found = Verified()
    try await withThrowingTaskGroup(
      of: (Int, Result<(segment: LogReader, found: Verified), any Error>).self
    ) { group in
      while true {
        // Before others are begun: those that are done make room.
        while let next = waiting.removeValue(forKey: ended) {
          let (segment, more) = try next.get()
          try found.add(more, segment)
          ended += 1
          progress(segment.count)
        }
        while number < newest.first, begun - ended < Self.mostAtOnce {
          // Opened in order: a segment says where the next one begins.
          let segment: LogReader
          do throws(ImmutaError) {
            segment = try open.reader(of: number, newest)
          } catch .recordRemoved(_, let next, _) {
            number = next
            continue
          } catch {
            // Those before it may be damaged, too, and come first.
            waiting[begun] = .failure(error)
            begun += 1
            number = newest.first
            break
          }
          let place = begun
          group.addTask {
            do {
              return (
                place, .success((segment, try await self.verifyUnlessRemoved(segment, through: segment.count) { _ in }))
              )
            } catch {
              return (place, .failure(error))
            }
          }
          begun += 1
          number = segment.count
        }
        if let (place, result) = try await group.next() {
          waiting[place] = result
        } else if waiting.isEmpty {
          break
        }
      }
    }
    return found
  }

  /// The records of one segment; none where it was removed while it was read.
  private func verifyUnlessRemoved(
    _ segment: LogReader, through end: Int, progress: (_ number: Int) -> Void
  ) async throws -> Verified {
    do {
      return try await verify(segment, through: end, progress: progress)
    } catch let error as ImmutaError {
      guard open.removal(of: segment.first) != nil else { throw error }
      return Verified()
    }
  }

  /// The records of one segment.
  private func verify(
    _ segment: LogReader, through end: Int, progress: (_ number: Int) -> Void
  ) async throws -> Verified {
    let check = segment.check.verifyingChecksums(true)
    let hasOwnEntries = segment.hasOwnEntries
    var (verified, next, lastIndex, number) = (Verified(), segment.format.headerSize, 0, segment.first)
    while number < end {
      try Task.checkCancellation()
      try segment.check(from: number, count: end, check) { (record, isMade) throws(ImmutaError) in
        if record.index != next {
          throw check.corrupted(.order, number, record.index, "the record before ends at byte \(next)")
        }
        // The time of an entry that was made is that of the file, which may be later than that of the next segment.
        if !isMade, !hasOwnEntries {
          let times = verified.times ?? record.timestamp...record.timestamp
          if record.timestamp < times.upperBound {
            throw check.corrupted(.order, number, record.index, "its time is before that of the record before")
          }
          verified.times = times.lowerBound...record.timestamp
        }
        verified.sizes.smallest = Swift.min(verified.sizes.smallest, record.size)
        verified.sizes.largest = Swift.max(verified.sizes.largest, record.size)
        lastIndex = record.index
        next = record.index + segment.format.recordHeaderSize + record.size
        number += 1
        verified.records += 1
        if !isMade { verified.verifiable += 1 }
      }
      progress(number)
      await Task.yield()
    }
    verified.bytes = next
    try await verifyHeader(segment, count: end - segment.first, lastIndex: lastIndex)
    return verified
  }

  /// Checks that the header on file says what was found.
  private func verifyHeader(_ reader: LogReader, count: Int, lastIndex: Int) async throws {
    // A commit stores LAST INDEX first: a moment later COUNT has moved on, unless the header is wrong.
    var header = try reader.header()
    for _ in 0..<1000 {
      guard let found = header else { return }
      // Not in a segment that is not appended to.
      if found.count > count, !reader.isSealed { return }
      if found == LogHeader(reader.format, count: count, lastIndex: lastIndex) { return }
      await Task.yield()
      header = try reader.header()
    }
    guard let header else { return }
    // What a power cut leaves of it is no damage.
    if try isHeaderInDoubt(of: reader) { return }
    let place = header.lastIndex.map { " and LAST INDEX \($0)" } ?? ""
    throw ImmutaError.corrupted(
      Corruption(
        .header, path: reader.check.path,
        reason:
          "its header says COUNT \(header.count)\(place), but it holds \(count) records, the last at \(lastIndex)"))
  }

  /// Whether opening the log for appending would correct the header of a segment, whatever it says of the last records.
  private func isHeaderInDoubt(of segment: LogReader) throws(ImmutaError) -> Bool {
    guard writer == nil, let known = try companionHeader(), known.format == segment.format else { return false }
    return known.firstSequence == segment.first && known.leavesHeaderInDoubt
  }
}
