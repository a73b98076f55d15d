/// The positions of a log's consumers in a copy of the log. A copy is on stable storage, and so is what its positions say: no
/// run of the machine counts.
struct PositionCopies {
  /// A consumer's position.
  struct CopiedPosition: Sendable {
    let consumer: String
    let mark: ConsumerMark
    let generation: UInt64
  }

  private let files: LogFiles
  private let trust: FileTrust

  /// - Parameter files: the copy's.
  init(_ files: LogFiles, _ trust: FileTrust) {
    (self.files, self.trust) = (files.home, trust)
  }

  /// What a position is in a copy that ends with a record.
  ///
  /// - Parameters:
  ///   - place: the end of the copy, where the position is moved if it is beyond that.
  ///   - boot: of this run of the machine, by which the position tells what counts of it.
  static func mark(_ mark: ConsumerMark, upTo place: ConsumerMark.Place, inRun boot: UInt64) -> ConsumerMark {
    var copy = mark
    let counts = mark.place(inRun: boot)
    copy.last = counts.number > place.number ? place : counts
    copy.stable = copy.last
    copy.bootIdentity = 0
    // What its steps have appended is in the copies of those logs.
    copy.pending = .these([])
    return copy
  }

  /// Makes the copy have these positions, and no others. On stable storage when it returns.
  ///
  /// - Parameter log: whose rights the files get.
  /// - Throws: `.foreignOwner`, `.io`.
  func write(_ items: [CopiedPosition], like log: Descriptor) throws(ImmutaError) {
    let names = Set(items.map { ConsumerFolder.file(of: $0.consumer) })
    guard let folder = try folder(items.isEmpty) else { return }
    var hasChanged = false
    for item in items {
      let name = ConsumerFolder.file(of: item.consumer)
      let slot = item.mark.encoded(generation: item.generation)
      if let status = try io(folder.statusOfFile(name)) {
        try io(trust.check(status, name))
        if let file = try io(folder.openIfPresent(name, .read)), let found = try? PositionFile.current(in: file),
          found.mark == item.mark, found.generation == item.generation
        {
          continue
        }
      }
      let new = try io(Replacement(of: name, in: folder, as: Descriptor.unfinished(name), like: log))
      // The slot that is not used reads as nothing.
      try io(new.file.write([UInt8](repeating: 0, count: TwoSlots.size), at: 0))
      try new.file.write(slot: slot, of: item.generation)
      try io(new.finish())
      hasChanged = true
    }
    for name in try io(folder.names()) where ConsumerFolder.isPosition(name) && !names.contains(name) {
      try io(folder.removeIfPresent(name))
      hasChanged = true
    }
    if hasChanged {
      try io(folder.flush())
      try io(files.directory.flush())
    }
  }

  /// The folder; made, where it is needed.
  private func folder(_ isEmpty: Bool) throws(ImmutaError) -> Directory? {
    if isEmpty { return try io(trust.folder(files.consumersFolder, of: files)) }
    return try io(trust.makeFolder(files.consumersFolder, of: files))
  }
}
