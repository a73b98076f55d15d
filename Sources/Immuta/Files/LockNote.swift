/// What a lock's file says of who has the lock.
package struct LockNote: Hashable, Sendable {
  /// What is locked.
  package let subject: String
  /// The process that has it; nil where that cannot be told.
  package let processID: Int32?
  /// Since when, in nanoseconds since 1970; nil where that cannot be told.
  package let since: Int64?

  init(subject: String, processID: Int32?, since: Int64?) {
    self.subject = subject
    self.processID = processID
    self.since = since
  }

  /// This process, from now on.
  static func current(_ subject: String) -> LockNote {
    LockNote(subject: subject, processID: ThisProcess.identity, since: Clocks.wallClock())
  }

  // In the file:
  //
  //     pid 4711
  //     since 1790000000000000000
  //     namespace events

  /// Only tells people: that it fails harms nobody.
  func write(to file: Descriptor) {
    let text = "pid \(processID ?? 0)\nsince \(since ?? 0)\nnamespace \(subject)\n"
    do throws(FileError) {
      try file.write(Array(text.utf8), at: 0)
      try file.truncate(to: text.utf8.count)
    } catch {
      try? file.truncate(to: 0)
    }
  }

  /// What the file says that somebody has locked. A process that died leaves its name behind, and the next one may not
  /// have written its own yet.
  init(subject: String, on file: Descriptor) {
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = (try? unsafe bytes.withMutableBytes { try unsafe file.read(into: $0, at: 0) }) ?? 0
    let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
    guard lines.count >= 2, lines[0].hasPrefix("pid "), lines[1].hasPrefix("since "),
      let process = Int32(lines[0].dropFirst(4)), process > 0, ThisProcess.isRunning(process),
      let since = Int64(lines[1].dropFirst(6))
    else {
      self.init(subject: subject, processID: nil, since: nil)
      return
    }
    self.init(subject: subject, processID: process, since: since)
  }
}
