/// Standard output with a buffer: bytes are added to ``bytes`` and written in large pieces.
final class Output {
  /// What is not written yet.
  ///
  /// Add to it, then call ``flushIfFull()``.
  var bytes: [UInt8] = []
  private let descriptor: Int32
  private let capacity: Int
  /// Between what is written and a terminal that would obey it.
  private var terminalGuard: TerminalGuard?

  init(
    _ descriptor: Int32 = System.standardOutput, capacity: Int = 128 << 10,
    guardedBy terminalGuard: TerminalGuard? = nil
  ) {
    self.descriptor = descriptor
    self.capacity = capacity
    self.terminalGuard = terminalGuard
    bytes.reserveCapacity(capacity * 2)
  }

  /// Writes what was collected.
  func flush() throws {
    if bytes.isEmpty { return }
    try bytes.withUnsafeBytes { try put($0) }
    bytes.removeAll(keepingCapacity: true)
  }

  /// Writes what was collected, and all that was kept back: nothing comes after it.
  func finish() throws {
    try flush()
    guard terminalGuard != nil else { return }
    var shown: [UInt8] = []
    terminalGuard?.finish(into: &shown)
    try shown.withUnsafeBytes { try System.write($0, to: descriptor) }
  }

  private func put(_ bytes: UnsafeRawBufferPointer) throws {
    guard terminalGuard != nil else { return try System.write(bytes, to: descriptor) }
    var shown: [UInt8] = []
    terminalGuard?.pass(bytes, into: &shown)
    try shown.withUnsafeBytes { try System.write($0, to: descriptor) }
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
      try put(new)
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
