import Synchronization

// Makes staged records part of the log: stores their entries, and then COUNT.

extension SegmentFiles {
  /// The entry of one record, which ends its commit.
  @inline(__always)
  mutating func storeEntry(_ entry: CompanionEntry, number: Int) throws(ImmutaError) {
    let offset = CompanionEntry.offset(of: number)
    if let memory = try unsafe io(companion.pointer(at: offset, count: CompanionEntry.size)) {
      unsafe store(
        entry, to: UnsafeMutableRawBufferPointer(start: memory, count: CompanionEntry.size), number: number)
    } else {
      var bytes: InlineArray<24, UInt8> = .init(repeating: 0)
      try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) in
        unsafe entry.encode(into: bytes, number: number)
        try unsafe writeToCompanion(UnsafeRawBufferPointer(bytes), at: offset)
      }
    }
  }

  /// The entries of staged records; the first of them is record `number`.
  ///
  /// - Parameter endCommit: whether the last of them is the commit's last.
  @inline(__always)
  mutating func storeEntries(
    of records: [StagedRecord], from number: Int, _ time: Int64, endCommit: Bool
  ) throws(ImmutaError) {
    let range = CompanionEntry.offset(of: number)..<CompanionEntry.offset(of: number + records.count)
    precondition(!companion.isReserving || range.upperBound <= companion.reservedEnd, "entries without room")
    if let memory = try unsafe io(companion.pointer(at: range.lowerBound, count: range.count)) {
      unsafe encode(
        records, from: number, time, endCommit: endCommit,
        into: UnsafeMutableRawBufferPointer(start: memory, count: range.count))
    } else {
      var bytes = [UInt8](repeating: 0, count: range.count)
      unsafe bytes.withUnsafeMutableBytes {
        unsafe encode(records, from: number, time, endCommit: endCommit, into: $0)
      }
      try unsafe bytes.withBytes { (bytes) throws(ImmutaError) in
        try unsafe writeToCompanion(bytes, at: range.lowerBound)
      }
    }
  }

  @inline(__always)
  private func encode(
    _ records: [StagedRecord], from number: Int, _ time: Int64, endCommit: Bool,
    into bytes: UnsafeMutableRawBufferPointer
  ) {
    for (position, record) in records.enumerated() {
      let entry = CompanionEntry(
        index: record.index, time: time, recordChecksum: record.checksum,
        endsCommit: endCommit && position == records.count - 1)
      unsafe store(entry, to: bytes.companionEntry(position), number: number + position)
    }
  }

  @inline(__always)
  private func store(_ entry: CompanionEntry, to bytes: UnsafeMutableRawBufferPointer, number: Int) {
    if format.hasCount {
      unsafe entry.encode(into: bytes, number: number)
    } else {
      unsafe entry.storeReleasing(into: bytes, number: number)
    }
  }

  /// Where nothing is filled, the entries just written may lie in a new block. Noted after the write, and before their
  /// commit is announced: the flush that covers them sees it.
  private mutating func writeToCompanion(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ImmutaError) {
    try unsafe io(companion.write(bytes, at: offset))
    if !companion.isFilling { flushes.noteNewBlocks() }
  }

  /// LAST INDEX first: a process that dies between the two stores leaves a COUNT that is right and a LAST INDEX that is
  /// one record ahead, which opening knows to expect.
  ///
  /// A log without COUNT has no header: the last entry's store was the commit.
  @inline(__always)
  func storeCount(_ count: Int, lastIndex: Int) throws(ImmutaError) {
    if let memory = unsafe headerMemory {
      if format.hasLastIndex {
        unsafe memory.storeBytes(
          of: Int64(lastIndex).littleEndian, toByteOffset: LogHeader.lastIndexOffset, as: Int64.self)
      }
      // The address is the mapping's first, page-aligned, and lives as long as the window. Releasing: a reader in
      // another process that loads this count, acquiring, sees the record and its entry.
      let field = unsafe memory.assumingMemoryBound(to: Atomic<Int>.self)
      unsafe field.pointee.store(count.littleEndian, ordering: .releasing)
    } else if format.hasCount {
      // In one call, which a process that dies does not leave half done.
      try io(log.descriptor.write(LogHeader(format, count: count, lastIndex: lastIndex).encoded(format: format), at: 0))
    }
  }
}
