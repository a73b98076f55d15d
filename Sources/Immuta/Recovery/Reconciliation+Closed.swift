// A log that was closed, and records that have no entries.
extension Reconciliation {
  mutating func closed(promised: Int) throws(ImmutaError) -> Outcome {
    if let header, header.count < promised {
      throw corrupted(.header, "COUNT is \(header.count), but the log was closed with \(Quantity.records(promised))")
    }
    guard let cursor = try cursor(after: promised) else {
      // The companion is short or damaged. Its whole entries are kept.
      var outcome = try extended(from: start, through: header?.count, keepingEntries: true)
      if outcome.count < promised {
        throw corrupted(.header, "it holds \(Quantity.records(outcome.count)), but was closed with \(promised)")
      }
      outcome.makeAgain(from: start, keptBelow: .max)
      return outcome
    }
    if let header, header.count > promised {
      return try extended(from: cursor, through: header.count, keepingEntries: false)
    }
    // Without a COUNT, whatever follows the last record is another program's.
    if header == nil, cursor.index < fileSize {
      return try extended(from: cursor, through: nil, keepingEntries: false)
    }
    if let header { try checkLastIndex(header, cursor.lastIndex, count: promised) }
    var outcome = outcome(at: cursor, cursor.index == fileSize ? .closed : .whole)
    outcome.madeCount = madeCount(through: promised)
    return outcome
  }

  /// The place after record `number - 1`, by that record's entry; nil when the entry is damaged.
  mutating func cursor(after number: Int) throws(ImmutaError) -> Cursor? {
    if number == 0 { return start }
    guard let entry = try companion?.entry(number - 1), entry.index >= format.leastIndex(of: number - 1) else {
      return nil
    }
    let walk = RecordWalk(format, number: number - 1, index: entry.index)
    guard let place = try walk.place(in: &log) else {
      throw corrupted(.sizeField, number - 1, entry.index, "its size field does not fit the file of \(fileSize) bytes")
    }
    // The end of a log that was closed is the end of its file. Where it isn't, only the checksum says whether bytes
    // were added, or this size field is damaged.
    if place.end != fileSize, try log.checksum(at: entry.index, size: place.size) != entry.recordChecksum {
      throw corrupted(.checksum, number - 1, entry.index, "it is not what was appended: its checksum does not match")
    }
    return Cursor(walk: RecordWalk(format, after: place), lastTime: entry.time)
  }

  /// Walks from a cursor through record `count - 1` by the size fields, or, where that is nil, as far as they lead, and
  /// finds out which entries are missing. They are made when somebody asks for them: a log may have more than fit in
  /// memory.
  mutating func extended(
    from start: Cursor, through count: Int?, keepingEntries: Bool
  ) throws(ImmutaError) -> Outcome {
    progress?.beginPass()
    var cursor = start
    var madeBefore = start.number > 0 ? madeCount(through: start.number) : 0
    var missing = 0
    var damage: Corruption?
    while cursor.number < count ?? Int.max {
      guard let place = try cursor.walk.place(in: &log) else {
        guard let count else { break }
        throw corrupted(
          .sizeField, cursor.number, cursor.index,
          "\(header.map { "COUNT is \($0.count)" } ?? "there were \(Quantity.records(count))"), but no record that fits the "
            + "file of \(fileSize) bytes begins there")
      }
      if place.size == 0, LogScanner.isHoleDue(cursor.number) { try checkHole(at: cursor, below: count ?? .max) }
      let known = keepingEntries ? try companion?.entry(cursor.number) : nil
      if let known, known.index == cursor.index {
        cursor.lastTime = known.time
        if known.isMade { madeBefore += 1 }
      } else {
        if try !log.bearsItsChecksum(at: cursor.index, size: place.size) {
          let found = Corruption(
            .checksum, path: path, sequence: cursor.number, index: cursor.index,
            reason: "it is not what was appended: its payload does not have its checksum")
          // Damage in a payload leaves the records after it where they are. If the size field may be damaged, nobody knows where
          // they are.
          guard try log.leadsToSoundRecord(after: place) else { throw .corrupted(found) }
          damage = damage ?? found
        }
        missing += 1
        cursor.lastTime = max(cursor.lastTime, modified)
      }
      cursor.walk.pass(place)
    }
    // A process that died between its two stores leaves LAST INDEX ahead; its companion then says that it was not
    // closed.
    if let header, count == header.count, !wasNotClosed {
      try checkLastIndex(header, cursor.lastIndex, count: header.count)
    }
    cursor.lastTime = max(start.lastTime, cursor.lastTime)
    let making = Outcome.Making(start: start, keptBelow: keepingEntries ? .max : 0)
    var outcome = outcome(at: cursor, .extended(kept: start.number, making))
    outcome.madeCount = madeBefore + (format.hasPayloadChecksum ? 0 : missing)
    outcome.damage = damage
    // Another program makes none.
    if missing > 0, companionHeader != nil {
      outcome.add(
        note:
          "lacked the companion entries of \(Quantity.records(missing)), as when another program has appended, or an older "
          + "companion was put back; they were made from its bytes, which needs no repair")
    }
    if let damage { outcome.add(note: "is damaged: \(damage)") }
    if count == nil { try checkTail(cursor.number, &outcome) }
    return outcome
  }

  /// Throws where a hole begins that claims more records of no bytes than any log has.
  private func checkHole(at cursor: Cursor, below count: Int) throws(ImmutaError) {
    let claimed = min(count - cursor.number, log.emptyRecords(inHoleAt: cursor.index))
    guard claimed > LogScanner.mostInHole else { return }
    throw corrupted(
      .hole, cursor.number, cursor.index,
      "the file has a hole there, which reads as \(claimed) records of no bytes: no program appended those")
  }

  /// What follows the last record of a log without COUNT. Zeros are space that was reserved. A record that is cut off belongs to
  /// a writer that died before it had appended all of it: it is cut off, and a copy is kept. Anything else is damage.
  private mutating func checkTail(_ number: Int, _ outcome: inout Outcome) throws(ImmutaError) {
    let end = outcome.end
    if end == fileSize { return }
    // Less than a LENGTH may be the beginning of one.
    if fileSize - end >= MemoryLayout<Int64>.size, try log.isBlank(from: end) {
      if companionHeader == nil { outcome.add(note: "ends in \(fileSize - end) zeros, which are no record") }
      return
    }
    if try !log.mayBeCutOff(at: end) {
      throw corrupted(
        .sizeField, number, end, "no record begins there, and it is not the beginning of one that was cut off")
    }
    if try log.hasWholeRecord(after: end) {
      throw corrupted(.sizeField, number, end, "its LENGTH does not fit the file, and it is not the last record")
    }
    let payload = fileSize - end - format.recordHeaderSize
    if payload >= 0, try log.bearsItsChecksum(at: end, size: payload) {
      throw corrupted(
        .sizeField, number, end, "its LENGTH is damaged: the rest of the file is the payload that has its checksum")
    }
    if number == 0, try log.isBeyondBelief(at: end) {
      throw corrupted(
        .sizeField, number, end, "no record begins there, and it is not the beginning of one that was cut off")
    }
    outcome.tail = .keptWhole
    outcome.add(note: "ends in \(Quantity.bytes(fileSize - end)) of a record that was cut off, which is no record")
  }

  private func checkLastIndex(_ header: LogHeader, _ found: Int, count: Int) throws(ImmutaError) {
    guard let lastIndex = header.lastIndex, lastIndex != found else { return }
    throw corrupted(.header, "LAST INDEX is \(lastIndex), but the last of its \(count) records begins at \(found)")
  }
}
