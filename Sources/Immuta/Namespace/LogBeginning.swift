/// Makes an empty log that begins with another record than the first: for the copy of a log whose first records were removed, so
/// that the others keep their numbers.
struct LogBeginning {
  /// The log's files, none of which exists.
  let files: LogFiles
  let format: LogFormat
  let codecName: String
  let trust: FileTrust

  /// The log is on stable storage when it returns. A crash leaves no log; or this log, but with only the companion, or no file
  /// yet, saying that the records before `first` were removed.
  ///
  /// - Parameter first: the number that its first record gets; at least 1.
  /// - Throws: `.duplicateNamespace` if such a log exists, `.corrupted` if one existed, `.locked`, `.foreignOwner`, `.io`.
  func run(first: Int) throws(ImmutaError) {
    let directory = files.directory
    try Removal(files: files, trust: trust).finish()
    if try io(files.isThere()) { throw .duplicateNamespace(files.namespace) }
    if let lost = try files.lostLog(trust) { throw .corrupted(lost) }
    let lock = try io(FileLock.take(files.lock, in: directory, subject: files.namespace, rights: nil, trust: trust))
    defer { lock.unlock() }
    // Another process may have been faster.
    if try io(files.isThere()) { throw .duplicateNamespace(files.namespace) }
    let folder = try io(trust.makeFolder(files.segmentsFolder, of: files))
    let segment = files.segment(first, in: folder)
    var header = CompanionHeader(format: format, codecName: codecName)
    header.identity = .random()
    header.mark = .closed
    header.bootIdentity = BootIdentity.current
    (header.firstSequence, header.removedCount) = (first, first)
    // A companion alone is no log.
    let companion = try io(folder.open(segment.companion, .readWriteCreating))
    try io(companion.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0))
    try companion.write(slot: header.encoded(), of: header.generation)
    try io(companion.flush())
    try io(folder.flush())
    let log = try io(folder.open(segment.log, .readWriteCreating))
    try io(log.write([UInt8](repeating: 0, count: format.headerSize), at: 0))
    try io(log.flush())
    try LogKnowledge(files, header, format, trust).keep(header, files, of: log, isNew: true, isSegmented: true)
    try io(folder.flush())
    try io(folder.flushEntry())
  }
}
