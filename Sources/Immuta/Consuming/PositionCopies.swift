/// The positions of a log's consumers in a copy of the log. A copy is on stable storage, and so are the records before its
/// positions: they are bound to no run of the machine.
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

  /// The position in a copy that ends at a place.
  ///
  /// - Parameters:
  ///   - place: the end of the copy, where the position is moved if it is beyond that.
  ///   - boot: identifies this run of the machine, and so decides which part of the position counts.
  static func mark(_ mark: ConsumerMark, upTo place: ConsumerMark.Place, inRun boot: UInt64) -> ConsumerMark {
    var copy = mark
    let counts = mark.place(inRun: boot)
    copy.last = counts.number > place.number ? place : counts
    copy.stable = copy.last
    copy.bootIdentity = 0
    // The records that its steps appended are in the copies of those logs.
    copy.pending = .these([])
    return copy
  }

  /// Gives the copy these positions, and no others. They are on stable storage when it returns.
  ///
  /// - Parameter log: the files get its access rights.
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
      // The unused slot must not count.
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
