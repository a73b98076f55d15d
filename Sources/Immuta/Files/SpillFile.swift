import CImmutaFileCalls

/// A file without a name for bytes that memory should not hold: gone when it is let go, and with the process however
/// that ends.
///
/// Where file systems make no such files, one is made by a name and the name removed at once. Should the machine stop
/// between the two, the name is left, and the next one removes it.
struct SpillFile {
  private let descriptor: Descriptor
  /// The key that masks the bytes; nil if they may be readable on the device.
  private let key: [UInt8]?
  private(set) var count = 0

  init(beside log: LogFiles, masked: Bool) throws(FileError) {
    descriptor = try log.directory.openUnnamed(".\(log.log).spill")
    var generator = SystemRandomNumberGenerator()
    key = masked ? (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) } : nil
  }

  /// Adds bytes, a multiple of 64 of them, which may be changed on the way.
  mutating func append(_ bytes: inout [UInt8]) throws(FileError) {
    precondition(count % 64 == 0, "pieces of a masked file are multiples of its mask's blocks")
    mask(&bytes, at: count)
    do throws(FileError) {
      try descriptor.write(bytes, at: count)
    } catch {
      throw error.during(.temporaryFile)
    }
    count += bytes.count
  }

  /// Fills the bytes, which are all there.
  func read(into bytes: inout [UInt8], at offset: Int) throws(FileError) {
    let size = bytes.count
    let filled = try unsafe bytes.withMutableBytes { (bytes) throws(FileError) in
      try unsafe descriptor.read(into: bytes, at: offset)
    }
    guard filled == size else {
      throw .failed(.pread, ErrorNumber.ioError, path: descriptor.path)
    }
    mask(&bytes, at: offset)
  }

  private func mask(_ bytes: inout [UInt8], at offset: Int) {
    guard let key else { return }
    let count = bytes.count
    // Both calls are with memory that stays in place until they return.
    unsafe key.withUnsafeBufferPointer { key in
      unsafe bytes.withUnsafeMutableBytes { bytes in
        unsafe file_mask(key.baseAddress, UInt64(offset / 64), bytes.baseAddress, count)
      }
    }
  }
}
