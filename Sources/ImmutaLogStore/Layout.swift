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

  static let fileName = "logstore.layout"
  /// Whose lock is held while the layout is written.
  private static let lockName = "logstore.lock"
  /// More partitions are more files than most systems let a process open.
  static let mostPartitions = 1 << 16

  private static let version = 1

  var text: String { "LogStore \(Self.version)\npartitions \(partitions)\nrouting \(routing)\n" }

  init(partitions: Int, routing: String) {
    self.partitions = partitions
    self.routing = routing
  }

  private init?(text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 4, lines[3].isEmpty, lines[0] == "LogStore \(Self.version)", lines[1].hasPrefix("partitions "),
      lines[2].hasPrefix("routing "), let partitions = Int(lines[1].dropFirst(11)),
      (1...Self.mostPartitions).contains(partitions)
    else { return nil }
    self.init(partitions: partitions, routing: String(lines[2].dropFirst(8)))
    // Nothing else may read as the same.
    if self.text != text || !Routing.isValid(self.routing) { return nil }
  }

  /// The version of a layout that a newer program wrote, whatever else it says; nil for any other text.
  private static func unknownVersion(in text: String) -> Int? {
    let first = text.prefix { !$0.isNewline }
    guard first.hasPrefix("LogStore ") else { return nil }
    let digits = first.dropFirst(9)
    guard let leading = digits.first, digits.allSatisfy({ ("0"..."9").contains($0) }),
      leading != "0" || digits.count == 1
    else { return nil }
    // One with more digits than a number has is unknown all the same.
    let version = Int(digits) ?? .max
    return version == Self.version ? nil : version
  }

  static func path(in directory: Directory) -> String { directory.path(of: fileName) }

  /// What a directory remembers; nil when it remembers nothing.
  ///
  /// - Parameter access: for reading only, a layout of an untrusted user is ignored, as the layout decides where the messages of
  ///   a key are.
  /// - Throws: `.foreignOwner` when opening for appending; `.corrupted`, `.unsupportedVersion`, `.io`.
  init?(in directory: Directory, _ trust: FileTrust, for access: Storage.Access) throws(ImmutaError) {
    guard let file = try io(directory.openIfPresent(Self.fileName, .read)) else { return nil }
    let status = try io(file.status())
    let partition = try io(Self.firstPartition(in: directory)?.status())
    if access == .readWrite {
      try io(trust.check(status, Self.fileName, of: partition))
    } else if try !io(trust.holds(status, of: partition)) {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe io(file.read(into: bytes, at: 0))
    }
    let text = String(decoding: bytes[..<count], as: UTF8.self)
    if let version = Self.unknownVersion(in: text) {
      throw .unsupportedVersion(
        UnsupportedVersion(
          path: Self.path(in: directory), subject: .storeLayout, found: version, supported: Self.version))
    }
    guard let found = Layout(text: text) else {
      throw .corrupted(
        Corruption(
          .layout, path: Self.path(in: directory),
          reason: "it does not say how many partitions there are and how keys are routed; it has three lines, such as “"
            + "LogStore 1”, “partitions 10” and “routing \(Routing.modulo.name)”"
        ))
    }
    self = found
  }

  /// Makes a directory remember it, on stable storage when it returns: whole or not at all, and by one program at a
  /// time.
  ///
  /// - Returns: the directory's layout now: another one, if another process was faster.
  /// - Throws: `.locked` while another process writes it, `.foreignOwner`, `.io`.
  func write(in directory: Directory, acceptsFilesOfOthers: Bool) throws(ImmutaError) -> Layout {
    let trust = FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
    let lock = try io(
      FileLock.take(
        Self.lockName, in: directory, subject: Self.fileName, rights: directory.status().rights, trust: trust))
    defer { lock.unlock() }
    if let remembered = try Layout(in: directory, trust, for: .readWrite) { return remembered }
    let new = try io(
      Replacement(
        of: Self.fileName, in: directory, as: Self.fileName + ".new", like: Self.firstPartition(in: directory)))
    try io(new.file.write(Array(text.utf8), at: 0))
    try io(new.finish())
    try io(directory.flush())
    return self
  }

  /// The first partition's file, if it exists: users that may use that file may use the layout's.
  private static func firstPartition(in directory: Directory) throws(FileError) -> Descriptor? {
    try directory.openIfPresent(LogFiles(directory: directory, namespace: "0", isPartition: true).log, .read)
  }

  /// Throws `.invalidConfiguration` when so many partitions need more files than this process may have open.
  ///
  /// The files of logs and companions that were not used lately are closed, however many there are. Where a lock needs a
  /// descriptor, each partition that is open for appending keeps one.
  ///
  /// - Parameter place: the store's directory, or its path before it is made.
  static func checkCanBeOpen(_ partitions: Int, _ access: Storage.Access, at place: String) throws(ImmutaError) {
    let directory = (try? Directory(opening: place)) ?? (try? Directory(opening: FilePath.parent(of: place)))
    let keepsLocks = access == .readOnly || directory?.keepsLocksOfMappings ?? true
    // A log and its companion, and each a second time to read by.
    let inUse = min(mostInUse, partitions * (access == .readWrite ? 4 : 2))
    let needed = (keepsLocks ? 0 : partitions) + inUse + descriptorsOfOthers
    let limit = ThisProcess.mostOpenFiles
    guard needed > limit else { return }
    throw .invalidConfiguration(
      "\(Quantity.of(partitions, "partition")) and the program around them need \(needed) open files, and this process "
        + "may have \(limit): raise the limit (ulimit -n \(needed)), or take fewer partitions for a new store")
  }

  /// What the engine makes do with, whatever the number of logs.
  private static let mostInUse = 16

  /// What the runtime, which traps without them, and a small program need besides.
  private static let descriptorsOfOthers = 24

  /// Whether a message seems to begin a partition's file: not where it is empty, and not where it holds zeros.
  static func hasMessages(_ partition: Int, in directory: Directory) throws(ImmutaError) -> Bool {
    let files = LogFiles(directory: directory, namespace: "\(partition)", isPartition: true)
    // Where the first segment was removed, it had some.
    guard let log = try io(directory.openIfPresent(files.log, .read)) else { return true }
    return try log.recordEnd(at: 0, .bilog) != nil
  }

  /// Whether partitions of a directory have been open here: their companions are not another program's.
  static func hasCompanions(in directory: Directory) throws(ImmutaError) -> Bool {
    // Another program's partitions never roll.
    if try !partitions(in: directory, by: companionSuffix).isEmpty { return true }
    return try !presentPartitions(in: directory).isSubset(of: partitions(in: directory, by: ".bilog"))
  }

  /// How many partition files are in a directory.
  ///
  /// - Throws: `.corrupted` when one between them is missing, or one that has a companion.
  static func partitionFiles(in directory: Directory) throws(ImmutaError) -> Int {
    let present = try presentPartitions(in: directory)
    guard let last = try present.union(partitions(in: directory, by: companionSuffix)).max() else { return 0 }
    if let missing = (0...last).first(where: { !present.contains($0) }) { throw Self.missing(missing, in: directory) }
    return last + 1
  }

  /// The partitions whose files are in a directory: their first segments, or others.
  static func presentPartitions(in directory: Directory) throws(ImmutaError) -> Set<Int> {
    var present = try partitions(in: directory, by: ".bilog")
    for number in try partitions(in: directory, by: ".segments").subtracting(present)
    where try io(LogFiles(directory: directory, namespace: "\(number)", isPartition: true).isThere()) {
      present.insert(number)
    }
    return present
  }

  /// The error for a partition that was lost.
  static func missing(_ partition: Int, in directory: Directory) -> ImmutaError {
    .corrupted(
      Corruption(
        .layout, path: directory.path,
        reason: "\(partition).bilog is missing, but there are other partitions: put the partition back"
      ))
  }

  private static let companionSuffix = ".bilog.companion"

  /// The partitions that have a file with the suffix in the directory.
  private static func partitions(in directory: Directory, by suffix: String) throws(ImmutaError) -> Set<Int> {
    let numbers = try io(directory.names()).compactMap { name -> Int? in
      guard name.hasSuffix(suffix), let number = Int(name.dropLast(suffix.count)),
        (0..<mostPartitions).contains(number), name == "\(number)\(suffix)"
      else { return nil }
      return number
    }
    return Set(numbers)
  }
}
