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
  /// Records whose checksum was taken when they were appended: they are what was appended. The others lost their checksum with
  /// the companion, or never had one. They can be read, and have not changed since their checksums were made from the log's
  /// bytes; nobody knows about the time before.
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
  /// Reads every committed record and checks it: that it begins where the one before ends, that its bytes are those that were
  /// appended, that its companion entry is whole, that times don't go down, and that the header agrees; with a codec, also that
  /// it can be decoded. A record without a checksum from when it was appended is only read: see
  /// ``VerificationReport/verifiable``. It also throws for damage that opening found and passed over.
  ///
  /// Readers and the writer go on meanwhile. Checks checksums even where the configuration turned that off for reading.
  /// O(bytes of the log), in bounded memory, on all processors; gives other tasks a turn now and then.
  ///
  /// - Returns: what was checked.
  /// - Throws: `.corrupted` naming the first damaged record by number and byte offset, `.undecodable` likewise;
  ///   `CancellationError`;
  ///   `.storageClosed`, `.io`.
  @discardableResult
  public func verify() async throws -> VerificationReport {
    try await verify { _, _ in }
  }

  /// The same, and says now and then how far it has come.
  ///
  /// - Parameter progress: called after each piece of about 32 MiB, or of one segment where that is smaller, never by two threads
  ///   at once: how many records were checked, and how many there are to check. The first number never goes down.
  @discardableResult
  public func verify(progress: (_ done: Int, _ count: Int) -> Void) async throws -> VerificationReport {
    try open.refresh()
    let reader = reader
    do {
      return try await verify(reader, progress: progress)
    } catch let error as ImmutaError {
      // It may only look damaged because another file has the log's name.
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
    let count = newest.count
    // The log may have rolled since, and have lost all of these records.
    let first = Swift.min(open.firstSequence, count)
    let found = try await verify(first..<count, newest) { progress($0 - first, count - first) }
    // Not in a record: such as bytes after the last record that are not a record.
    if let damage { throw ImmutaError.corrupted(damage) }
    return VerificationReport(
      records: found.records, bytes: found.bytes, smallestPayload: found.records == 0 ? 0 : found.sizes.smallest,
      largestPayload: found.sizes.largest, verifiable: found.verifiable,
      undecodedCodec: newest.check.decoder == nil ? try knownCodec() : "")
  }

  // MARK: Pieces

  /// Records of one segment that are verified one after the other, while other pieces are verified at the same time.
  private struct Piece: Sendable {
    let segment: LogReader
    let numbers: Range<Int>
    /// Number after the last record of the segment that is verified.
    let end: Int

    var beginsSegment: Bool { numbers.lowerBound == segment.first }
    var endsSegment: Bool { numbers.upperBound == end }
  }

  /// What came out for a piece. No tuple: see “Style” in CONTRIBUTING.md.
  private struct Outcome: Sendable {
    /// Of the pieces, counted from 0.
    let place: Int
    let piece: Piece
    var found = VerifiedRecords()
    /// Whether the segment was removed while it was read.
    var isRemoved = false
    var failure: (any Error)?
  }

  /// About how many bytes a piece has: enough that beginning a new one costs nothing, and few enough that all processors are busy
  /// to the end.
  private static var pieceBytes: Int { 32 << 20 }
  /// How many pieces are verified at once.
  private static var mostAtOnce: Int { Swift.min(8, ThisProcess.processorCount) }

  /// What was found sound, piece after piece.
  private struct Verified {
    private(set) var records = 0
    private(set) var bytes = 0
    private(set) var verifiable = 0
    private(set) var sizes = (smallest: Int.max, largest: 0)
    private var lastTime: Timestamp?
    /// Where the record before ends; nil where it was removed meanwhile.
    private var end: Int?

    /// Adds what follows.
    mutating func add(_ outcome: Outcome) throws {
      let (piece, next) = (outcome.piece, outcome.found)
      let (segment, number) = (piece.segment, piece.numbers.lowerBound)
      if piece.beginsSegment { end = segment.format.headerSize }
      if outcome.isRemoved {
        end = nil
        return
      }
      // First where it begins: that is before whatever is wrong in it.
      let place = piece.beginsSegment ? nil : next.firstIndex
      if next.count > 0, let end, end != next.firstIndex {
        throw segment.check.corrupted(.order, number, next.firstIndex, "the record before ends at byte \(end)")
      }
      // Entries of partitions do not say whether they were made.
      if segment.format != .bilog, let lastTime, let times = next.times, times.lowerBound < lastTime {
        throw segment.check.corrupted(.order, number, place, "its time is before that of the record before")
      }
      if let failure = outcome.failure { throw failure }
      records += next.count
      verifiable += next.verifiable
      lastTime = next.times?.upperBound ?? lastTime
      sizes = (Swift.min(sizes.smallest, next.sizes.smallest), Swift.max(sizes.largest, next.sizes.largest))
      end = next.end ?? end
      if piece.endsSegment { bytes += end ?? 0 }
    }
  }

  /// The records of all segments, several pieces at once. The error names the first damaged record.
  private func verify(
    _ numbers: Range<Int>, _ newest: LogReader, progress: (_ number: Int) -> Void
  ) async throws -> Verified {
    var next: Int? = numbers.lowerBound
    var (begun, found) = (0, Verified())
    // Those that are done before an earlier one is.
    var waiting: [Outcome] = []
    var ended = 0
    // Why no other piece is begun: those before it may be damaged, too, and come first.
    var failure: (any Error)?
    let most = Self.mostAtOnce
    try await withThrowingTaskGroup(of: Outcome.self) { group in
      while true {
        while let number = next, begun - ended < most {
          let piece: Piece
          do throws(ImmutaError) {
            // Opened in order: a segment says where the next one begins.
            piece = try self.piece(from: number, through: numbers.upperBound, newest)
          } catch .recordRemoved(_, let first, _) {
            next = first <= numbers.upperBound ? first : nil
            continue
          } catch {
            (failure, next) = (error, nil)
            break
          }
          let place = begun
          group.addTask { await self.outcome(of: piece, at: place) }
          begun += 1
          next = piece.segment === newest && piece.endsSegment ? nil : piece.numbers.upperBound
        }
        guard let outcome = try await group.next() else { break }
        waiting.append(outcome)
        while let position = waiting.firstIndex(where: { $0.place == ended }) {
          let outcome = waiting.remove(at: position)
          try found.add(outcome)
          ended += 1
          progress(outcome.piece.numbers.upperBound)
        }
      }
    }
    precondition(waiting.isEmpty && ended == begun, "each piece that was begun has an outcome")
    if let failure { throw failure }
    return found
  }

  /// The piece that begins with a record, or an empty one where the next record will be.
  private func piece(from number: Int, through count: Int, _ newest: LogReader) throws(ImmutaError) -> Piece {
    let segment = number < newest.first ? try open.reader(of: number, newest) : newest
    let end = segment === newest ? count : Swift.min(count, segment.count)
    // A log that is followed may be replaced by a shorter one.
    guard number < end || (segment === newest && number == end) else {
      throw segment.check.corrupted(.order, number, nil, "the log ended before it a moment ago")
    }
    let averageSize = Swift.max(1, segment.end / Swift.max(1, end - segment.first))
    let most = Swift.max(1, Self.pieceBytes / averageSize)
    return Piece(segment: segment, numbers: number..<Swift.min(end, number + most), end: end)
  }

  private func outcome(of piece: Piece, at place: Int) async -> Outcome {
    let segment = piece.segment
    var outcome = Outcome(place: place, piece: piece)
    do {
      try await segment.verify(piece.numbers, of: piece.end, into: &outcome.found)
      if piece.endsSegment {
        try await verifyHeader(segment, count: piece.end - segment.first, lastIndex: outcome.found.lastIndex)
      }
    } catch let error as ImmutaError {
      outcome.isRemoved = open.removal(of: segment.first) != nil
      if !outcome.isRemoved { outcome.failure = error }
    } catch {
      outcome.failure = error
    }
    return outcome
  }

  /// Checks that the header on file says what was found.
  private func verifyHeader(_ reader: LogReader, count: Int, lastIndex: Int) async throws {
    // A commit stores LAST INDEX first: a moment later COUNT has moved on, unless the header is wrong.
    var header = try reader.header()
    for _ in 0..<1000 {
      guard let found = header else { return }
      // More was appended meanwhile, perhaps until the log rolled. In a segment that was sealed before, that is damage.
      if found.count > count, !reader.isSealed || reader.ownCount > count { return }
      if found == LogHeader(reader.format, count: count, lastIndex: lastIndex) { return }
      await Task.yield()
      header = try reader.header()
    }
    guard let header else { return }
    // A header as a power cut may leave it is not damage.
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
