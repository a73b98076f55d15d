// Copies of a file, and its own bytes written again.
extension Descriptor {
  /// Copies bytes into a new file with the rights of another, which is on stable storage when it returns; its directory
  /// entry need not be.
  package func copy(
    _ range: Range<Int>, to name: String, in directory: Directory, like original: Descriptor
  ) throws(FileError) {
    let copy = try Replacement(of: name, in: directory, as: Self.unfinished(name), like: original)
    do throws(FileError) {
      try transfer(range, to: copy.file, at: 0, leavingHoles: true)
      try copy.file.truncate(to: min(range.count, max(0, size - range.lowerBound)))
      try copy.finish()
    } catch {
      copy.abandon()
      throw error
    }
  }

  /// The name of a copy until it is complete; it stays after a crash.
  static func unfinished(_ name: String) -> String { name + ".unfinished" }

  /// Writes the bytes of a range once more as they are, so that the next flush puts them on the device even if one
  /// before failed to, and the kernel has called them clean since.
  package func rewrite(_ range: Range<Int>) throws(FileError) {
    try transfer(range, to: self, at: range.lowerBound)
  }

  /// Writes the bytes of a range, as far as the file has them, to a place in a file, a megabyte at a time.
  ///
  /// - Parameter leavingHoles: whether zeros are left out: a hole in a file would else take all the room that it claims.
  func transfer(
    _ range: Range<Int>, to target: Descriptor, at start: Int, leavingHoles: Bool = false
  ) throws(FileError) {
    var buffer = [UInt8](repeating: 0, count: min(1 << 20, range.count))
    var position = range.lowerBound
    while position < range.upperBound {
      if leavingHoles { position = min(range.upperBound, max(position, nextData(from: position))) }
      let wanted = min(buffer.count, range.upperBound - position)
      if wanted == 0 { break }
      let count = try unsafe buffer.withMutableBytes { (bytes) throws(FileError) in
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<wanted])
        let count = try unsafe read(into: piece, at: position)
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece)[..<count])
        if unsafe leavingHoles && bytes.isZeros { return count }
        try unsafe target.write(bytes, at: start + position - range.lowerBound)
        return count
      }
      if count == 0 { break }
      position += count
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether there is nothing but zeros. A word at a time: it is asked of large holes.
  fileprivate var isZeros: Bool {
    let words = count / 8 * 8
    for offset in stride(from: 0, to: words, by: 8) {
      if unsafe loadUnaligned(fromByteOffset: offset, as: UInt64.self) != 0 { return false }
    }
    return unsafe self[words...].allSatisfy { $0 == 0 }
  }
}
