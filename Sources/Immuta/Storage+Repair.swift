extension Storage {
  /// Says what is wrong with a log, and mends what can be mended, if asked to.
  ///
  /// A log that opens for appending needs no repair: what a crash leaves is recovered on opening, and a damaged record in
  /// its middle throws when it is read while the others stay readable. This is for logs that opening refuses: a damaged
  /// header, a damaged or missing end. Records up to the last whole one stay; what is behind is cut off. The companion's
  /// damaged entries are made anew where the log tells how.
  ///
  /// Nothing is taken away without a copy: the old header, the bytes that are cut off and the old companion are saved
  /// beside the log first, under names that end in `.saved-` and a number. To have the sound records of a log without the
  /// damaged ones between them, see ``salvage(_:in:into:)``.
  ///
  /// O(bytes of the log), in bounded memory; blocks the calling thread. The namespace must not be open for writing.
  ///
  /// - Parameters:
  ///   - namespace: the log's name.
  ///   - directory: where its files are.
  ///   - applying: whether to do it; by default it only says what it would do and changes nothing.
  /// - Throws: `.namespaceNotFound`, `.invalidNamespace`, `.locked`, `.io`; `.corrupted` when nothing of the log is left.
  public static func repair(
    _ namespace: String, in directory: String = "./logs", applying: Bool = false
  ) throws(ImmutaError) -> RepairReport {
    guard isValidNamespace(namespace) else { throw .invalidNamespace(namespace) }
    var repair = try Repair(LogFiles(directory: directory, namespace: namespace))
    if applying { try repair.apply() }
    return repair.report
  }

  /// Copies the sound records of a log, damaged or not, in their order, into a new namespace, and says which are lost.
  ///
  /// The records get new numbers, without gaps, and new times. The damaged log stays as it is. O(bytes of the log), in
  /// bounded memory; blocks the calling thread. Either all sound records are in the new namespace when it returns, or, if
  /// it throws, none.
  ///
  /// - Throws: as ``repair(_:in:applying:)``; `.duplicateNamespace` when the new namespace exists.
  public static func salvage(
    _ namespace: String, in directory: String = "./logs", into newNamespace: String
  ) throws -> RepairReport {
    for name in [namespace, newNamespace] where !isValidNamespace(name) { throw ImmutaError.invalidNamespace(name) }
    let files = LogFiles(directory: directory, namespace: namespace)
    let newFiles = LogFiles(directory: directory, namespace: newNamespace)
    if try SystemCalls.status(newFiles.log) != nil { throw ImmutaError.duplicateNamespace(newNamespace) }
    let repair = try Repair(files)
    var report = repair.report
    // The repair holds the log's lock: nobody changes it meanwhile.
    do {
      try withExtendedLifetime(repair) {
        try copySoundRecords(of: files, count: report.promised, into: newNamespace, directory)
      }
    } catch {
      // None, if not all: the new namespace holds nothing.
      try? SystemCalls.unlink(newFiles.log)
      try? SystemCalls.unlink(newFiles.companion)
      throw error
    }
    report.actions = ["copy its \(report.sound) whole records into “\(newNamespace)”"]
    report.isApplied = true
    return report
  }

  private static func copySoundRecords(
    of files: LogFiles, count: Int, into newNamespace: String, _ directory: String
  ) throws {
    let log = try Descriptor(opening: files.log, .read)
    let companion =
      try SystemCalls.status(files.companion) == nil ? nil : try Descriptor(opening: files.companion, .read)
    var examination = try Examination(log: log, companion: companion, format: .v2, count: count)
    let storage = try Storage(directory: directory, namespaces: [newNamespace])
    defer { storage.close() }
    try storage.transaction(in: newNamespace) { transaction in
      let writer = transaction.writer
      var buffer = [UInt8](repeating: 0, count: 1 << 20)
      try examination.run { (finding) throws(ImmutaError) in
        guard finding.damage == nil, let index = finding.index else { return }
        try writer.beginRecord()
        var position = index + LogFormat.recordHeaderSize
        let end = position + finding.size
        while position < end {
          let wanted = min(buffer.count, end - position)
          try unsafe buffer.withMutableBytes { (bytes) throws(ImmutaError) in
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<wanted])
            guard try unsafe log.read(into: piece, at: position) == wanted else {
              throw .corrupted(
                Corruption(
                  path: files.log, sequence: finding.sequence, index: index, reason: "it changed while it was copied"))
            }
            try unsafe writer.extendRecord(UnsafeRawBufferPointer(piece))
          }
          position += wanted
        }
        _ = try writer.endRecord()
      }
    }
    try storage.sync()
  }
}
