/// The file with the intents of all steps that have the same first log: `<directory>/.intents/<namespace>`. Only the holder of
/// that log's turn, or of its lock, writes the file. See ``StepIntent``.
struct IntentFile: Sendable {
  private let file: Descriptor
  private let folder: Directory
  private let name: String
  private let identity: FileIdentity
  /// The generation of the slot that was written last.
  private(set) var generation: UInt64

  /// The folder of the intents, in the directory of the logs. No namespace's name begins with a point.
  static var folderName: String { ".intents" }

  /// Opens the file; if it does not exist, makes it, with its names on stable storage.
  ///
  /// - Throws: `.unsupportedVersion`, `.foreignOwner`, `.io`.
  init(_ namespace: String, in directory: Directory, rights: FileRights?, _ trust: FileTrust) throws(ImmutaError) {
    let folder = try io(trust.makeFolder(Self.folderName, in: directory))
    if let status = try io(folder.statusOfFile(namespace)) {
      try io(trust.check(status, namespace))
      file = try io(folder.open(namespace, .readWrite))
    } else {
      file = try io(folder.create(namespace, rights?.ofWriters))
      try io(folder.flush())
      try io(directory.flush())
    }
    (self.folder, name) = (folder, namespace)
    identity = try io(file.status().identity)
    generation = try Self.whole(in: file).last?.generation ?? 0
  }

  /// The intents in a file, the older one first. Both count: what the older one vouches for need not be on stable storage before
  /// the next but one takes its place.
  ///
  /// - Throws: `.unsupportedVersion`, `.io`.
  static func whole(in file: Descriptor) throws(ImmutaError) -> [(intent: StepIntent, generation: UInt64)] {
    try intents(in: [slot(at: 0, of: file), slot(at: StepIntent.slotSize, of: file)], at: file.path)
  }

  /// The intents in a file's slots, whose bytes were read: the older one first.
  ///
  /// - Throws: `.unsupportedVersion`.
  static func intents(
    in slots: [[UInt8]], at path: String
  ) throws(ImmutaError) -> [(intent: StepIntent, generation: UInt64)] {
    let slots = StepIntent.slots(slots)
    if let unknown = slots.unknownVersion {
      throw .unsupportedVersion(
        UnsupportedVersion(
          path: path, subject: .intent, found: Int(unknown), supported: Int(StepIntent.version)))
    }
    return slots.whole
  }

  /// The version of an intent in a directory that a newer program wrote; nil where there is none, or where this user may not read
  /// it. O(logs with steps under way).
  static func newerVersion(in directory: Directory, _ trust: FileTrust) -> UnsupportedVersion? {
    guard let folder = try? directory.folder(folderName), let status = try? folder.status(),
      (try? trust.holds(status)) == true, let names = try? folder.names()
    else { return nil }
    for name in names where FileName.isValid(name) {
      do throws(ImmutaError) {
        if let file = try openTrusted(name, in: folder, trust) { _ = try whole(in: file) }
      } catch .unsupportedVersion(let version) {
        return version
      } catch {
        // It is for the next opening of one of its logs to report.
        continue
      }
    }
    return nil
  }

  /// The intents of one log, for reading only; nil where there are none. Another user's intents, in a shared directory, are about
  /// logs that this user cannot open.
  static func openTrusted(
    _ name: String, in folder: Directory, _ trust: FileTrust
  ) throws(ImmutaError) -> Descriptor? {
    guard let status = try io(folder.status(of: name)), status.isRegular, try io(trust.holds(status)) else {
      return nil
    }
    return try io(folder.openIfPresent(name, .read))
  }

  /// Reads a slot as it is now: as many bytes as its LENGTH says, at least one sector; fewer where the file ends.
  static func slot(at offset: Int, of file: Descriptor) throws(ImmutaError) -> [UInt8] {
    // Mostly an intent is a sector or two, and there may be many files.
    let sector = try bytes(offset..<offset + TwoSlots.sector, of: file)
    guard sector.count == TwoSlots.sector else { return sector }
    let length = StepIntent.length(ofSlotIn: sector[...])
    return try sector + bytes(offset + TwoSlots.sector..<offset + length, of: file)
  }

  /// Some of a file's bytes; fewer where it ends.
  static func bytes(_ range: Range<Int>, of file: Descriptor) throws(ImmutaError) -> [UInt8] {
    if range.isEmpty { return [] }
    var bytes = [UInt8](repeating: 0, count: range.count)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe io(file.read(into: bytes, at: range.lowerBound))
    }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// Writes an intent over the older of the two. One small write.
  ///
  /// - Throws: `.logMoved`, `.io`; then call ``withdraw(_:isStable:)``, so that the intent does not count.
  mutating func write(_ slot: [UInt8]) throws(ImmutaError) {
    precondition(
      slot.count % TwoSlots.sector == 0 && slot.count <= StepIntent.slotSize,
      "an intent has whole sectors, and fits its slot")
    // If the file has lost its name, nobody finds what is written to it.
    if try io(folder.status(of: name))?.identity != identity { throw .logMoved(path: folder.path(of: name)) }
    let next = TwoSlots.next(after: generation)
    try io(file.write(slot, at: StepIntent.offset(of: next)))
    generation = next
  }

  /// The generation of the next intent.
  var next: UInt64 { TwoSlots.next(after: generation) }

  /// Puts it on stable storage. Blocks.
  func flush() throws(ImmutaError) { try io(file.flush()) }

  /// Makes sure that the intent of this generation does not count, after it could not be written, or not be made stable.
  ///
  /// - Throws: if it is unknown whether it counts.
  mutating func withdraw(_ withdrawn: UInt64, isStable: Bool) throws(ImmutaError) {
    if try Self.whole(in: file).contains(where: { $0.generation == withdrawn }) {
      try io(file.write([UInt8](repeating: 0, count: 512), at: StepIntent.offset(of: withdrawn)))
    }
    // It is unknown what a failed flush has left on the device.
    if isStable { try io(file.flush()) }
    // The slot of the previous intent stays as it is.
    generation = withdrawn &- 1
  }

  /// Removes the file: nothing in it is needed any more. If a crash brings it back, it names only steps that are done.
  func remove() throws(ImmutaError) { try io(folder.removeIfPresent(name)) }
}
