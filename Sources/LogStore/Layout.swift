import Immuta

/// What a store's directory remembers beside its partitions: how many there are, and how keys are routed to them.
///
/// A file of three lines, `logstore.layout`:
///
/// ```
/// LogStore 1
/// partitions 10
/// routing fnv1a-mod-n
/// ```
struct Layout: Equatable {
  var partitions: Int
  var routing: String

  private static let fileName = "logstore.layout"
  /// More partitions are more files than most systems let a process open.
  static let mostPartitions = 1 << 16

  var text: String { "LogStore 1\npartitions \(partitions)\nrouting \(routing)\n" }

  init(partitions: Int, routing: String) {
    self.partitions = partitions
    self.routing = routing
  }

  private init?(text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 4, lines[3].isEmpty, lines[0] == "LogStore 1", lines[1].hasPrefix("partitions "),
      lines[2].hasPrefix("routing "), let partitions = Int(lines[1].dropFirst(11)),
      (1...Self.mostPartitions).contains(partitions)
    else { return nil }
    self.init(partitions: partitions, routing: String(lines[2].dropFirst(8)))
    // Nothing else may read as the same.
    if self.text != text || !Routing.isValid(self.routing) { return nil }
  }

  static func path(in directory: String) -> String {
    directory.hasSuffix("/") ? directory + fileName : "\(directory)/\(fileName)"
  }

  /// What a directory remembers; nil when it remembers nothing.
  init?(in directory: String) throws(ImmutaError) {
    let path = Self.path(in: directory)
    guard let file = try Descriptor.ifThere(path, .read) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe file.read(into: bytes, at: 0)
    }
    guard let found = Layout(text: String(decoding: bytes[..<count], as: UTF8.self)) else {
      throw .corrupted(
        Corruption(
          path: path,
          reason: "it does not say how many partitions there are and how keys are routed; it has three lines, such as “"
            + "LogStore 1”, “partitions 10” and “routing \(Routing.modulo.name)”"
        ))
    }
    self = found
  }

  /// Makes a directory remember it, on stable storage when it returns: whole or not at all, and by one program at a
  /// time.
  ///
  /// - Returns: what the directory remembers now: another layout, where somebody else was faster.
  /// - Throws: `.locked` while somebody else is at it, `.io`.
  func write(in directory: String) throws(ImmutaError) -> Layout {
    let lock = try Descriptor(opening: directory, .read)
    try lock.lock()
    defer { lock.unlock() }
    if let remembered = try Layout(in: directory) { return remembered }
    let path = Self.path(in: directory)
    let new = path + ".new"
    try? SystemCalls.unlink(new)
    let file = try Descriptor(opening: new, .createNew)
    try file.write(Array(text.utf8), at: 0)
    try file.flush()
    try SystemCalls.rename(new, to: path)
    try SystemCalls.flushDirectory(directory)
    return self
  }

  /// Throws `.invalidConfiguration` when so many partitions are more files than this process may have open.
  static func checkCanBeOpen(_ partitions: Int) throws(ImmutaError) {
    let needed = partitions * Self.descriptorsPerPartition
    let limit = SystemCalls.mostOpenFiles
    guard needed > limit else { return }
    throw .invalidConfiguration(
      "\(partitions) partitions need \(needed) open files, and this process may have \(limit): take fewer partitions, or "
        + "raise the limit (ulimit -n)")
  }

  /// Its log and its companion, each for appending and for reading: the least that it takes to use one.
  private static let descriptorsPerPartition = 4

  /// Whether partitions of a directory have been open here: their companions are not another program's.
  static func hasCompanions(in directory: String) throws(ImmutaError) -> Bool {
    try SystemCalls.names(in: directory).contains { Self.partition(ofFile: $0, ".bilog.idx") != nil }
  }

  /// How many partition files are in a directory.
  ///
  /// - Throws: `.corrupted` when one between them is missing, or one that a companion tells of.
  static func partitionFiles(in directory: String) throws(ImmutaError) -> Int {
    let names = try SystemCalls.names(in: directory)
    let numbers = names.compactMap { Self.partition(ofFile: $0, ".bilog") }
    guard let last = (numbers + names.compactMap { Self.partition(ofFile: $0, ".bilog.idx") }).max() else { return 0 }
    if let missing = (0...last).first(where: { !numbers.contains($0) }) { throw Self.missing(missing, in: directory) }
    return last + 1
  }

  /// The partitions whose files are in a directory.
  static func presentPartitions(in directory: String) throws(ImmutaError) -> Set<Int> {
    Set(try SystemCalls.names(in: directory).compactMap { partition(ofFile: $0, ".bilog") })
  }

  /// The error for a partition that was lost.
  static func missing(_ partition: Int, in directory: String) -> ImmutaError {
    .corrupted(
      Corruption(
        path: directory, reason: "\(partition).bilog is missing, but there are other partitions: put the partition back"
      ))
  }

  /// The partition that a file is, by its name.
  private static func partition(ofFile name: String, _ suffix: String) -> Int? {
    guard name.hasSuffix(suffix), let number = Int(name.dropLast(suffix.count)), (0..<mostPartitions).contains(number),
      name == "\(number)\(suffix)"
    else { return nil }
    return number
  }
}
