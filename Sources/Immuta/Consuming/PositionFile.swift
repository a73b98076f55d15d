/// A consumer's position on file, which this process has for itself: written in place, in two slots in turn.
struct PositionFile: Sendable {
  let name: String
  let folder: Directory
  private let lock: FileLock
  private let file: Descriptor
  private let identity: FileIdentity?
  /// The generation of the slot that was written last.
  private(set) var generation: UInt64 = 0

  init(lock: FileLock, name: String, in folder: Directory) {
    (self.lock, self.name, self.folder) = (lock, name, folder)
    file = lock.descriptor
    identity = try? file.status().identity
  }

  /// It was renamed.
  func noteName() { file.noteName(path) }

  var path: String { folder.path(of: name) }

  /// What a position file says, and its generation.
  ///
  /// - Throws: `.corrupted` where no slot in it is whole, `.unsupportedVersion`, `.io`.
  static func current(in file: Descriptor) throws(ImmutaError) -> (mark: ConsumerMark, generation: UInt64) {
    try current(in: file.twoSlots(), of: file)
  }

  /// The same, from its slots as they were read; nil for a file that is too short.
  static func current(
    in slots: [UInt8]?, of file: Descriptor
  ) throws(ImmutaError) -> (mark: ConsumerMark, generation: UInt64) {
    let slots = slots.map { bytes in unsafe bytes.withBytes { unsafe ConsumerMark.slots(in: $0) } }
    if let unknown = slots?.unknownVersion {
      throw .unsupportedVersion(
        UnsupportedVersion(
          path: file.path, subject: .consumerPosition, found: Int(unknown), supported: Int(ConsumerMark.version)))
    }
    guard let current = slots?.current else {
      throw .corrupted(
        Corruption(
          .consumerPosition, path: file.path,
          reason:
            "it is damaged, and how far the consumer had come is not known: seek the consumer to where it is to go "
            + "on, or put the file back from a copy"))
    }
    return current
  }

  /// Reads what it says.
  mutating func read() throws(ImmutaError) -> ConsumerMark {
    let current = try Self.current(in: file)
    generation = current.generation
    return current.mark
  }

  /// Writes the first slot, on stable storage, over whatever is in the file.
  mutating func begin(_ mark: ConsumerMark) throws(ImmutaError) {
    generation = 0
    try file.write(firstSlot: mark.encoded(generation: generation))
    try io(file.flush())
  }

  /// Writes a mark on stable storage, whatever the file says: over the older slot, if one of them is whole, so that a torn write
  /// leaves the whole one.
  mutating func replace(_ mark: ConsumerMark) throws(ImmutaError) {
    do throws(ImmutaError) {
      _ = try read()
    } catch .corrupted {
      return try begin(mark)
    }
    try write(mark)
    try flush()
  }

  /// Writes over the older of the two slots. One small write.
  mutating func write(_ mark: ConsumerMark) throws(ImmutaError) {
    let next = TwoSlots.next(after: generation)
    try file.write(slot: mark.encoded(generation: next), of: next)
    generation = next
  }

  /// Writes the result of a step that moved on from the slot of a generation. It writes as the step would have, so that no
  /// earlier step moves the position again.
  mutating func write(_ mark: ConsumerMark, movedOnFrom before: UInt64) throws(ImmutaError) {
    if TwoSlots.isNewer(before, than: generation) { generation = before }
    try write(mark)
  }

  /// Puts what was written on stable storage. Blocks.
  func flush() throws(ImmutaError) { try io(file.flush()) }

  /// Throws if the file has lost its name: writes to it would be lost, and another process may have the consumer.
  func checkName() throws(ImmutaError) {
    if try io(folder.status(of: name))?.identity != identity { throw .logMoved(path: path) }
  }

  func unlock() { lock.unlock() }
}
