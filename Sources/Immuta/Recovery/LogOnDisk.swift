import Synchronization

/// A log on disk: its open files, and their headers. It is read once; all decisions about the log use this, and the records and
/// entries that it leads to.
struct LogOnDisk {
  let log: Descriptor
  /// The companion; nil where there is none, or where it is another log's and was set aside.
  let companion: Descriptor?
  let format: LogFormat
  /// The log's. Taken after its format was found out, which may take long: a writer that adds records meanwhile is not
  /// taken for damage.
  let status: SystemCalls.Status
  /// The companion's headers, as far as they are whole; nil without companion.
  let slots: CompanionHeader.Slots?
  /// The log's header; nil where its format has none, or the file is too short for it.
  let header: LogHeader?

  /// The header of a companion that is of the log's format. Of another format, it describes another log.
  var companionHeader: CompanionHeader? {
    guard let header = slots?.current, header.format == format else { return nil }
    return header
  }

  /// Whether the companion says that the log was closed.
  var wasClosed: Bool { slots?.current?.isClean == true }

  /// Whether the file is too short for a log's header.
  var isTooShort: Bool { status.size < format.headerSize }

  /// - Parameters:
  ///   - status: the log's, where it was taken just now.
  ///   - slots: the companion's, where they were read just now.
  ///   - stated: the format that the caller says.
  /// - Throws: as ``LogFormat/init(of:_:_:stated:progress:)``, and `.unsupportedVersion`.
  init(
    log: Descriptor, _ status: SystemCalls.Status? = nil, companion: Descriptor?,
    slots: CompanionHeader.Slots? = nil, stated: LogFormat?, progress: ScanProgress? = nil
  ) throws(ImmutaError) {
    let slots = if let slots { slots } else { try companion?.companionSlots() }
    let format = try LogFormat(of: log, companion, slots?.current, stated: stated, progress: progress)
    let isTold = stated == .bilog || slots?.current != nil
    let current = if let status, isTold { status } else { try io(log.status()) }
    try self.init(log, current, companion, slots, format)
  }

  /// Of a format that is known.
  init(log: Descriptor, companion: Descriptor?, format: LogFormat) throws(ImmutaError) {
    try self.init(log, io(log.status()), companion, companion?.companionSlots(), format)
  }

  private init(
    _ log: Descriptor, _ status: SystemCalls.Status, _ companion: Descriptor?, _ slots: CompanionHeader.Slots?,
    _ format: LogFormat
  ) throws(ImmutaError) {
    self.log = log
    self.companion = companion
    self.format = format
    self.status = status
    self.slots = slots
    header = status.size < format.headerSize ? nil : try log.logHeader(format)
    // Acquiring: pairs with the writer's releasing store, so that what is read from here on are the records that COUNT
    // counts, and their entries.
    atomicMemoryFence(ordering: .acquiring)
  }

  /// The same files, read again: after a flush, their contents are on stable storage.
  func readAgain() throws(ImmutaError) -> LogOnDisk {
    try LogOnDisk(log, io(log.status()), companion, companion?.companionSlots(), format)
  }

  /// The same without its companion.
  func withoutCompanion() throws(ImmutaError) -> LogOnDisk {
    try LogOnDisk(log, status, nil, nil, format)
  }
}
