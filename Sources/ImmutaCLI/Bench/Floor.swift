/// The same work with bare system calls: no checksum, no time, no commit, nobody to wake. In nanoseconds per record.
enum Floor {
  private static let headerSize = 16
  private static let fieldSize = 8
  private static let companionHeaderSize = 64
  private static let pieceSize = 1 << 20

  /// Writes so many bytes to the page cache and gives it back, so that what is measured next finds memory that the
  /// machine has.
  ///
  /// What a virtual machine has freed for a while goes back to its host, and is slow to come again.
  static func warm(_ bytes: Int, in directory: String) throws {
    let path = "\(directory)/warm"
    defer { System.removeFile(path) }
    let file = try FloorFile(creating: path)
    let piece = [UInt8](repeating: 1, count: pieceSize)
    try piece.withUnsafeBytes { piece in
      for offset in stride(from: 0, to: bytes, by: piece.count) {
        try file.write(UnsafeRawBufferPointer(rebasing: piece[..<min(piece.count, bytes - offset)]), at: offset)
        try Interruption.check()
      }
    }
  }

  /// A `pwrite` of the bytes of each commit, and a flush of each if that is asked for.
  static func append(
    _ payloads: BenchPayloads, _ count: Int, perCommit: Int = 1, flushes: Bool = false, to directory: String
  ) throws -> Double {
    let file = try FloorFile(creating: "\(directory)/floor")
    let record = fieldSize + payloads.size
    var batch = [UInt8](repeating: 1, count: record * perCommit)
    return try batch.withUnsafeMutableBytes { batch in
      try Stopwatch.nanoseconds {
        var offset = headerSize
        for first in stride(from: 0, to: count, by: perCommit) {
          let records = min(perCommit, count - first)
          for position in 0..<records {
            fill(
              UnsafeMutableRawBufferPointer(rebasing: batch[(position * record)...]), with: payloads[first + position])
          }
          try file.write(UnsafeRawBufferPointer(rebasing: batch[..<(records * record)]), at: offset)
          offset += records * record
          if flushes { try file.flush() }
          if first % Stopwatch.stretch == 0 || flushes { try Interruption.check() }
        }
      } / Double(count)
    }
  }

  /// Fills bytes with a record: its size, then the payload.
  static func fill(_ bytes: UnsafeMutableRawBufferPointer, with payload: [UInt8]) {
    bytes.storeBytes(of: UInt64(payload.count).littleEndian, as: UInt64.self)
    payload.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[fieldSize...]).copyMemory(from: $0) }
  }

  /// A `pread` for each MiB of so many records, from the beginning again when the log is over; every byte is summed.
  static func stream(_ count: Int, of fixture: BenchFixture.Contents) throws -> Double {
    let file = try FloorFile(opening: BenchLog.path(in: fixture.directory))
    let record = fieldSize + fixture.payloads.size
    var sum: UInt64 = 0
    var piece = [UInt8](repeating: 1, count: pieceSize)
    let time = try piece.withUnsafeMutableBytes { piece in
      try Stopwatch.nanoseconds {
        var left = count
        while left > 0 {
          let records = min(left, fixture.records)
          let end = headerSize + records * record
          var offset = 0
          while offset < end {
            let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(pieceSize, end - offset)])
            let read = try file.read(into: part, at: offset)
            guard read > 0 else { throw cutShort }
            sum &+= UnsafeRawBufferPointer(rebasing: part[..<read]).sum
            offset += read
          }
          left -= records
          try Interruption.check()
        }
      }
    }
    // Looked at, so that it is computed.
    guard sum != 0 else { throw cutShort }
    return time / Double(count)
  }

  /// A `pread` of each payload, whose bytes are summed.
  static func read(_ numbers: [Int], of fixture: BenchFixture.Contents) throws -> Double {
    let file = try FloorFile(opening: BenchLog.path(in: fixture.directory))
    let record = fieldSize + fixture.payloads.size
    var sum: UInt64 = 0
    var payload = [UInt8](repeating: 1, count: fixture.payloads.size)
    let time = try payload.withUnsafeMutableBytes { payload in
      try Stopwatch.nanoseconds {
        for number in numbers {
          let read = try file.read(into: payload, at: headerSize + number * record + fieldSize)
          guard read == payload.count else { throw cutShort }
          sum &+= UnsafeRawBufferPointer(payload).sum
        }
      }
    }
    guard sum == numbers.reduce(into: 0, { $0 &+= fixture.payloads.sum(of: $1) }) else { throw cutShort }
    return time / Double(numbers.count)
  }

  /// Opens the log's two files, reads their headers and closes them, so many times.
  static func open(_ count: Int, of fixture: BenchFixture.Contents) throws -> Double {
    try Stopwatch.nanoseconds {
      for _ in 0..<count {
        try readHeader(BenchLog.path(in: fixture.directory), headerSize)
        try readHeader(BenchLog.companionPath(in: fixture.directory), companionHeaderSize)
      }
    } / Double(count)
  }

  private static func readHeader(_ path: String, _ size: Int) throws {
    let file = try FloorFile(opening: path)
    try withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { header in
      guard try file.read(into: header, at: 0) == size else { throw cutShort }
    }
  }

  private static let cutShort = ToolError("the log that was written is not complete")
}
