import Floors
import Foundation

/// The same work with a `FileHandle`, as one writes it in an afternoon: a size and the bytes, no checksum, no commit.
struct PlainFile {
  private static let bufferSize = 64 << 10
  private static let pieceSize = 1 << 20
  private static let sizeField = 8

  /// Collects records in memory, and writes when there are 64 KiB: what is there then dies with the process.
  static func append(_ payloads: Payloads, _ records: Int, to directory: String) throws {
    let file = try create(directory)
    var buffer = Data(capacity: bufferSize + payloads.size)
    for number in 0..<records {
      add(payloads[number], to: &buffer)
      if buffer.count >= bufferSize { try flush(&buffer, to: file) }
    }
    try flush(&buffer, to: file)
  }

  /// Writes each record by itself, and waits until it is stable.
  static func appendSynced(_ payloads: Payloads, _ records: Int, to directory: String) throws {
    let file = try create(directory)
    var buffer = Data(capacity: sizeField + payloads.size)
    for number in 0..<records {
      add(payloads[number], to: &buffer)
      try flush(&buffer, to: file)
      try file.synchronize()
    }
  }

  /// Reads a log's file, piece by piece, and sums every byte of its records.
  static func readAll(_ path: String, from offset: Int) throws -> UInt64 {
    guard let file = FileHandle(forReadingAtPath: path) else { throw BenchError("cannot read \(path)") }
    try file.seek(toOffset: UInt64(offset))
    var (sum, rest): (UInt64, Data) = (0, Data())
    while let piece = try file.read(upToCount: pieceSize), !piece.isEmpty {
      rest.append(piece)
      let taken = rest.withUnsafeBytes { bytes in
        var at = 0
        while at + sizeField <= bytes.count {
          let size = Int(bytes.loadUnaligned(fromByteOffset: at, as: Int64.self))
          guard at + sizeField + size <= bytes.count else { break }
          let payload = UnsafeRawBufferPointer(rebasing: bytes[(at + sizeField)...].prefix(size))
          sum &+= floor_sum(payload.baseAddress, size)
          at += sizeField + size
        }
        return at
      }
      rest.removeFirst(taken)
    }
    return sum
  }

  private static func create(_ directory: String) throws -> FileHandle {
    guard let file = FileHandle(creating: "\(directory)/events.plain") else {
      throw BenchError("cannot write to \(directory)")
    }
    return file
  }

  private static func add(_ payload: [UInt8], to buffer: inout Data) {
    withUnsafeBytes(of: Int64(payload.count).littleEndian) { buffer.append(contentsOf: $0) }
    buffer.append(contentsOf: payload)
  }

  private static func flush(_ buffer: inout Data, to file: FileHandle) throws {
    try file.write(contentsOf: buffer)
    buffer.removeAll(keepingCapacity: true)
  }
}
