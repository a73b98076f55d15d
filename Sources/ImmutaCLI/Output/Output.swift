/// Standard output with a buffer: bytes are added to ``bytes`` and written in large pieces.
final class Output {
  /// What is not written yet.
  ///
  /// Add to it, then call ``flushIfFull()``.
  var bytes: [UInt8] = []
  private let descriptor: Int32
  private let capacity: Int

  init(_ descriptor: Int32 = System.standardOutput, capacity: Int = 128 << 10) {
    self.descriptor = descriptor
    self.capacity = capacity
    bytes.reserveCapacity(capacity * 2)
  }

  /// Writes what was collected.
  func flush() throws {
    if bytes.isEmpty { return }
    try bytes.withUnsafeBytes { try System.write($0, to: descriptor) }
    bytes.removeAll(keepingCapacity: true)
  }

  /// Writes what was collected if it is worth a call.
  func flushIfFull() throws {
    if bytes.count >= capacity { try flush() }
  }

  /// Adds bytes, or writes them at once where there are so many that copying them buys nothing.
  func write(_ new: UnsafeRawBufferPointer) throws {
    if bytes.count + new.count <= capacity {
      bytes.append(contentsOf: new)
      return
    }
    try flush()
    if new.count <= capacity {
      bytes.append(contentsOf: new)
    } else {
      try System.write(new, to: descriptor)
    }
  }

  /// Adds a line of text.
  func line(_ text: String) throws {
    bytes.append(contentsOf: text.utf8)
    bytes.append(UInt8(ascii: "\n"))
    try flushIfFull()
  }

  /// Prints a report: its lines for people, or its objects for programs.
  func report(_ lines: [String], json: [[UInt8]], asJSON: Bool) throws {
    if asJSON {
      for object in json { bytes += object }
    } else {
      for text in lines { try line(text) }
    }
    try flush()
  }
}
