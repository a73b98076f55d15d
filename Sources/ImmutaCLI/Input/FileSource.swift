import Immuta

/// A file, or standard input, as a source of bytes.
final class FileSource: ByteSource {
  /// For messages.
  let name: String
  private let descriptor: Int32
  private let isOwned: Bool

  /// Opens the file; `-` is standard input.
  init(_ path: String) throws {
    if path == "-" {
      (name, descriptor, isOwned) = ("standard input", System.standardInput, false)
    } else {
      (name, descriptor, isOwned) = (path, try System.open(path), true)
    }
  }

  deinit {
    if isOwned { System.close(descriptor) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try System.read(descriptor, into: buffer, name: name)
  }

  /// Says on standard error what is read and how it ends, where a person is to type it.
  func sayHowItEnds(_ delimiter: UInt8?) {
    guard descriptor == System.standardInput, System.isTerminal(descriptor) else { return }
    switch delimiter {
    case UInt8(ascii: "\n"): Failure.say("reading lines; Ctrl-D ends")
    case nil: Failure.say("reading one record; Ctrl-D ends")
    default: Failure.say("reading records, with a NUL byte after each; Ctrl-D ends")
    }
  }

  /// What the opened file is.
  func info() throws(ToolError) -> System.FileInfo { try System.info(descriptor, name: name) }

  /// All bytes of a small file.
  func all(atMost limit: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try read(into: $0) }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      if bytes.count > limit { throw ToolError("cannot use \(name): it has more than \(limit) bytes") }
    }
  }

  /// Throws unless each of the files can be expected to open, so that a misspelt name is reported before anything is
  /// appended.
  ///
  /// Returns their bytes; nil where one is not a regular file.
  static func check(_ paths: [String]) throws(ToolError) -> Int? {
    var total: Int? = 0
    for path in paths {
      if path == "-" {
        total = nil
        try System.checkInput()
        continue
      }
      let info = try System.info(path)
      if info.isDirectory { throw ToolError("cannot read \(path): it is a directory") }
      guard System.isReadable(path) else { throw ToolError("cannot open \(path): permission denied") }
      if let size = info.size { total = total.map { $0 + size } } else { total = nil }
    }
    return total
  }

  /// Throws if one of the files is the log's own: appending it would never come to an end.
  static func check(_ paths: [String], differFrom log: Log) throws(ToolError) {
    for path in paths where path != "-" {
      if (try? log.has(fileAt: path)) == true { throw ToolError("cannot append \(path) to itself") }
    }
  }
}
